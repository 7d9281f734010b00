//! The ledger's policies that are a comparison and nothing more: one function each, in the order in which PROTOCOL.md lists
//! them.

use crate::{
    accounts::Account,
    amount::Amount,
    ledger::{Context, LedgerError, MAX_AGE, MAX_CREATED_AHEAD, MAX_PER_SENDER},
    rules::check_transaction,
    time::Timestamp,
    transaction::Transaction,
};

/// Every check that needs no other pending transaction.
pub(super) fn check_alone(transaction: &Transaction, context: &Context<'_>) -> Result<(), LedgerError> {
    check_transaction(transaction, context.next_height, context.parameters)?;
    created_is_not_ahead(transaction.created, context.now)?;
    created_is_not_too_old(transaction.created, context.now)?;
    fee_is_paid_by_strangers(transaction.fee, context.registered)
}

fn created_is_not_ahead(found: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
    let latest = now.saturating_add(MAX_CREATED_AHEAD);
    if found <= latest { Ok(()) } else { Err(LedgerError::FromTheFuture { latest, found }) }
}

fn created_is_not_too_old(found: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
    let earliest = now.saturating_sub(MAX_AGE);
    if found >= earliest { Ok(()) } else { Err(LedgerError::TooOld { earliest, found }) }
}

fn fee_is_paid_by_strangers(fee: Amount, registered: bool) -> Result<(), LedgerError> {
    if registered || fee > Amount::ZERO { Ok(()) } else { Err(LedgerError::FreeForMembersOnly) }
}

pub(super) fn sequence_is_unused(found: u64, account: &Account) -> Result<(), LedgerError> {
    let expected = account.next_sequence;
    if found >= expected { Ok(()) } else { Err(LedgerError::SequenceUsed { expected, found }) }
}

pub(super) fn fee_is_above(existing: Amount, found: Amount) -> Result<(), LedgerError> {
    if found > existing { Ok(()) } else { Err(LedgerError::FeeTooLowToReplace { existing, found }) }
}

/// `found` counts the newcomer.
pub(super) fn sender_is_below_limit(found: usize) -> Result<(), LedgerError> {
    const LIMIT: usize = MAX_PER_SENDER;
    if found <= LIMIT { Ok(()) } else { Err(LedgerError::TooMany { limit: LIMIT, found }) }
}

/// `found` counts the newcomer; `of` says what was counted.
pub(super) fn free_is_within(limit: usize, found: usize, of: &'static str) -> Result<(), LedgerError> {
    if found <= limit { Ok(()) } else { Err(LedgerError::TooManyFree { limit, found, of }) }
}

/// `pending` is what the sender's other pending transactions cost.
pub(super) fn balance_covers(pending: Amount, cost: Amount, confirmed: Amount) -> Result<(), LedgerError> {
    match pending.checked_add(cost) {
        Some(needed) if needed <= confirmed => Ok(()),
        needed => Err(LedgerError::InsufficientFunds { confirmed, pending, needed: needed.unwrap_or(Amount::MAX) }),
    }
}
