//! The owner's own transactions over time: what expires is signed anew, what lost its place is offered again, and no account
//! is ever stuck.

use std::sync::Arc;

use peer_svc::{
    node::{Event, Tended},
    tasks::wallet::Wallet,
};
use raclette_chain::{
    message::SealedMessage,
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use serde_json::{Value, json};

use crate::{
    craft::{ALICE, BOB, amount, from_now, message, transfer},
    peer::{EASY, Peer, by_owner, eventually, with_json},
};

/// 14 days in milliseconds.
const MAX_AGE: i64 = 14 * 86_400_000;

/// Alice with 50, and the task that looks after her transactions.
async fn alice() -> (Peer, Wallet) {
    let alice = Peer::alice(EASY).await;
    alice.mine().await;
    let wallet = Wallet::new(Arc::clone(&alice.node));
    (alice, wallet)
}

/// Offers alice's peer a transaction that she signed with another program.
async fn offer(alice: &Peer, transaction: Transaction) -> SignedTransaction {
    let signed = alice.sign(transaction, &ALICE);
    alice.post("/tx", &message(&signed)).await.expect(201, None);
    signed
}

async fn mine_nothing(alice: &Peer) {
    let order = with_json(by_owner("POST", "/mine").header("prefer", "wait=30"), &json!({"max_transactions": 0}));
    assert_eq!(alice.call(order).await.ok()["outcome"], "mined");
}

/// The entry of the mail about a transaction.
async fn entry(alice: &Peer, id: impl ToString) -> Value {
    let page = alice.own_get("/messages").await.ok();
    let entries = page["messages"].as_array().unwrap();
    entries.iter().find(|entry| entry["id"] == id.to_string()).cloned().unwrap_or_default()
}

#[tokio::test]
async fn what_expires_by_age_is_signed_anew_without_any_block_and_what_depended_on_it_stays() {
    let (alice, wallet) = alice().await;
    let created = from_now(-MAX_AGE + 5_000);
    let mut old = Transaction { created, ..transfer(5, 0, 0) };
    let binding = old.binding(alice.network());
    let sealed = SealedMessage::seal("for the cheese", BOB.public(), ALICE.public(), &binding).unwrap();
    (old.message_digest, old.message_length) = sealed.digest(&alice.network());
    let old = alice.sign(old, &ALICE);
    let with_message = json!(raclette_api::transaction::TransactionMessage::new(&old, Some(&sealed)));
    alice.post("/tx", &with_message).await.expect(201, None);
    let behind = alice.send(json!({"to": BOB.public().address().to_string(), "amount": 7})).await;
    let behind = behind["transaction"]["id"].as_str().unwrap().to_owned();

    let new = eventually("the task signs it anew", || async {
        wallet.activate().await;
        entry(&alice, old.id()).await["replaced_by"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(entry(&alice, old.id()).await["status"], "dropped");
    let renewed = entry(&alice, &new).await;
    assert_eq!(
        (&renewed["status"], &renewed["amount"], &renewed["text"]),
        (&json!("pending"), &json!(5), &json!("for the cheese"))
    );
    assert!(renewed["created"].as_u64().unwrap() > created.milliseconds() + 86_400_000);
    assert_eq!(entry(&alice, &behind).await["status"], "pending", "its id is the same");
    let sequence = alice.get(&format!("/tx/{new}")).await.ok()["transaction"]["sequence"].clone();
    assert_eq!(sequence, 0, "the same number, so that it can never be paid twice");
    assert_eq!(alice.node.offer_waiting().await.unwrap(), Tended::default(), "once is enough");

    alice.mine().await;
    for id in [&new, &behind] {
        assert_eq!(entry(&alice, id).await["status"], "confirmed");
    }
    let bob = alice.get(&format!("/accounts/{}", BOB.public().address())).await;
    assert_eq!(bob.body["balance"], 12, "{bob:?}");
}

#[tokio::test]
async fn what_expires_by_height_waits_under_its_number_and_is_signed_anew() {
    let (alice, wallet) = alice().await;
    let old = offer(&alice, Transaction { valid_until: 2, ..transfer(20, 0, 0) }).await;
    mine_nothing(&alice).await;
    assert!(alice.node.state().unwrap().ledger.is_empty(), "height 2 has passed without it");
    assert_eq!(entry(&alice, old.id()).await["status"], "waiting");
    let wallet_page = alice.own_get("/wallet").await.ok();
    let shown = (&wallet_page["balance"], &wallet_page["spendable"], &wallet_page["next_sequence"]);
    assert_eq!(shown, (&json!(100), &json!(80), &json!(1)), "its money and its number are spoken for");
    alice.own_post("/send", &json!({"to": "alice", "amount": 81})).await.expect(409, Some("insufficient_funds"));
    let sent = alice.send(json!({"to": "alice", "message": "behind it"})).await;
    assert_eq!(sent["transaction"]["sequence"], 1);

    wallet.activate().await;
    let new = entry(&alice, old.id()).await["replaced_by"].as_str().unwrap().to_owned();
    let transaction = alice.get(&format!("/tx/{new}")).await.ok()["transaction"].clone();
    assert_eq!((&transaction["sequence"], &transaction["valid_until"]), (&json!(0), &json!(0)));
    alice.mine().await;
    assert_eq!(entry(&alice, &new).await["status"], "confirmed");
    assert_eq!(alice.own_get("/wallet").await.ok()["next_sequence"], 2);
}

#[tokio::test]
async fn what_can_no_longer_be_paid_is_given_up_and_does_not_hold_up_what_is_behind_it() {
    let (alice, wallet) = alice().await;
    let old = offer(&alice, Transaction { valid_until: 2, ..transfer(40, 0, 0) }).await;
    mine_nothing(&alice).await;
    // Another program with her key does not know that 40 of her 100 are spoken for.
    let behind = offer(&alice, transfer(90, 0, 1)).await;
    wallet.activate().await;
    let filling = entry(&alice, old.id()).await["replaced_by"].as_str().unwrap().to_owned();
    let filling_entry = entry(&alice, &filling).await;
    assert_eq!((&filling_entry["amount"], &filling_entry["to"]), (&json!(0), &json!(alice.address().to_string())));
    alice.mine().await;
    for id in [behind.id().to_string(), filling] {
        assert_eq!(entry(&alice, id).await["status"], "confirmed");
    }
    assert_eq!(entry(&alice, old.id()).await["status"], "dropped");
}

#[tokio::test]
async fn nothing_takes_the_place_of_one_that_is_given_up_with_nothing_behind_it() {
    let (alice, wallet) = alice().await;
    let old = offer(&alice, Transaction { valid_until: 2, ..transfer(40, 0, 0) }).await;
    mine_nothing(&alice).await;
    let other = alice.sign(Transaction { amount: amount(70), ..transfer(0, 1, 0) }, &ALICE);
    let block = alice.next_block(vec![other]);
    assert_eq!(alice.post("/block", &alice.json(&block)).await.ok()["status"], "accepted");
    wallet.activate().await;
    let entry = entry(&alice, old.id()).await;
    assert_eq!(entry["status"], "dropped", "its number is used: {entry}");
    assert!(entry.get("replaced_by").is_none());
    assert_eq!(alice.own_get("/wallet").await.ok()["next_sequence"], 1);
}

#[tokio::test]
async fn pending_transactions_are_shown_to_the_others_again() {
    let (alice, _) = alice().await;
    let pending = offer(&alice, transfer(5, 0, 0)).await;
    let mut events = alice.node.events();
    assert_eq!(alice.node.show_pending(Timestamp::new(1).unwrap()).await.unwrap(), 0, "only what is old enough");
    assert_eq!(alice.node.show_pending(from_now(1_000)).await.unwrap(), 1);
    let event = events.recv().await.unwrap();
    assert!(matches!(event, Event::Transaction { transaction, relay: true, .. } if transaction.id() == pending.id()));
}
