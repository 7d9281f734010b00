//! Whatever was lost on its way heals by comparing, without the queue: here every 300 ms, in earnest every 30 s.

use raclette_api::chaos::{ChaosDirection, ChaosLink, EVERYBODY};

use crate::kit::{Network, Settings, until};

/// A network in which nothing can be brought to bob: what he has he has asked for himself.
async fn deaf_bob() -> Network {
    let settings = Settings { chaos: true, liveness: "1h", ..Settings::default() };
    let network = Network::with(settings, &["alice", "bob", "carol"]).await;
    let link = ChaosLink { partition: true, direction: ChaosDirection::Incoming, ..ChaosLink::to(EVERYBODY) };
    network.peer("bob").chaos([link]).await;
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_was_never_brought_is_fetched() {
    let network = deaf_bob().await;
    let block = network.peer("alice").mine().await;
    until("bob has the block", async || network.peer("bob").tip().await == block).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_transaction_that_was_never_brought_is_fetched() {
    let network = deaf_bob().await;
    let id = network.peer("alice").send("carol", None, Some("not for bob")).await;
    until("bob has the transaction", async || network.peer("bob").state_of(&id).await == "pending").await;
    until("carol's receipt has come", async || network.peer("alice").messages().await[0].receipt.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_notice_that_was_never_brought_is_read_at_the_tracker() {
    let mut network = deaf_bob().await;
    network.add("dave").start().await;
    network.peer("dave").ready().await;
    until("bob knows dave", async || network.peer("bob").record_of("dave").await.is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_row_was_lost_arrives_all_the_same_with_its_message() {
    let mut network = Network::of(&["alice", "bob", "carol"]).await;
    network.peer_mut("bob").stop().await;
    let alice = network.peer("alice");
    until("alice knows that bob is gone", async || {
        alice.record_of("bob").await.is_some_and(|record| record.registration.is_none())
    })
    .await;
    alice.send("bob", None, Some("lost and found")).await;
    until("the delivery waits", async || alice.queue().await.counts.waiting > 0).await;
    assert!(alice.discard_queue().await > 0);
    assert_eq!(alice.queue().await.counts.waiting, 0);

    network.peer_mut("bob").start().await;
    network.peer("bob").receives("lost and found").await;
    let alice = network.peer("alice");
    until("bob's receipt has come", async || alice.messages().await[0].receipt.is_some()).await;
    until("nothing waits any more", async || alice.queue().await.counts.waiting == 0).await;
}
