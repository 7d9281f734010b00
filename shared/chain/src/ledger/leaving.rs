//! What leaves the ledger, and why: to make room, because its account has changed, or because its time is over.

use std::{collections::HashSet, sync::Arc};

use crate::{
    accounts::Account,
    address::Address,
    amount::Amount,
    hash::TransactionId,
    ledger::{Ledger, LedgerError, MAX_AGE, MAX_BYTES, MAX_EARLY, MAX_EARLY_PER_SENDER, MAX_TRANSACTIONS},
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};

/// Why a transaction left the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Its sequence number is used: a block holds it, or another transaction in its place.
    Used,
    /// The account cannot pay it any more.
    Unpaid,
    /// It was made too long ago.
    TooOld,
    /// The last height at which it was valid has passed.
    PastLastHeight,
    /// Too many wait for an earlier one that is missing.
    TooEarly,
}

/// A transaction that left the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The transaction.
    pub transaction: Arc<SignedTransaction>,
    /// Why it left.
    pub why: Removal,
}

/// Whether a transaction can no longer be taken into any ledger, and never again unless blocks are taken off: it is too
/// old, or past its last height.
#[must_use]
pub fn is_expired(transaction: &Transaction, next_height: u32, now: Timestamp) -> bool {
    transaction.created < now.saturating_sub(MAX_AGE)
        || (transaction.valid_until != 0 && transaction.valid_until < next_height)
}

impl Ledger {
    /// Makes room for a newcomer: takes out what pays less, the cheapest first, and of an account the highest sequence number
    /// first. If it came early and there are too many of those, the sender with the most of them gives one.
    pub(super) fn make_room(
        &mut self,
        newcomer: &SignedTransaction,
        replaced: Option<&Arc<SignedTransaction>>,
        account: &Account,
    ) -> Result<Vec<Arc<SignedTransaction>>, LedgerError> {
        let mut evicted = Vec::new();
        let sender = newcomer.sender();
        let is_early = replaced.is_none() && newcomer.transaction().sequence != self.next_sequence(&sender, account);
        let too_many_early = is_early && self.early_count >= MAX_EARLY;
        let freed = replaced.map_or(0, |transaction| transaction.size());
        let full = |ledger: &Self| {
            let count = ledger.len() + usize::from(replaced.is_none());
            count > MAX_TRANSACTIONS || ledger.bytes + newcomer.size() > MAX_BYTES + freed
        };
        let before = if too_many_early || full(self) { Some(self.clone()) } else { None };
        if too_many_early {
            evicted.extend(self.remove_last_early());
        }
        while full(self) {
            let cheapest = self.tails.iter().find(|(_, other)| *other != sender).copied();
            let victim = cheapest
                .filter(|(fee, _)| *fee < newcomer.transaction().fee)
                .and_then(|(_, other)| self.by_sender.get(&other)?.last().map(|last| last.id()));
            let Some(victim) = victim.and_then(|id| self.remove(&id)) else {
                // Nobody leaves for a newcomer that does not come in.
                if let Some(before) = before {
                    *self = before;
                }
                let lowest = self.tails.get_min().map_or(Amount::ZERO, |(fee, _)| *fee);
                return Err(LedgerError::Full { lowest, found: newcomer.transaction().fee });
            };
            evicted.push(victim);
        }
        Ok(evicted)
    }

    /// Takes out the highest sequence number of the sender with the most transactions that came early.
    fn remove_last_early(&mut self) -> Option<Arc<SignedTransaction>> {
        let (_, sender) = self.early.get_max().copied()?;
        let last = self.by_sender.get(&sender)?.last()?.id();
        self.remove(&last)
    }

    /// Takes out all of these that are there, as a block does with what it confirms; their ids.
    ///
    /// Each that is taken out changes a handful of indices. When most of what is pending goes, the rest is put into new ones.
    pub fn remove_all(&mut self, ids: impl IntoIterator<Item = TransactionId>) -> HashSet<TransactionId> {
        let gone: HashSet<TransactionId> = ids.into_iter().filter(|id| self.by_id.contains_key(id)).collect();
        if gone.len() * 2 < self.len() {
            for id in &gone {
                self.remove(id);
            }
            return gone;
        }
        let mut rest = Self::default();
        for pending in self.by_sender.values() {
            for transaction in pending.iter().filter(|transaction| !gone.contains(&transaction.id())) {
                rest.insert(Arc::clone(transaction), pending.next());
            }
        }
        *self = rest;
        gone
    }

    /// Follows an account: takes out used sequence numbers, and from the end what its balance does not cover.
    pub fn refresh(&mut self, sender: &Address, account: &Account) -> Vec<Removed> {
        let mut removed = Vec::new();
        if !self.by_sender.contains_key(sender) {
            return removed;
        }
        self.change_pending(*sender, |pending| pending.set_next(account.next_sequence));
        while let Some(first) = self.by_sender.get(sender).and_then(super::Pending::first)
            && first.transaction().sequence < account.next_sequence
        {
            let id = first.id();
            removed.extend(self.remove_for(&id, Removal::Used));
        }
        while let Some(pending) = self.by_sender.get(sender)
            && pending.cost() > account.balance
            && let Some(last) = pending.last()
        {
            let id = last.id();
            removed.extend(self.remove_for(&id, Removal::Unpaid));
        }
        removed
    }

    /// Whether [`Ledger::expire`] would take something out.
    #[must_use]
    pub fn has_expired(&self, next_height: u32, now: Timestamp) -> bool {
        let earliest = now.saturating_sub(MAX_AGE);
        self.by_created.get_min().is_some_and(|(created, _)| *created < earliest)
            || self.by_last_height.get_min().is_some_and(|(last_height, _)| *last_height < next_height)
    }

    /// Takes out what is too old, or past its last valid height.
    ///
    /// What depended on it stays, waiting for its place to be filled again (its sender signs it anew), as far as there is
    /// room for those that wait for an earlier one.
    pub fn expire(&mut self, next_height: u32, now: Timestamp) -> Vec<Removed> {
        let mut removed = Vec::new();
        let earliest = now.saturating_sub(MAX_AGE);
        while let Some((created, id)) = self.by_created.get_min().copied()
            && created < earliest
        {
            removed.extend(self.remove_for(&id, Removal::TooOld));
        }
        while let Some((last_height, id)) = self.by_last_height.get_min().copied()
            && last_height < next_height
        {
            removed.extend(self.remove_for(&id, Removal::PastLastHeight));
        }
        while let Some((most, _)) = self.early.get_max()
            && (*most > MAX_EARLY_PER_SENDER || self.early_count > MAX_EARLY)
            && let Some(transaction) = self.remove_last_early()
        {
            removed.push(Removed { transaction, why: Removal::TooEarly });
        }
        removed
    }

    fn remove_for(&mut self, id: &TransactionId, why: Removal) -> Option<Removed> {
        self.remove(id).map(|transaction| Removed { transaction, why })
    }
}
