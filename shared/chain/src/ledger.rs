//! The ledger: pending transactions, and the policy for accepting them.
//!
//! Policy is what a node does with transactions that are in no block yet. Blocks are judged by the rules alone. Per
//! sender the ledger holds runs of sequence numbers; money that is still to come cannot be spent. Every question about
//! one account, one transaction or a page costs the same however many are pending: indices are kept in step.

mod error;
mod leaving;
mod pending;
mod policy;
mod select;

use std::{ops::Bound, sync::Arc, time::Duration};

pub use error::LedgerError;
use imbl::{HashMap, OrdMap, OrdSet};
pub use leaving::{Removal, Removed, is_expired};
use pending::Pending;
use policy::{All, Case};

use crate::{
    accounts::Account,
    address::Address,
    amount::Amount,
    hash::{LeafHash, TransactionId},
    parameters::Parameters,
    rules::{Explanation, explain_transaction, rule::Finding},
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
/// The most transactions without fee: a quarter.
pub const MAX_FREE: usize = MAX_TRANSACTIONS / 4;
/// The most bytes of transactions without fee: a quarter.
pub const MAX_FREE_BYTES: usize = MAX_BYTES / 4;
/// The most transactions of one sender that wait for an earlier one.
pub const MAX_EARLY_PER_SENDER: usize = 256;
/// The most transactions that wait for an earlier one: a tenth.
pub const MAX_EARLY: usize = MAX_TRANSACTIONS / 10;
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
    by_id: OrdMap<TransactionId, (Address, u64)>,
    by_leaf: HashMap<LeafHash, TransactionId>,
    /// What pending transactions will bring each recipient.
    incoming: HashMap<Address, u128>,
    /// Last transaction of each sender by fee: where room is made, cheapest first.
    tails: OrdSet<(Amount, Address)>,
    /// How many of each sender's transactions wait for an earlier one, where there are any.
    early: OrdSet<(usize, Address)>,
    early_count: usize,
    /// By the time they were made: what is too old comes first.
    by_created: OrdSet<(Timestamp, TransactionId)>,
    /// By the last height at which they are valid, where there is one.
    by_last_height: OrdSet<(u32, TransactionId)>,
    bytes: usize,
    free: usize,
    free_bytes: usize,
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

    /// The pending transactions of one sender, by sequence number.
    pub fn of(&self, sender: &Address) -> impl Iterator<Item = &Arc<SignedTransaction>> {
        self.by_sender.get(sender).into_iter().flat_map(Pending::iter)
    }

    /// The pending transactions with ids above `after`, by id. This order stays the same while others come and go.
    pub fn after(&self, after: Option<&TransactionId>) -> impl Iterator<Item = &Arc<SignedTransaction>> {
        let start = after.map_or(Bound::Unbounded, |id| Bound::Excluded(*id));
        let places = self.by_id.range((start, Bound::Unbounded)).map(|(_, place)| place);
        places.filter_map(|(sender, sequence)| self.by_sender.get(sender)?.get(*sequence))
    }

    /// What pending transactions of this sender cost.
    #[must_use]
    pub fn outgoing(&self, sender: &Address) -> Amount {
        self.by_sender.get(sender).map_or(Amount::ZERO, Pending::cost)
    }

    /// What pending transactions will bring this recipient; [`Amount::MAX`] if that is more than there can be.
    #[must_use]
    pub fn incoming(&self, recipient: &Address) -> Amount {
        let sum = self.incoming.get(recipient).copied().unwrap_or_default();
        u64::try_from(sum).ok().and_then(|sum| Amount::new(sum).ok()).unwrap_or(Amount::MAX)
    }

    /// The first sequence number from the account's next one on that is not pending.
    #[must_use]
    pub fn next_sequence(&self, sender: &Address, account: &Account) -> u64 {
        let next = account.next_sequence;
        self.by_sender.get(sender).map_or(next, |pending| pending.end_of_run(next))
    }

    /// The checks that cost next to nothing, for before a signature is verified. Whatever is known already, or may be in a
    /// block already, passes.
    ///
    /// # Errors
    /// Why [`Ledger::add`] would not take it, whatever is pending.
    pub fn check_early(
        &self,
        transaction: &SignedTransaction,
        account: &Account,
        context: &Context<'_>,
    ) -> Result<(), LedgerError> {
        let content = transaction.transaction();
        if self.by_id.contains_key(&transaction.id()) || content.sequence < account.next_sequence {
            return Ok(());
        }
        let none = Pending::default();
        let pending = self.by_sender.get(&transaction.sender()).unwrap_or(&none);
        self.case(transaction, account, context, pending).check_alone()?;
        if transaction.cost().is_none_or(|cost| cost > account.balance) {
            policy::balance_covers(pending.cost(), transaction, account).result()?;
        }
        Ok(())
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
        let evicted = self.make_room(&transaction, replaced.as_ref(), account)?;
        if let Some(replaced) = &replaced {
            self.remove(&replaced.id());
        }
        self.insert(transaction, account.next_sequence);
        Ok(Added::Accepted { replaced, evicted })
    }

    /// Every check of [`Ledger::add`] but for room.
    fn check(
        &self,
        transaction: &SignedTransaction,
        account: &Account,
        context: &Context<'_>,
    ) -> Result<(), LedgerError> {
        let none = Pending::default();
        let pending = self.by_sender.get(&transaction.sender()).unwrap_or(&none);
        self.case(transaction, account, context, pending).check()
    }

    fn case<'a>(
        &self,
        transaction: &'a SignedTransaction,
        account: &'a Account,
        context: &'a Context<'a>,
        pending: &'a Pending,
    ) -> Case<'a> {
        let most_early = self.early.get_max().map_or(0, |(count, _)| *count);
        let all = All { free: self.free, free_bytes: self.free_bytes, early: self.early_count, most_early };
        Case { transaction, account, context, pending, all }
    }

    /// Tells of every rule and policy of [`Ledger::add`] how it would fare; nothing changes. A transaction that is pending
    /// already is compared with the ledger without it.
    pub fn explain(
        &self,
        transaction: &SignedTransaction,
        account: &Account,
        context: &Context<'_>,
        explanation: &mut Explanation,
    ) {
        let mut without = self.clone();
        without.remove(&transaction.id());
        explain_transaction(transaction.transaction(), context.next_height, context.parameters, explanation);
        let pending = without.by_sender.get(&transaction.sender()).cloned().unwrap_or_default();
        let case = without.case(transaction, account, context, &pending);
        for policy in policy::ALONE.iter().chain(&policy::BESIDE_OTHERS) {
            explanation.policy(policy.code, || (policy.check)(&case));
        }
        let replaced = pending.get(transaction.transaction().sequence);
        explanation.policy("ledger_full", || match without.make_room(transaction, replaced, account) {
            Ok(_) => Finding::HoldsForAll,
            Err(error) => Finding::Broken(error),
        });
    }

    /// Inserts a transaction of an account whose next sequence number is `next`.
    fn insert(&mut self, transaction: Arc<SignedTransaction>, next: u64) {
        let (id, leaf, sender) = (transaction.id(), transaction.leaf(), transaction.sender());
        self.by_id.insert(id, (sender, transaction.transaction().sequence));
        self.by_leaf.insert(leaf, id);
        self.count(&transaction, true);
        self.change_pending(sender, |pending| {
            pending.set_next(next);
            pending.insert(transaction);
        });
    }

    /// Takes a transaction out.
    pub fn remove(&mut self, id: &TransactionId) -> Option<Arc<SignedTransaction>> {
        let (sender, sequence) = self.by_id.remove(id)?;
        let removed = self.change_pending(sender, |pending| pending.remove(sequence))?;
        self.by_leaf.remove(&removed.leaf());
        self.count(&removed, false);
        Some(removed)
    }

    /// Keeps sums and indices in step with a transaction that comes or goes.
    fn count(&mut self, transaction: &SignedTransaction, comes: bool) {
        let (id, content, size) = (transaction.id(), transaction.transaction(), transaction.size());
        for (byte, other) in self.digest.iter_mut().zip(id.as_bytes()) {
            *byte ^= other;
        }
        let is_free = content.fee == Amount::ZERO;
        let units = u128::from(content.amount.units());
        if units > 0 {
            let incoming = self.incoming.entry(content.recipient).or_default();
            *incoming = if comes { *incoming + units } else { *incoming - units };
            if *incoming == 0 {
                self.incoming.remove(&content.recipient);
            }
        }
        if comes {
            self.bytes += size;
            self.free += usize::from(is_free);
            self.free_bytes += if is_free { size } else { 0 };
            self.by_created.insert((content.created, id));
            if content.valid_until != 0 {
                self.by_last_height.insert((content.valid_until, id));
            }
        } else {
            self.bytes -= size;
            self.free -= usize::from(is_free);
            self.free_bytes -= if is_free { size } else { 0 };
            self.by_created.remove(&(content.created, id));
            self.by_last_height.remove(&(content.valid_until, id));
        }
    }

    /// Changes a sender's transactions and keeps the indices over senders in step.
    fn change_pending<T>(&mut self, sender: Address, change: impl FnOnce(&mut Pending) -> T) -> T {
        let pending = self.by_sender.entry(sender).or_default();
        if let Some(last) = pending.last() {
            self.tails.remove(&(last.transaction().fee, sender));
        }
        let early_before = pending.early();
        let result = change(pending);
        let early = pending.early();
        if early != early_before {
            self.early.remove(&(early_before, sender));
            if early > 0 {
                self.early.insert((early, sender));
            }
            self.early_count = self.early_count - early_before + early;
        }
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
}

#[cfg(test)]
mod tests;
