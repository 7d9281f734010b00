//! What the ledger takes, keeps and lets go, seen from outside.

use raclette_api::notice::ChangeKind;
use raclette_chain::{
    keys::PrivateKey,
    ledger::{MAX_EARLY_PER_SENDER, MAX_FREE_PER_SENDER},
    transaction::Transaction,
};
use serde_json::{Value, json};

use crate::{
    craft::{ALICE, BOB, amount, message, transfer},
    peer::{EASY, Peer},
};

/// Bob's peer, which knows alice and herself as members; both have money.
async fn bob_and_his_ledger() -> Peer {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    bob.grow(2).await;
    bob.mine().await;
    bob
}

/// Offers one a request, as the peer of a flooder would not, and returns how many of each answer there were.
async fn offer(peer: &Peer, key: &PrivateKey, transactions: Vec<Transaction>) -> Vec<Value> {
    let signed: Vec<_> = transactions.into_iter().map(|one| message(&peer.sign(one, key))).collect();
    let mut results = Vec::new();
    for batch in signed.chunks(500) {
        let answer = peer.post("/tx", &json!(batch)).await.ok();
        results.extend(answer["results"].as_array().unwrap().iter().cloned());
    }
    results
}

fn by_bob(units: u64, fee: u64, sequence: u64) -> Transaction {
    Transaction { sender: BOB.public().clone(), ..transfer(units, fee, sequence) }
}

#[tokio::test]
async fn a_flood_of_early_transactions_drives_nobody_elses_out() {
    let peer = bob_and_his_ledger().await;
    // Ten of bob's that came early and pay nothing: the easiest to drive out.
    let ten = offer(&peer, &BOB, (1..=10).map(|sequence| by_bob(0, 0, sequence)).collect()).await;
    assert!(ten.iter().all(|result| result["status"] == "accepted"), "{ten:?}");
    let flood = (0..500).map(|number| transfer(0, u64::from(number == 0), 2 + number)).collect();
    let results = offer(&peer, &ALICE, flood).await;
    let taken = results.iter().filter(|result| result["status"] == "accepted").count();
    assert_eq!(taken, MAX_FREE_PER_SENDER + 1, "without fee even fewer find a place");
    let paying: Vec<_> =
        (0..300).map(|number| Transaction { amount: amount(0), ..transfer(0, 1, 1_000 + number) }).collect();
    let results = offer(&peer, &ALICE, paying).await;
    // She has 100, of which 1 is spoken for.
    assert_eq!(results.iter().filter(|result| result["status"] == "accepted").count(), 99);
    let ledger = &peer.node.state().unwrap().ledger;
    assert!(ledger.len() - 10 <= MAX_EARLY_PER_SENDER);
    assert_eq!(ledger.of(&BOB.public().address()).count(), 10);
}

#[tokio::test]
async fn refusals_say_the_rule_and_both_sides() {
    let peer = bob_and_his_ledger().await;
    offer(&peer, &ALICE, (0..64).map(|sequence| transfer(0, 0, sequence)).collect()).await;
    let refused = |transaction: Transaction| {
        let message = message(&peer.sign(transaction, &ALICE));
        let peer = &peer;
        async move { peer.post("/tx", &message).await.body }
    };
    let too_many = refused(transfer(0, 0, 64)).await;
    assert_eq!((&too_many["rule"], &too_many["seen"]), (&json!("too_many_free"), &json!("65")), "{too_many}");
    assert!(too_many["expected"].as_str().unwrap().starts_with("at most 64 pending transactions of one sender"));
    let replaced = refused(transfer(0, 0, 3)).await;
    assert_eq!((&replaced["rule"], &replaced["seen"]), (&json!("fee_too_low_to_replace"), &json!("0")));
    assert_eq!(refused(transfer(0, 1, 3)).await["status"], "accepted", "a higher fee replaces");
    assert_eq!(peer.node.state().unwrap().ledger.len(), 64);
    let poor = refused(transfer(100, 0, 3)).await;
    assert_eq!((&poor["code"], &poor["seen"]), (&json!("transaction_refused"), &json!("0")));
    let poor = refused(transfer(100, 1, 64)).await;
    assert_eq!(
        (&poor["code"], &poor["expected"], &poor["seen"]),
        (&json!("insufficient_funds"), &json!(102), &json!(100))
    );
}
