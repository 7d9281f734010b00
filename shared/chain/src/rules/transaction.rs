//! Rules that a transaction must keep whatever the accounts are.

use crate::{
    hash::MessageDigest,
    message::SealedMessage,
    parameters::Parameters,
    rules::{Rules, TransactionError},
    transaction::{SignedTransaction, Transaction},
};

/// Checks a transaction for a block at `height`, but for its signature and the sender's account.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_transaction(
    transaction: &Transaction,
    height: u32,
    parameters: &Parameters,
) -> Result<(), TransactionError> {
    cost_is_an_amount(transaction)?;
    fee_is_high_enough(transaction, parameters)?;
    has_not_expired(transaction, height)?;
    digest_and_length_go_together(transaction)?;
    message_is_short_enough(transaction, parameters)
}

fn cost_is_an_amount(transaction: &Transaction) -> Result<(), TransactionError> {
    match transaction.amount.checked_add(transaction.fee) {
        Some(_) => Ok(()),
        None => Err(TransactionError::CostTooLarge { amount: transaction.amount, fee: transaction.fee }),
    }
}

fn fee_is_high_enough(transaction: &Transaction, parameters: &Parameters) -> Result<(), TransactionError> {
    let minimum = parameters.minimum_fee;
    if transaction.fee >= minimum {
        Ok(())
    } else {
        Err(TransactionError::FeeTooLow { minimum, found: transaction.fee })
    }
}

fn has_not_expired(transaction: &Transaction, height: u32) -> Result<(), TransactionError> {
    match transaction.valid_until {
        0 => Ok(()),
        valid_until if valid_until >= height => Ok(()),
        valid_until => Err(TransactionError::Expired { height, valid_until }),
    }
}

fn digest_and_length_go_together(transaction: &Transaction) -> Result<(), TransactionError> {
    if (transaction.message_digest == MessageDigest::ZERO) == (transaction.message_length == 0) {
        Ok(())
    } else {
        Err(TransactionError::MessageContradiction { length: transaction.message_length })
    }
}

fn message_is_short_enough(transaction: &Transaction, parameters: &Parameters) -> Result<(), TransactionError> {
    let limit = parameters.max_message_length;
    if transaction.message_length <= limit {
        Ok(())
    } else {
        Err(TransactionError::MessageTooLong { limit, found: transaction.message_length })
    }
}

/// Checks that a sealed message is the one that a transaction commits to. No rule of consensus: a transaction is as valid
/// without its message.
///
/// # Errors
/// [`TransactionError::WrongMessage`] says what differs.
pub fn check_message(
    transaction: &SignedTransaction,
    message: &SealedMessage,
    rules: &Rules,
) -> Result<(), TransactionError> {
    let transaction = transaction.transaction();
    if transaction.message_length == 0 {
        return Err(TransactionError::WrongMessage { reason: "the transaction commits to none" });
    }
    if message.aad != transaction.binding(rules.network).bytes() {
        return Err(TransactionError::WrongMessage { reason: "it is bound to another transaction (aad)" });
    }
    if message.digest(&rules.network) != (transaction.message_digest, transaction.message_length) {
        return Err(TransactionError::WrongMessage { reason: "its digest or length is another" });
    }
    Ok(())
}
