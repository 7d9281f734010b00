//! Transactions and sealed messages.

use raclette_chain::{
    amount::{Amount, MAX_SAFE_INTEGER},
    hash::{MessageDigest, NetworkId},
    time::Timestamp,
    transaction::Transaction,
};
use serde_json::{Value, json};

use super::{file, json};
use crate::test_chain::{ALICE, BOB, CAROL, START, TestChain, amount, at, parameters, transfer};

fn network() -> NetworkId {
    TestChain::new(parameters()).rules.network
}

#[test]
fn transactions() {
    let network = network();
    let with_message = Transaction {
        message_digest: MessageDigest::from_bytes([7; 32]),
        message_length: 743,
        created: at(START + 1_234),
        valid_until: 1_000,
        ..transfer(&BOB, CAROL.public().address(), 0, 0, 7)
    };
    let largest = Transaction {
        amount: Amount::MAX,
        fee: Amount::MAX,
        sequence: MAX_SAFE_INTEGER,
        created: Timestamp::MAX,
        valid_until: u32::MAX,
        ..transfer(&CAROL, CAROL.public().address(), 0, 0, 0)
    };
    let cases = [
        ("25 from alice to bob", transfer(&ALICE, BOB.public().address(), 25, 1, 0), &*ALICE),
        ("a message without money from bob to carol", with_message, &*BOB),
        ("the largest values, from carol to herself (well-formed, and refused by the rules)", largest, &*CAROL),
    ];
    file::check("transactions.json", |stored| {
        let transactions: Vec<Value> = cases
            .into_iter()
            .enumerate()
            .map(|(position, (name, transaction, key))| {
                let kept = stored.pointer(&format!("/transactions/{position}/transaction/signature"));
                json::transaction_vector(name, &json::keep_signed(kept, transaction, key, &network), &network)
            })
            .collect();
        json!({
            "about": "Id: SHA-256 of signed_bytes. Signatures are RSASSA-PSS (SHA-256, salt 32) and differ each time; one is kept here.",
            "network_id": network.to_string(),
            "transactions": transactions,
        })
    });
}

#[test]
fn messages() {
    let network = network();
    let cases = [("a greeting", "Grüezi! Here are 25 for the cheese. 🧀"), ("a single character", "!")];
    file::check("messages.json", |stored| {
        let messages: Vec<Value> = cases
            .into_iter()
            .enumerate()
            .map(|(position, (name, text))| {
                let transaction = Transaction { fee: amount(1), ..transfer(&ALICE, BOB.public().address(), 25, 0, 3) };
                let binding = transaction.binding(network);
                let kept = stored.pointer(&format!("/messages/{position}/jwe"));
                let message = json::keep_message(kept, text, &BOB, &ALICE, &binding);
                let (digest, length) = message.digest(&network);
                json!({
                    "name": name,
                    "sender": "alice",
                    "recipient": "bob",
                    "sequence": binding.sequence,
                    "amount": binding.amount.units(),
                    "fee": binding.fee.units(),
                    "text": text,
                    "aad": json::hex(&binding.bytes()),
                    "jwe": json::jwe(&message),
                    "digest_bytes": json::hex(&message.preimage(&network)),
                    "digest": digest.to_string(),
                    "length": length,
                })
            })
            .collect();
        json!({
            "about": "JWE in general JSON serialization; digest: SHA-256 of digest_bytes. Sealing differs each time; one result is kept here.",
            "network_id": network.to_string(),
            "messages": messages,
        })
    });
}
