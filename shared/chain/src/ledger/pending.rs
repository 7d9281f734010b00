//! The pending transactions of one sender, by sequence number.

use std::sync::Arc;

use imbl::OrdMap;

use crate::{
    accounts::Account,
    amount::Amount,
    ledger::{LedgerError, MAX_EARLY_PER_SENDER, MAX_PER_SENDER},
    rules::TransactionError,
    transaction::{SignedTransaction, Transaction},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    transactions: OrdMap<u64, Arc<SignedTransaction>>,
    /// What all of them cost; kept, so that a long run costs no more to extend than a short one.
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

    /// Inserts one that [`Pending::can_pay`] has let through.
    pub(super) fn insert(&mut self, transaction: Arc<SignedTransaction>) {
        let cost = transaction.cost().unwrap_or(Amount::MAX);
        self.cost = self.cost.checked_add(cost).unwrap_or(Amount::MAX);
        self.free += usize::from(transaction.transaction().fee == Amount::ZERO);
        self.transactions.insert(transaction.transaction().sequence, transaction);
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Arc<SignedTransaction>> {
        let removed = self.transactions.remove(&sequence)?;
        let cost = removed.cost().unwrap_or(Amount::MAX);
        self.cost = self.cost.checked_sub(cost).unwrap_or(Amount::ZERO);
        self.free -= usize::from(removed.transaction().fee == Amount::ZERO);
        Some(removed)
    }

    /// The first sequence number from `next` on that is not pending.
    pub(super) fn end_of_run(&self, next: u64) -> u64 {
        // Without a gap the numbers from the first to the last are as many as the transactions: no need to walk them.
        if let (Some((first, _)), Some((last, _))) = (self.transactions.get_min(), self.transactions.get_max())
            && *first == next
            && last - first + 1 == self.transactions.len() as u64
        {
            return last + 1;
        }
        let mut end = next;
        for sequence in self.transactions.range(next..).map(|(sequence, _)| *sequence) {
            if sequence != end {
                break;
            }
            end += 1;
        }
        end
    }

    /// Whether a transaction may have this sequence number: it replaces a cheaper one, continues the run, or is one of
    /// not too many that came early.
    pub(super) fn has_place_for(&self, transaction: &Transaction, account: &Account) -> Result<(), LedgerError> {
        if let Some(existing) = self.get(transaction.sequence) {
            let existing = existing.transaction().fee;
            if transaction.fee > existing {
                return Ok(());
            }
            return Err(LedgerError::FeeTooLowToReplace { existing, found: transaction.fee });
        }
        if self.transactions.len() >= MAX_PER_SENDER {
            return Err(LedgerError::TooMany { limit: MAX_PER_SENDER });
        }
        let expected = self.end_of_run(account.next_sequence);
        if transaction.sequence == expected {
            return Ok(());
        }
        let in_run = usize::try_from(expected.saturating_sub(account.next_sequence)).unwrap_or(usize::MAX);
        if self.transactions.len().saturating_sub(in_run) >= MAX_EARLY_PER_SENDER {
            return Err(LedgerError::TooEarly { expected, found: transaction.sequence, limit: MAX_EARLY_PER_SENDER });
        }
        Ok(())
    }

    /// Whether the confirmed balance covers the transaction besides all others that are pending.
    pub(super) fn can_pay(&self, transaction: &SignedTransaction, account: &Account) -> Result<(), LedgerError> {
        let content = transaction.transaction();
        let cost =
            transaction.cost().ok_or(TransactionError::CostTooLarge { amount: content.amount, fee: content.fee })?;
        let replaced = self.get(content.sequence).and_then(|existing| existing.cost()).unwrap_or(Amount::ZERO);
        let pending = self.cost.checked_sub(replaced).unwrap_or(Amount::ZERO);
        let needed = pending.checked_add(cost).unwrap_or(Amount::MAX);
        if needed <= account.balance {
            Ok(())
        } else {
            Err(LedgerError::InsufficientFunds { confirmed: account.balance, pending, needed })
        }
    }
}
