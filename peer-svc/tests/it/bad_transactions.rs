//! Transactions that a peer must refuse, each by its own rule, policy or spelling, and nothing changes.

mod json;
mod keys;
mod rules;

use raclette_chain::{
    keys::PrivateKey,
    message::SealedMessage,
    testing::{BOB_PEM, key},
    transaction::{SignedTransaction, Transaction},
};
use serde_json::Value;

use crate::{
    craft::{ALICE, BOB, message, strict, transfer},
    peer::{Answer, Peer},
};

/// What is sent, and what the answer must be: its status, its code, and the rule or the member at fault.
struct Row {
    what: &'static str,
    status: u16,
    code: &'static str,
    /// The member `rule` of the problem, or the field of its first error; empty: neither.
    names: &'static str,
    make: fn(&Ground) -> String,
}

/// A peer whose ledger holds one transaction of alice's, the second she ever made; she has 97 more.
struct Ground {
    peer: Peer,
    confirmed: SignedTransaction,
}

impl Ground {
    async fn new() -> Self {
        let peer = Peer::newcomer("bob", key(BOB_PEM)).await.joined_to(strict()).await;
        peer.grow(1).await;
        let confirmed = peer.sign(transfer(1, 1, 0), &ALICE);
        let block = peer.next_block(vec![confirmed.clone()]);
        assert_eq!(peer.post("/block", &peer.json(&block)).await.ok()["status"], "accepted");
        peer.post("/tx", &message(&peer.sign(transfer(1, 2, 1), &ALICE))).await.expect(201, None);
        Self { peer, confirmed }
    }

    /// Alice's next transaction, with something changed before she signs it.
    fn signed(&self, change: impl FnOnce(&mut Transaction)) -> Value {
        self.signed_by(&ALICE, change)
    }

    fn signed_by(&self, key: &PrivateKey, change: impl FnOnce(&mut Transaction)) -> Value {
        let mut transaction = transfer(5, 1, 2);
        change(&mut transaction);
        message(&self.peer.sign(transaction, key))
    }

    /// Alice's next transaction with these bytes for a signature.
    fn with_signature(&self, change: impl FnOnce(&Transaction) -> Vec<u8>) -> Value {
        let transaction = transfer(5, 1, 2);
        let signature = change(&transaction);
        message(&self.peer.with_signature(transaction, signature))
    }

    /// Alice's next transaction with a message to bob, as far as it travels: the transaction and the sealed message.
    fn with_message(&self, text: &str, sequence: u64) -> Value {
        let mut transaction = transfer(5, 1, sequence);
        let binding = transaction.binding(self.peer.network());
        let sealed = SealedMessage::seal(text, BOB.public(), ALICE.public(), &binding).unwrap();
        (transaction.message_digest, transaction.message_length) = sealed.digest(&self.peer.network());
        let signed = self.peer.sign(transaction, &ALICE);
        serde_json::json!(raclette_api::transaction::TransactionMessage::new(&signed, Some(&sealed)))
    }

    /// Alice's next transaction with a member changed after she signed it. What follows from others is left out.
    fn changed(&self, member: &str, value: Value) -> String {
        let mut transaction = self.signed(|_| {});
        transaction.as_object_mut().unwrap().retain(|name, _| !["id", "sender"].contains(&name.as_str()));
        transaction[member] = value;
        transaction.to_string()
    }

    /// Alice's next transaction with its text changed in one place.
    fn replaced(&self, from: &str, to: &str) -> String {
        let text = self.signed(|_| {}).to_string();
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        text.replace(from, to)
    }
}

/// Whether an answer is the one that a row wants.
fn is_right(answer: &Answer, Row { status, code, names, .. }: &Row) -> bool {
    let body = &answer.body;
    let named = body["rule"].as_str().or(body["errors"][0]["field"].as_str()).unwrap_or_default();
    let both_sides = !body["expected"].is_null() && !body["seen"].is_null();
    answer.status.as_u16() == *status
        && body["code"] == *code
        && named == *names
        && (both_sides || !matches!(*status, 403 | 409))
}

async fn send_all(rows: &[Row]) {
    let ground = Ground::new().await;
    let before = ground.peer.fingerprint().await;
    let mut wrong = Vec::new();
    for row in rows {
        let answer = ground.peer.post_text("/tx", (row.make)(&ground)).await;
        if !is_right(&answer, row) {
            let Row { what, status, code, names, .. } = row;
            wrong.push(format!("{what}: {status} {code} {names:?} expected, found {} {}", answer.status, answer.body));
        }
        assert_eq!(ground.peer.fingerprint().await, before, "{} has changed something", row.what);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let good = ground.signed(|_| {});
    ground.peer.post("/tx", &good).await.expect(201, None);
}

#[tokio::test]
async fn transactions_with_a_bad_key_or_signature_are_refused() {
    send_all(keys::ROWS).await;
}

#[tokio::test]
async fn transactions_that_break_a_rule_or_a_policy_are_refused_by_name() {
    send_all(rules::ROWS).await;
}

#[tokio::test]
async fn transactions_that_are_not_spelled_right_are_refused_before_any_rule() {
    send_all(json::ROWS).await;
}

#[test]
fn the_tables_are_long_enough() {
    assert!(keys::ROWS.len() + rules::ROWS.len() + json::ROWS.len() >= 30);
}

#[tokio::test]
async fn an_amount_of_nothing_and_a_transfer_to_oneself_are_valid() {
    let ground = Ground::new().await;
    let oneself = ground.signed(|transaction| {
        transaction.amount = crate::craft::amount(0);
        transaction.recipient = ALICE.public().address();
    });
    ground.peer.post("/tx", &oneself).await.expect(201, None);
    assert_eq!(ground.confirmed.transaction().sequence, 0);
}
