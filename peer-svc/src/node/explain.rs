//! Explaining: every rule in order, by the functions that accept and refuse; and proofs. Nothing changes.

use std::sync::Arc;

use raclette_chain::{
    accounts::{self, Accounts, Overlay},
    block::{Block, Checked},
    hash::{BlockHash, MerkleRoot, StateHash, TransactionId},
    header::Header,
    merkle::{self, Side},
    rules::{self, Explanation},
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::clock::now_ms;

use super::{Incoming, Node, NodeError, State, TransactionPlace};
use crate::store;

/// What would become of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// It would be taken.
    Accepted,
    /// It is pending already.
    Known,
    /// A block of the active branch holds it already.
    Confirmed,
    /// A rule or a policy keeps it out.
    Refused,
}

/// A transaction, looked at without being taken.
#[derive(Debug)]
pub struct CheckedTransaction {
    /// What would become of it.
    pub prospect: Prospect,
    /// The height of the next block, for which it was checked.
    pub height: u32,
    /// Every rule and policy.
    pub explanation: Explanation,
}

/// A stored block, looked at again.
#[derive(Debug)]
pub struct Verification {
    /// Every rule; none for the genesis block.
    pub explanation: Explanation,
    /// Why some rules could not be looked at.
    pub reason: Option<String>,
}

/// The proof that a transaction stands in a block of the active branch.
#[derive(Debug)]
pub struct Proof {
    /// The transaction.
    pub transaction: SignedTransaction,
    /// Siblings of its leaf, from the bottom up.
    pub siblings: Vec<(Side, [u8; 32])>,
    /// The header of the block.
    pub header: Header,
    /// The position of the transaction, the first behind the reward being 0.
    pub position: usize,
    /// How many blocks there are from that one to the tip, both counted.
    pub confirmations: u32,
}

impl Proof {
    /// The root that leaf and siblings lead to.
    #[must_use]
    pub fn root(&self) -> MerkleRoot {
        merkle::root_from_proof(&self.transaction.leaf(), &self.siblings)
    }
}

/// The accounts after a block, and the state hash.
type AccountsAfter = Result<(Accounts, StateHash), String>;

