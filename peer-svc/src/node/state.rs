//! The state of the chain as it is published: a value that never changes.

use std::{collections::BTreeMap, sync::Arc};

use raclette_api::chain::{Tip, TipMessage};
use raclette_chain::{
    accounts::{Account, Accounts},
    address::Address,
    amount::Amount,
    genesis::Genesis,
    hash::StateHash,
    index::{Entry, Index, Path},
    ledger::{Added, Context, Ledger},
    rules::Rules,
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::{clock::now_ms, crash_point::crash_point};
use sqlx::SqlitePool;

use super::{
    checksum::Checksum,
    recheck,
    reorg::{ALARM_DEPTH, Alarm},
};
use crate::store::{self, StoreError, meta};

/// Chain, accounts and ledger at one moment. A copy costs nothing.
#[derive(Debug, Clone)]
pub struct State {
    /// The genesis block.
    pub genesis: Arc<Genesis>,
    /// The network's rules.
    pub rules: Arc<Rules>,
    /// All stored blocks.
    pub index: Index,
    /// The accounts after the active tip.
    pub accounts: Accounts,
    /// Pending transactions.
    pub ledger: Ledger,
    /// The owner's transactions that left the ledger without a block, by sequence number: they are offered again.
    pub waiting: Arc<BTreeMap<u64, Arc<SignedTransaction>>>,
    /// Stored transactions that the ledger did not take again at start; their rows are still to be deleted.
    pub left_out: Arc<Vec<Arc<SignedTransaction>>>,
    /// The checksum of accounts and stored blocks.
    pub checksum: Checksum,
    /// The newest deep reorganisation.
    pub alarm: Option<Alarm>,
}

impl State {
    /// The state of a network that has nothing but its genesis block.
    #[must_use]
    pub fn new(genesis: Genesis) -> Self {
        let header = genesis.header();
        let rules = Rules { network: genesis.network(), parameters: genesis.parameters.clone() };
        Self {
            index: Index::new(header, StateHash::ZERO),
            genesis: Arc::new(genesis),
            accounts: Accounts::new(),
            ledger: Ledger::default(),
            waiting: Arc::default(),
            left_out: Arc::default(),
            checksum: Checksum::new(&rules.network),
            rules: Arc::new(rules),
            alarm: None,
        }
    }

    /// The state in a file; none if its peer belongs to no network yet. See [`State::load`].
    ///
    /// # Errors
    /// As [`State::load`].
    pub async fn stored(readers: &SqlitePool) -> Result<Option<Self>, StoreError> {
        let Some(genesis) = meta::genesis(readers).await? else { return Ok(None) };
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        Self::load(genesis, readers, now).await.map(Some)
    }

    /// Reads the state back from the file, and checks what can be checked in bounded time: that everything fits together and
    /// to the checksum, the last blocks by every rule, and the signatures of what is pending.
    ///
    /// # Errors
    /// When SQLite fails, or what it holds does not fit together.
    pub async fn load(genesis: Genesis, readers: &SqlitePool, now: Timestamp) -> Result<Self, StoreError> {
        let mut state = Self::new(genesis);
        let mut path = Path::default();
        let mut hashes = Vec::new();
        for stored in store::blocks::all(readers).await? {
            let hash = stored.header.hash();
            if state.index.work_of(&stored.header).is_none() {
                return Err(damaged(format!("block {hash}"), "its parent is missing or its target is none"));
            }
            state.index.insert(stored.header);
            hashes.push(hash);
            if let Some(state_hash) = stored.state_hash {
                state.index.set_state_hash(&hash, state_hash);
            }
            if stored.invalid {
                state.index.mark_invalid(&hash);
            }
            if stored.active {
                let above = path.connect.last().copied().unwrap_or_else(|| state.index.tip().hash);
                if stored.header.previous != above {
                    return Err(damaged(format!("block {hash}"), "the active branch has a gap before it"));
                }
                path.connect.push(hash);
            }
        }
        state.index.follow(&path);
        crash_point("start", "blocks_loaded");
        state.accounts = store::accounts::all(readers).await?;
        state.checksum = Checksum::of(&state, &hashes);
        // A file of an older program has none before its next block.
        if let Some(stored) = meta::get(readers, meta::key::CHECKSUM).await?
            && stored != state.checksum.to_string()
        {
            return Err(damaged(String::from("the table of accounts or blocks"), "its checksum is another"));
        }
        crash_point("start", "accounts_loaded");
        recheck::last_blocks(&state, readers).await?;
        let pending = store::ledger::all(readers, &state.rules.network).await?;
        let waiting = store::waiting::all(readers, &state.rules.network).await?;
        let stored = pending.iter().chain(waiting.values()).map(Arc::clone).collect();
        recheck::signatures(stored, Arc::clone(&state.rules)).await?;
        let mut left_out = Vec::new();
        let deep = store::reorgs::last_deeper_than(readers, ALARM_DEPTH).await?;
        state.alarm = deep.map(|(id, reorg)| Alarm::of(id, &reorg));
        for transaction in pending {
            let account = state.account(&transaction.sender());
            // What is stored was accepted under policy before; what does not fit any more is left out.
            let context = state_context(&state.rules, &state.index, now, true);
            match state.ledger.add(Arc::clone(&transaction), &account, &context) {
                Ok(Added::Accepted { replaced, evicted }) => left_out.extend(replaced.into_iter().chain(evicted)),
                Ok(Added::Known) => {}
                Err(error) => {
                    tracing::info!(id = %transaction.id(), %error, "a pending transaction is not taken again");
                    left_out.push(transaction);
                }
            }
        }
        crash_point("start", "ledger_loaded");
        state.left_out = Arc::new(left_out);
        state.waiting = Arc::new(waiting);
        Ok(state)
    }

    /// The account of an address.
    #[must_use]
    pub fn account(&self, address: &Address) -> Account {
        self.accounts.get(address).copied().unwrap_or_default()
    }

    /// The active tip.
    #[must_use]
    pub fn tip(&self) -> &Entry {
        self.index.tip()
    }

    /// The active tip as others are told.
    #[must_use]
    pub fn tip_message(&self) -> TipMessage {
        let entry = self.tip();
        TipMessage::from(&Tip {
            hash: entry.hash,
            height: entry.header.height,
            work: entry.work,
            time: entry.header.time,
            // Every active block has been connected, and has one.
            state_hash: entry.state_hash.unwrap_or_default(),
        })
    }

    /// The height of the next block.
    #[must_use]
    pub fn next_height(&self) -> u32 {
        self.tip().header.height.saturating_add(1)
    }

    /// What the owner's transactions cost that wait to be offered again; nothing for anybody else.
    #[must_use]
    pub fn waiting_cost(&self, address: &Address) -> Amount {
        let own = self.waiting.values().filter(|transaction| transaction.sender() == *address);
        let cost = |transaction: &Arc<SignedTransaction>| transaction.cost().unwrap_or(Amount::MAX);
        own.fold(Amount::ZERO, |sum, transaction| sum.checked_add(cost(transaction)).unwrap_or(Amount::MAX))
    }

    /// The sequence number that the next transaction of an address needs: behind all that are pending without a gap, and no
    /// number of one that waits to be offered again.
    #[must_use]
    pub fn next_sequence(&self, address: &Address) -> u64 {
        let mut account = self.account(address);
        loop {
            account.next_sequence = self.ledger.next_sequence(address, &account);
            let taken = self.waiting.get(&account.next_sequence).is_some_and(|one| one.sender() == *address);
            if !taken {
                return account.next_sequence;
            }
            account.next_sequence += 1;
        }
    }

    /// What the ledger's policy needs to know.
    #[must_use]
    pub fn context(&self, now: Timestamp, registered: bool) -> Context<'_> {
        state_context(&self.rules, &self.index, now, registered)
    }
}

/// As [`State::context`], for when the ledger is borrowed already.
pub(super) fn state_context<'a>(rules: &'a Rules, index: &Index, now: Timestamp, registered: bool) -> Context<'a> {
    let next_height = index.tip().header.height.saturating_add(1);
    Context { parameters: &rules.parameters, next_height, now, registered }
}

fn damaged(what: String, reason: &str) -> StoreError {
    StoreError::Damaged { what, reason: reason.to_owned() }
}
