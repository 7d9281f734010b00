//! Rules that a transaction must keep whatever the accounts are.

use std::fmt;

use crate::{
    encoding::sha256,
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
    let content = transaction.transaction();
    message_is_announced(content, message, rules)?;
    message_is_bound_here(content, message, rules)?;
    message_has_the_signed_digest(content, message, rules)
}

fn message_is_announced(
    transaction: &Transaction,
    message: &SealedMessage,
    rules: &Rules,
) -> Result<(), TransactionError> {
    if transaction.message_length == 0 {
        let (_, found) = message.digest(&rules.network);
        Err(wrong_message("length", &0, &found))
    } else {
        Ok(())
    }
}

fn message_is_bound_here(
    transaction: &Transaction,
    message: &SealedMessage,
    rules: &Rules,
) -> Result<(), TransactionError> {
    let expected = transaction.binding(rules.network).bytes();
    if message.aad == expected {
        Ok(())
    } else {
        // The whole of it says nothing to a person; its hash is enough to compare.
        let short = |bytes: &[u8]| MessageDigest::from_bytes(sha256(bytes));
        Err(wrong_message("aad (its SHA-256)", &short(&expected), &short(&message.aad)))
    }
}

fn message_has_the_signed_digest(
    transaction: &Transaction,
    message: &SealedMessage,
    rules: &Rules,
) -> Result<(), TransactionError> {
    let (digest, length) = message.digest(&rules.network);
    if digest != transaction.message_digest {
        Err(wrong_message("digest", &transaction.message_digest, &digest))
    } else if length != transaction.message_length {
        Err(wrong_message("length", &transaction.message_length, &length))
    } else {
        Ok(())
    }
}

fn wrong_message(what: &'static str, expected: &dyn fmt::Display, found: &dyn fmt::Display) -> TransactionError {
    TransactionError::WrongMessage { what, expected: expected.to_string(), found: found.to_string() }
}
