//! The pending transactions of one sender, by sequence number: a run from the account's next number on, and behind a gap
//! those that came early.

use std::sync::Arc;

use imbl::OrdMap;

use crate::{amount::Amount, transaction::SignedTransaction};

#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    transactions: OrdMap<u64, Arc<SignedTransaction>>,
    /// The account's next sequence number, and the first number from there on that is not pending. Kept, so that a long run
    /// costs no more to extend than a short one.
    next: u64,
    end: u64,
    /// What all of them cost.
    cost: Amount,
    free: usize,
}

impl Pending {
    pub(super) fn get(&self, sequence: u64) -> Option<&Arc<SignedTransaction>> {
        self.transactions.get(&sequence)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<SignedTransaction>> {
        self.transactions.values()
    }

    pub(super) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(super) fn first(&self) -> Option<&Arc<SignedTransaction>> {
        self.transactions.get_min().map(|(_, transaction)| transaction)
    }

    pub(super) fn last(&self) -> Option<&Arc<SignedTransaction>> {
        self.transactions.get_max().map(|(_, transaction)| transaction)
    }

    pub(super) fn cost(&self) -> Amount {
        self.cost
    }

    pub(super) fn free(&self) -> usize {
        self.free
    }

    /// The account's next sequence number, as far as it is known here.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many wait for an earlier one that is missing.
    pub(super) fn early(&self) -> usize {
        let in_run = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        self.transactions.len().saturating_sub(in_run)
    }

    /// Follows the account.
    pub(super) fn set_next(&mut self, next: u64) {
        if next != self.next {
            self.end = if (self.next..=self.end).contains(&next) { self.end } else { self.walk(next) };
            self.next = next;
        }
    }

    /// The first sequence number from `next` on that is not pending.
    pub(super) fn end_of_run(&self, next: u64) -> u64 {
        if (self.next..=self.end).contains(&next) { self.end } else { self.walk(next) }
    }

    fn walk(&self, from: u64) -> u64 {
        let mut end = from;
        for sequence in self.transactions.range(from..).map(|(sequence, _)| *sequence) {
            if sequence != end {
                break;
            }
            end += 1;
        }
        end
    }

    /// Inserts one whose sequence number is not pending.
    pub(super) fn insert(&mut self, transaction: Arc<SignedTransaction>) {
        let sequence = transaction.transaction().sequence;
        let cost = transaction.cost().unwrap_or(Amount::MAX);
        self.cost = self.cost.checked_add(cost).unwrap_or(Amount::MAX);
        self.free += usize::from(transaction.transaction().fee == Amount::ZERO);
        self.transactions.insert(sequence, transaction);
        if sequence == self.end {
            self.end = self.walk(sequence);
        }
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Arc<SignedTransaction>> {
        let removed = self.transactions.remove(&sequence)?;
        let cost = removed.cost().unwrap_or(Amount::MAX);
        self.cost = self.cost.checked_sub(cost).unwrap_or(Amount::ZERO);
        self.free -= usize::from(removed.transaction().fee == Amount::ZERO);
        if (self.next..self.end).contains(&sequence) {
            self.end = sequence;
        }
        Some(removed)
    }
}
