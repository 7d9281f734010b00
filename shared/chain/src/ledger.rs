//! The ledger: pending transactions, and the policy for accepting them.
//!
//! Policy is what a node does with transactions that are in no block yet. Blocks are judged by the rules alone. Per
//! sender the ledger holds runs of sequence numbers; money that is still to come cannot be spent.

mod error;
mod pending;
mod select;

use std::{sync::Arc, time::Duration};

pub use error::LedgerError;
use imbl::{HashMap, OrdSet};
use pending::Pending;

use crate::{
    accounts::Account,
    address::Address,
    amount::Amount,
    hash::{LeafHash, TransactionId},
    parameters::Parameters,
    rules::check_transaction,
    time::Timestamp,
    transaction::SignedTransaction,
};

/// The most transactions in the ledger.
pub const MAX_TRANSACTIONS: usize = 50_000;
/// The most bytes in the ledger, counted by [`SignedTransaction::size`].
pub const MAX_BYTES: usize = 64 << 20;
/// The most transactions of one sender.
pub const MAX_PER_SENDER: usize = 5_000;
/// The most transactions without fee of one sender.
pub const MAX_FREE_PER_SENDER: usize = 64;
/// The most transactions of one sender that wait for an earlier one.
pub const MAX_EARLY_PER_SENDER: usize = 256;
/// How far ahead of now a transaction may be made.
pub const MAX_CREATED_AHEAD: Duration = Duration::from_secs(120);
/// How long ago a transaction may have been made.
pub const MAX_AGE: Duration = Duration::from_secs(14 * 86_400);

/// What the policy needs to know besides the sender's account.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The network's parameters.
    pub parameters: &'a Parameters,
    /// The height of the next block.
    pub next_height: u32,
    /// Now.
    pub now: Timestamp,
    /// Whether the sender's key is registered: only then may it pay no fee.
    pub registered: bool,
}

/// What became of a transaction that was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is in the ledger now; these had to leave for it.
    Accepted {
        /// The transaction of the same sender and sequence number that paid less.
        replaced: Option<Arc<SignedTransaction>>,
        /// Transactions with lower fees that had to make room.
        evicted: Vec<Arc<SignedTransaction>>,
    },
    /// It was there already, perhaps under another signature.
    Known,
}

/// All pending transactions. A copy costs nothing: what has not changed is shared.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    by_sender: HashMap<Address, Pending>,
    by_id: HashMap<TransactionId, (Address, u64)>,
    by_leaf: HashMap<LeafHash, TransactionId>,
    /// Last transaction of each sender by fee: where room is made, cheapest first.
    tails: OrdSet<(Amount, Address)>,
    bytes: usize,
    free: usize,
    digest: [u8; 32],
}

impl Ledger {
    /// How many transactions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Their size, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Equal on two nodes if their ledgers hold the same ids: all ids, combined by exclusive or. For noticing that
    /// something is missing, not for security.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The pending transaction with this id.
    #[must_use]
    pub fn get(&self, id: &TransactionId) -> Option<&Arc<SignedTransaction>> {
        let (sender, sequence) = self.by_id.get(id)?;
        self.by_sender.get(sender)?.get(*sequence)
    }

    /// The pending transaction with this leaf hash.
    #[must_use]
    pub fn by_leaf(&self, leaf: &LeafHash) -> Option<&Arc<SignedTransaction>> {
        self.get(self.by_leaf.get(leaf)?)
    }