impl Node {
    /// Tells of every rule and policy how a transaction would fare now. Nothing changes.
    ///
    /// # Errors
    /// Not ready, shutting down, or the file cannot be read.
    pub async fn check_transaction(&self, incoming: Incoming) -> Result<CheckedTransaction, NodeError> {
        let state = self.state()?;
        let Incoming { transaction, message } = incoming;
        let (id, sender) = (transaction.id(), transaction.sender());
        let account = state.account(&sender);
        let registered = self.members().is_registered(&sender) || sender == self.identity().address();
        let used = transaction.transaction().sequence < account.next_sequence;
        let confirmed = used && store::places::position(&self.readers, &id).await?.is_some();
        let pending = state.ledger.get(&id).is_some();
        let work = move || {
            let mut explanation = Explanation::new();
            rules::explain_arrival(&transaction, message.as_ref(), &state.rules, &mut explanation);
            let arrived = !explanation.is_broken();
            let context = state.context(Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX), registered);
            state.ledger.explain(&transaction, &account, &context, &mut explanation);
            let prospect = match arrived {
                true if confirmed => Prospect::Confirmed,
                true if pending => Prospect::Known,
                true if !explanation.is_broken() => Prospect::Accepted,
                _ => Prospect::Refused,
            };
            CheckedTransaction { prospect, height: state.next_height(), explanation }
        };
        self.verifier.run(work).await.ok_or(NodeError::ShuttingDown)
    }

    /// Tells of every rule how a stored block fares on top of its parent. The accounts after the parent are found by taking
    /// blocks off the tip, one such walk at a time.
    ///
    /// # Errors
    /// [`NodeError::Storage`] if the block cannot be read, or its stored bytes are damaged.
    pub async fn verification(&self, state: Arc<State>, hash: &BlockHash) -> Result<Verification, NodeError> {
        let header = state.index.get(hash).map(|entry| entry.header);
        let Some((header, parent)) = header.and_then(|header| Some((header, state.index.parent(&header.previous)?)))
        else {
            return Ok(Verification { explanation: Explanation::new(), reason: None });
        };
        let missing = || NodeError::Storage(format!("the body of block {hash} is missing"));
        let block = self.block(hash).await?.ok_or_else(missing)?;
        let before = {
            let _turn = self.explaining.acquire().await.map_err(|_| NodeError::ShuttingDown)?;
            self.accounts_after(&state, &header.previous).await?
        };
        let work = move || {
            let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
            let mut explanation = Explanation::new();
            rules::explain_header(&header, &parent, &state.rules, now, &mut explanation);
            rules::explain_body(&block, &state.rules, &mut explanation);
            rules::explain_signatures(&block, &state.rules, &mut explanation);
            let reason = explain_accounts(&block, &before, &state, &mut explanation);
            Verification { explanation, reason }
        };
        self.verifier.run(work).await.ok_or(NodeError::ShuttingDown)
    }

    /// The accounts after a stored block, or why there are none: a block on the way breaks a rule.
    async fn accounts_after(&self, state: &State, hash: &BlockHash) -> Result<AccountsAfter, NodeError> {
        let mut connection = self.readers.acquire().await?;
        let mut found = state.accounts.clone();
        let path = state.index.path_to(hash).unwrap_or_default();
        for off in &path.disconnect {
            accounts::write(&mut found, store::blocks::undo(&mut connection, off).await?.0);
        }
        let first = path.connect.first().and_then(|first| state.index.get(first)).map(|entry| entry.header.previous);
        let mut state_hash = state.index.get(&first.unwrap_or(*hash)).and_then(|entry| entry.state_hash);
        for on in &path.connect {
            let block = store::blocks::get(&mut *connection, on, &state.rules.network).await?;
            let (Some(block), Some(before)) = (block, state_hash) else { break };
            let mut overlay = Overlay::new(&found);
            match rules::connect_block(&block, &mut overlay, &before, &state.rules) {
                Ok(connected) => state_hash = Some(connected.state_hash),
                Err(error) => return Ok(Err(format!("block {on} before it breaks a rule: {error}"))),
            }
            let changed = overlay.into_changed();
            accounts::write(&mut found, changed);
        }
        let unknown = || String::from("the state before it is not known");
        Ok(state_hash.ok_or_else(unknown).map(|state_hash| (found, state_hash)))
    }

    /// The proof that a confirmed transaction stands in its block; none if it is not confirmed.
    ///
    /// # Errors
    /// [`NodeError::UnknownTransaction`], or the file cannot be read.
    pub async fn proof(&self, id: &TransactionId) -> Result<Option<Proof>, NodeError> {
        let (transaction, place) = self.transaction(id).await?;
        let TransactionPlace::Confirmed { block, position, confirmations, .. } = place else { return Ok(None) };
        let network = self.state()?.rules.network;
        let Some(block) = self.block(&block).await? else { return Ok(None) };
        let work = move || {
            // The reward is the first leaf.
            let siblings = merkle::proof(&block.leaves(&network), position + 1).unwrap_or_default();
            Proof { transaction: (*transaction).clone(), siblings, header: *block.header(), position, confirmations }
        };
        tokio::task::spawn_blocking(work).await.map(Some).map_err(|_| NodeError::ShuttingDown)
    }
}

/// The rules that depend on the accounts; why they cannot be looked at, if so.
fn explain_accounts(
    block: &Block<Checked>,
    before: &AccountsAfter,
    state: &State,
    explanation: &mut Explanation,
) -> Option<String> {
    match before {
        Ok((accounts, state_hash)) => {
            rules::explain_state(block, &mut Overlay::new(accounts), state_hash, &state.rules, explanation);
            None
        }
        Err(reason) => {
            rules::leave_state_out(explanation);
            Some(reason.clone())
        }
    }
}
