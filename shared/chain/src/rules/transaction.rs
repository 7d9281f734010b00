//! Rules that a transaction must keep whatever the accounts are.

use std::fmt;

use crate::{
    encoding::sha256,
    hash::MessageDigest,
    message::SealedMessage,
    parameters::Parameters,
    rules::{
        Explanation, Rules, TransactionError,
        rule::{Finding, Rule},
    },
    transaction::{SignedTransaction, Transaction},
};

/// A transaction, and what its rules compare it with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    transaction: &'a Transaction,
    height: u32,
    parameters: &'a Parameters,
}

type TransactionRule = Rule<fn(&Case<'_>) -> Finding<TransactionError>>;

/// Every rule about a transaction that needs neither signature nor account, in order.
pub(super) const RULES: [TransactionRule; 5] = [
    Rule { code: "cost_too_large", check: cost_is_an_amount },
    Rule { code: "fee_too_low", check: fee_is_high_enough },
    Rule { code: "expired", check: has_not_expired },
    Rule { code: "message_contradiction", check: digest_and_length_go_together },
    Rule { code: "message_too_long", check: message_is_short_enough },
];

/// Checks a transaction for a block at `height`, but for its signature and the sender's account.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_transaction(
    transaction: &Transaction,
    height: u32,
    parameters: &Parameters,
) -> Result<(), TransactionError> {
    let case = Case { transaction, height, parameters };
    RULES.iter().try_for_each(|rule| (rule.check)(&case).result())
}

/// Tells of every rule of [`check_transaction`] how it fares.
pub fn explain_transaction(
    transaction: &Transaction,
    height: u32,
    parameters: &Parameters,
    explanation: &mut Explanation,
) {
    let case = Case { transaction, height, parameters };
    for rule in &RULES {
        explanation.rule(rule.code, || (rule.check)(&case));
    }
}

fn cost_is_an_amount(case: &Case<'_>) -> Finding<TransactionError> {
    let (amount, fee) = (case.transaction.amount, case.transaction.fee);
    Finding::new(amount.checked_add(fee).is_some(), TransactionError::CostTooLarge { amount, fee })
}

fn fee_is_high_enough(case: &Case<'_>) -> Finding<TransactionError> {
    let (minimum, found) = (case.parameters.minimum_fee, case.transaction.fee);
    Finding::new(found >= minimum, TransactionError::FeeTooLow { minimum, found })
}

fn has_not_expired(case: &Case<'_>) -> Finding<TransactionError> {
    let (height, valid_until) = (case.height, case.transaction.valid_until);
    Finding::new(valid_until == 0 || valid_until >= height, TransactionError::Expired { height, valid_until })
}

fn digest_and_length_go_together(case: &Case<'_>) -> Finding<TransactionError> {
    let (digest, length) = (case.transaction.message_digest, case.transaction.message_length);
    // Its two sides can only be told apart where they contradict each other.
    if (digest == MessageDigest::ZERO) == (length == 0) {
        Finding::HoldsForAll
    } else {
        Finding::Broken(TransactionError::MessageContradiction { length })
    }
}

fn message_is_short_enough(case: &Case<'_>) -> Finding<TransactionError> {
    let (limit, found) = (case.parameters.max_message_length, case.transaction.message_length);
    Finding::new(found <= limit, TransactionError::MessageTooLong { limit, found })
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