    /// All pending transactions, by sender and sequence number.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<SignedTransaction>> {
        self.by_sender.values().flat_map(Pending::iter)
    }

    /// What pending transactions of this sender cost.
    #[must_use]
    pub fn outgoing(&self, sender: &Address) -> Amount {
        self.by_sender.get(sender).map_or(Amount::ZERO, Pending::cost)
    }

    /// What pending transactions will bring this recipient.
    #[must_use]
    pub fn incoming(&self, recipient: &Address) -> Amount {
        self.iter()
            .filter(|transaction| transaction.transaction().recipient == *recipient)
            .try_fold(Amount::ZERO, |sum, transaction| sum.checked_add(transaction.transaction().amount))
            .unwrap_or(Amount::MAX)
    }

    /// The sequence number that the sender's next transaction needs, behind all that are pending without a gap.
    #[must_use]
    pub fn next_sequence(&self, sender: &Address, account: &Account) -> u64 {
        self.by_sender.get(sender).map_or(account.next_sequence, |pending| pending.end_of_run(account.next_sequence))
    }

    /// Offers a transaction whose signature has been verified.
    ///
    /// # Errors
    /// Why it is not taken; nothing has changed then.
    pub fn add(
        &mut self,
        transaction: Arc<SignedTransaction>,
        account: &Account,
        context: &Context<'_>,
    ) -> Result<Added, LedgerError> {
        if self.by_id.contains_key(&transaction.id()) {
            return Ok(Added::Known);
        }
        self.check(&transaction, account, context)?;
        let sender = transaction.sender();
        let sequence = transaction.transaction().sequence;
        let replaced = self.by_sender.get(&sender).and_then(|pending| pending.get(sequence)).cloned();
        let evicted = self.make_room(&transaction, replaced.as_ref())?;
        if let Some(replaced) = &replaced {
            self.remove(&replaced.id());
        }
        self.insert(transaction);
        Ok(Added::Accepted { replaced, evicted })
    }

    /// Every check of [`Ledger::add`] but for room.
    fn check(
        &self,
        transaction: &SignedTransaction,
        account: &Account,
        context: &Context<'_>,
    ) -> Result<(), LedgerError> {
        let content = transaction.transaction();
        check_transaction(content, context.next_height, context.parameters)?;
        error::created_is_recent(content.created, context.now)?;
        if content.sequence < account.next_sequence {
            return Err(LedgerError::SequenceUsed { expected: account.next_sequence, found: content.sequence });
        }
        let none = Pending::default();
        let pending = self.by_sender.get(&transaction.sender()).unwrap_or(&none);
        pending.has_place_for(content, account)?;
        if content.fee == Amount::ZERO {
            let is_new = pending.get(content.sequence).is_none();
            error::may_be_free(context.registered, pending.free() + usize::from(is_new), self.free)?;
        }
        pending.can_pay(transaction, account)
    }

    /// Makes room by taking out what pays less than the newcomer, cheapest first.
    fn make_room(
        &mut self,
        newcomer: &SignedTransaction,
        replaced: Option<&Arc<SignedTransaction>>,
    ) -> Result<Vec<Arc<SignedTransaction>>, LedgerError> {
        let mut evicted = Vec::new();
        let freed = replaced.map_or(0, |transaction| transaction.size());
        let full = |ledger: &Self| {
            let count = ledger.len() + usize::from(replaced.is_none());
            count > MAX_TRANSACTIONS || ledger.bytes + newcomer.size() > MAX_BYTES + freed
        };
        while full(self) {
            let cheapest = self
                .tails
                .get_min()
                .copied()
                .filter(|(fee, sender)| *fee < newcomer.transaction().fee && *sender != newcomer.sender());
            let victim = cheapest.and_then(|(_, sender)| self.by_sender.get(&sender)?.last().cloned());
            let Some(victim) = victim else {
                for transaction in evicted {
                    self.insert(transaction);
                }
                let lowest = self.tails.get_min().map_or(Amount::ZERO, |(fee, _)| *fee);
                return Err(LedgerError::Full { lowest, found: newcomer.transaction().fee });
            };
            self.remove(&victim.id());
            evicted.push(victim);
        }
        Ok(evicted)
    }

    fn insert(&mut self, transaction: Arc<SignedTransaction>) {
        let (id, leaf, sender) = (transaction.id(), transaction.leaf(), transaction.sender());
        self.by_id.insert(id, (sender, transaction.transaction().sequence));
        self.by_leaf.insert(leaf, id);
        self.bytes += transaction.size();
        self.free += usize::from(transaction.transaction().fee == Amount::ZERO);
        self.combine(&id);
        self.change_pending(sender, |pending| pending.insert(transaction));
    }

    /// Takes a transaction out.
    pub fn remove(&mut self, id: &TransactionId) -> Option<Arc<SignedTransaction>> {
        let (sender, sequence) = self.by_id.remove(id)?;
        let removed = self.change_pending(sender, |pending| pending.remove(sequence))?;
        self.by_leaf.remove(&removed.leaf());
        self.bytes -= removed.size();
        self.free -= usize::from(removed.transaction().fee == Amount::ZERO);
        self.combine(id);
        Some(removed)
    }

    fn combine(&mut self, id: &TransactionId) {
        for (byte, other) in self.digest.iter_mut().zip(id.as_bytes()) {
            *byte ^= other;
        }
    }

    /// Changes a sender's transactions and keeps the index of the cheapest last ones in step.
    fn change_pending<T>(&mut self, sender: Address, change: impl FnOnce(&mut Pending) -> T) -> T {
        let pending = self.by_sender.entry(sender).or_default();
        if let Some(last) = pending.last() {
            self.tails.remove(&(last.transaction().fee, sender));
        }
        let result = change(pending);
        match pending.last() {
            Some(last) => {
                self.tails.insert((last.transaction().fee, sender));
            }
            None => {
                self.by_sender.remove(&sender);
            }
        }
        result
    }

    /// Takes out what an account can no longer have pending: used sequence numbers, and from the end of the run what its
    /// balance does not cover. Returns what left.
    pub fn refresh(&mut self, sender: &Address, account: &Account) -> Vec<Arc<SignedTransaction>> {
        let mut gone = Vec::new();
        while let Some(first) = self.by_sender.get(sender).and_then(Pending::first).cloned()
            && first.transaction().sequence < account.next_sequence
        {
            self.remove(&first.id());
            gone.push(first);
        }
        while let Some(pending) = self.by_sender.get(sender)
            && pending.cost() > account.balance
            && let Some(last) = pending.last().cloned()
        {
            self.remove(&last.id());
            gone.push(last);
        }
        gone
    }

    /// Takes out what is too old, or past its last valid height, together with what depends on it.
    pub fn expire(&mut self, next_height: u32, now: Timestamp) -> Vec<Arc<SignedTransaction>> {
        let gone = |transaction: &SignedTransaction| {
            let content = transaction.transaction();
            (content.valid_until != 0 && content.valid_until < next_height)
                || content.created.saturating_add(MAX_AGE) < now
        };
        let expired: Vec<_> = self.iter().filter(|transaction| gone(transaction)).map(|one| one.id()).collect();
        expired.iter().filter_map(|id| self.remove(id)).collect()
    }
}

#[cfg(test)]
mod tests;
