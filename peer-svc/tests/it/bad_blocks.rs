//! Blocks that a peer must refuse, each by its own rule: nothing changes, and the real block is not poisoned.

mod bodies;
mod headers;
mod json;

use raclette_chain::{
    block::Block,
    keys::PrivateKey,
    testing::{BOB_PEM, key},
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use serde_json::Value;

use crate::{
    craft::{ALICE, message, strict, transfer},
    peer::{Answer, Peer},
};

/// What a peer must answer.
#[derive(Debug, Clone, Copy)]
enum Answered {
    /// 409 `block_refused` with this rule.
    Rule(&'static str),
    /// Another problem: its status and its code.
    Problem(u16, &'static str),
    /// No problem: this status of the block, which is not in the chain.
    Status(&'static str),
}
use Answered::{Problem, Rule, Status};

/// A block that is sent, and what the answer must be.
struct Row {
    what: &'static str,
    answered: Answered,
    make: fn(&Ground) -> Sent,
}

/// What is sent.
struct Sent {
    body: String,
    /// The good block that it is a mutated copy of.
    original: Option<Block>,
}

impl Sent {
    fn text(body: String) -> Self {
        Self { body, original: None }
    }
}

/// A peer with a chain that is long enough for every rule: twelve blocks by alice, who owns 599, since the last one holds a
/// payment.
struct Ground {
    peer: Peer,
    paid: SignedTransaction,
}

impl Ground {
    async fn new() -> Self {
        let peer = Peer::newcomer("bob", key(BOB_PEM)).await.joined_to(strict()).await;
        peer.grow(11).await;
        let paid = peer.sign(transfer(1, 1, 0), &ALICE);
        let block = peer.next_block(vec![paid.clone()]);
        assert_eq!(peer.post("/block", &peer.json(&block)).await.ok()["status"], "accepted");
        // Something pending, so that a changed ledger could be seen.
        peer.post("/tx", &message(&peer.sign(transfer(7, 3, 1), &ALICE))).await.expect(201, None);
        Self { peer, paid }
    }

    /// A transfer of alice's, the `position`th in the block, with something changed before she signs it.
    fn signed(&self, position: u64, change: impl FnOnce(&mut Transaction)) -> SignedTransaction {
        let mut transaction = transfer(5, 1, 1 + position);
        change(&mut transaction);
        self.peer.sign(transaction, &ALICE)
    }

    /// A good transfer of alice's.
    fn good(&self, position: u64) -> SignedTransaction {
        self.signed(position, |_| {})
    }

    /// A transfer of somebody else.
    fn by(&self, key: &PrivateKey, change: impl FnOnce(&mut Transaction)) -> SignedTransaction {
        let mut transaction = Transaction { sender: key.public().clone(), ..transfer(1, 1, 0) };
        change(&mut transaction);
        self.peer.sign(transaction, key)
    }

    fn block(&self, transactions: Vec<SignedTransaction>) -> Sent {
        self.whole(&self.peer.next_block(transactions))
    }

    fn whole(&self, block: &Block) -> Sent {
        Sent::text(self.peer.json(block).to_string())
    }

    /// A copy of a good block with other contents under the same header.
    fn mutated(&self, transactions: Vec<SignedTransaction>, change: impl FnOnce(&Block) -> Block) -> Sent {
        let original = self.peer.next_block(transactions);
        let copy = change(&original);
        assert_eq!(copy.hash(), original.hash());
        Sent { original: Some(original), ..self.whole(&copy) }
    }

    fn median(&self) -> Timestamp {
        let state = self.peer.node.state().unwrap();
        state.index.parent(&state.tip().hash).unwrap().median_time
    }
}

/// Whether an answer is the one that a row wants.
fn is_right(answer: &Answer, answered: Answered) -> bool {
    let (status, body) = (answer.status.as_u16(), &answer.body);
    match answered {
        Rule(rule) => {
            let both_sides = body["expected"].is_string() && body["seen"].is_string();
            status == 409
                && body["code"] == "block_refused"
                && body["rule"] == rule
                && (both_sides || rule == "known_invalid")
        }
        Problem(wanted, code) => status == wanted && body["code"] == code,
        Status(wanted) => status == 200 && body["status"] == wanted,
    }
}

/// Sends every row to one peer, and the real blocks behind mutated copies at the end.
async fn send_all(rows: &[Row]) {
    let ground = Ground::new().await;
    let before = ground.peer.fingerprint().await;
    let (mut originals, mut wrong) = (Vec::new(), Vec::new());
    for row in rows {
        let sent = (row.make)(&ground);
        let answer = ground.peer.post_text("/block", sent.body).await;
        if !is_right(&answer, row.answered) {
            wrong.push(format!("{}: {:?} expected, found {} {}", row.what, row.answered, answer.status, answer.body));
        }
        assert_eq!(ground.peer.fingerprint().await, before, "{} has changed something", row.what);
        originals.extend(sent.original.map(|original| (row.what, original)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (what, original) in originals {
        let body: Value = ground.peer.json(&original);
        let status = ground.peer.post("/block", &body).await.ok()["status"].clone();
        // Several copies are of the same real block, and all real ones are on the same parent.
        let taken = ["accepted", "stored", "known"].iter().any(|taken| status == *taken);
        assert!(taken, "the real block behind {what}: {status}");
    }
    let good = ground.peer.next_block(vec![]);
    assert_eq!(ground.peer.post("/block", &ground.peer.json(&good)).await.ok()["status"], "accepted");
}

#[tokio::test]
async fn blocks_with_a_bad_header_are_refused_by_rule() {
    send_all(headers::ROWS).await;
}

#[tokio::test]
async fn blocks_with_a_bad_body_are_refused_by_rule_and_do_not_poison_the_real_ones() {
    send_all(bodies::BODIES).await;
}

#[tokio::test]
async fn blocks_with_a_bad_transaction_are_refused_by_rule() {
    send_all(bodies::TRANSACTIONS).await;
}

#[tokio::test]
async fn blocks_that_are_not_spelled_right_are_refused_before_any_rule() {
    send_all(json::ROWS).await;
}

#[test]
fn the_tables_hold_every_rule_that_can_be_broken_from_outside() {
    let rows = || headers::ROWS.iter().chain(bodies::BODIES).chain(bodies::TRANSACTIONS).chain(json::ROWS);
    assert!(rows().count() >= 45, "{} rows", rows().count());
    for rule in [
        "unknown_version",
        "wrong_height",
        "wrong_target",
        "not_enough_work",
        "time_too_old",
        "time_too_new",
        "wrong_merkle_root",
        "too_many_transactions",
        "too_large",
        "duplicate_transaction",
        "cost_too_large",
        "fee_too_low",
        "expired",
        "message_contradiction",
        "message_too_long",
        "bad_signature",
        "wrong_sequence",
        "insufficient_funds",
        "wrong_reward",
        "known_invalid",
    ] {
        assert!(rows().any(|row| matches!(row.answered, Rule(found) if found == rule)), "nothing breaks {rule}");
    }
}
