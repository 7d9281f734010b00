//! Transactions that are well-formed and signed, but break a rule or a policy.

use raclette_chain::{amount::Amount, hash::MessageDigest};
use serde_json::Value;

use super::{Ground, Row};
use crate::craft::{CAROL, amount, from_now, message};

/// 14 days in milliseconds.
const MAX_AGE: i64 = 14 * 86_400_000;

const fn refused(names: &'static str, what: &'static str, make: fn(&Ground) -> String) -> Row {
    Row { what, status: 409, code: "transaction_refused", names, make }
}

const fn conflict(code: &'static str, what: &'static str, make: fn(&Ground) -> String) -> Row {
    Row { what, status: 409, code, names: "", make }
}

/// A transaction with the message of another one.
fn exchanged(ground: &Ground, taken: &Value) -> String {
    let mut transaction = ground.with_message("one thing", 2);
    transaction["message"] = taken["message"].clone();
    transaction.to_string()
}

pub(super) const ROWS: &[Row] = &[
    refused("cost_too_large", "amount and fee beyond the largest amount", |ground| {
        ground.signed(|transaction| transaction.amount = Amount::MAX).to_string()
    }),
    refused("fee_too_low", "a fee below the minimum", |ground| {
        ground.signed(|transaction| transaction.fee = Amount::ZERO).to_string()
    }),
    refused("expired", "a last valid height that has passed", |ground| {
        ground.signed(|transaction| transaction.valid_until = 2).to_string()
    }),
    refused("message_contradiction", "a digest without a length", |ground| {
        ground.signed(|transaction| transaction.message_digest = MessageDigest::from_bytes([7; 32])).to_string()
    }),
    refused("message_contradiction", "a length without a digest", |ground| {
        ground.signed(|transaction| transaction.message_length = 700).to_string()
    }),
    refused("message_too_long", "a message of one byte more than allowed", |ground| {
        let too_long = ground.signed(|transaction| {
            transaction.message_digest = MessageDigest::from_bytes([7; 32]);
            transaction.message_length = 6_001;
        });
        too_long.to_string()
    }),
    refused("wrong_message", "a message with a transaction that commits to none", |ground| {
        let mut transaction = ground.signed(|_| {});
        transaction["message"] = ground.with_message("hello", 2)["message"].clone();
        transaction.to_string()
    }),
    refused("wrong_message", "the ciphertext of a transaction with another sequence number", |ground| {
        exchanged(ground, &ground.with_message("one thing", 3))
    }),
    refused("wrong_message", "another text under the same sequence number", |ground| {
        exchanged(ground, &ground.with_message("another", 2))
    }),
    refused("wrong_message", "the same text, sealed once more", |ground| {
        exchanged(ground, &ground.with_message("one thing", 2))
    }),
    refused("from_the_future", "made more than two minutes ahead of now", |ground| {
        ground.signed(|transaction| transaction.created = from_now(180_000)).to_string()
    }),
    refused("too_old", "made more than 14 days ago", |ground| {
        ground.signed(|transaction| transaction.created = from_now(-MAX_AGE - 1_000)).to_string()
    }),
    refused("fee_too_low_to_replace", "the same fee as the one that it would replace", |ground| {
        let replacing = ground.signed(|transaction| {
            transaction.sequence = 1;
            transaction.fee = amount(2);
        });
        replacing.to_string()
    }),
    conflict("wrong_sequence", "a sequence number that is used", |ground| {
        ground.signed(|transaction| transaction.sequence = ground.confirmed.transaction().sequence).to_string()
    }),
    conflict("insufficient_funds", "one more than there is besides what is pending", |ground| {
        // 50 and 51 mined, 2 spent, 3 pending.
        ground.signed(|transaction| transaction.amount = amount(96)).to_string()
    }),
    conflict("insufficient_funds", "a replacement that costs more than there is", |ground| {
        let replacing = ground.signed(|transaction| {
            transaction.sequence = 1;
            transaction.fee = amount(100);
        });
        replacing.to_string()
    }),
    conflict("insufficient_funds", "money of an account that never had any", |ground| {
        let mut transaction = crate::craft::transfer(1, 1, 0);
        transaction.sender = CAROL.public().clone();
        message(&ground.peer.sign(transaction, &CAROL)).to_string()
    }),
];
