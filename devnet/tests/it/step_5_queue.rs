//! Step 5: whatever could not be delivered waits in a table and is sent until it arrives.

use raclette_api::wallet::{MessageStatus, SendStatus};

use crate::kit::{Network, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_that_is_down_gets_its_message_after_it_returns() {
    let mut network = Network::of(&["alice", "bob", "carol"]).await;
    network.peer_mut("bob").stop().await;
    let (alice, carol) = (network.peer("alice"), network.peer("carol"));
    let sent = alice.try_send("bob", None, Some("read this when you are back")).await.unwrap();
    assert_eq!(sent.status, SendStatus::Queued);
    let id = sent.transaction.id.unwrap();
    // It is broadcast all the same.
    until("carol has the transaction", async || carol.state_of(&id).await == "pending").await;
    let queue = alice.queue().await;
    assert!(queue.counts.waiting >= 1, "{queue:?}");
    assert!(queue.entries.iter().any(|entry| entry.destination_name.as_deref() == Some("bob")), "{queue:?}");
    let entry = &alice.messages().await[0];
    assert_eq!(entry.status, MessageStatus::Queued);

    network.peer_mut("bob").start().await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    bob.receives("read this when you are back").await;
    until("alice's queue is empty", async || alice.queue().await.counts.waiting == 0).await;
    until("alice knows that it arrived", async || alice.messages().await[0].status != MessageStatus::Queued).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_survives_a_restart_of_its_sender() {
    let mut network = Network::of(&["alice", "bob"]).await;
    network.peer_mut("bob").stop().await;
    network.peer("alice").send("bob", None, Some("patience")).await;
    network.peer_mut("alice").stop().await;
    network.peer_mut("bob").start().await;
    network.peer("bob").ready().await;
    network.peer_mut("alice").start().await;
    network.peer("bob").receives("patience").await;
    let alice = network.peer("alice");
    alice.ready().await;
    until("alice's queue is empty", async || alice.queue().await.counts.waiting == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_mined_while_a_peer_was_away_reaches_it() {
    let mut network = Network::of(&["alice", "bob", "carol"]).await;
    network.peer_mut("carol").stop().await;
    network.peer("alice").send("bob", None, Some("carol is away")).await;
    network.peer("bob").mine_blocks(2).await;
    network.peer_mut("carol").start().await;
    let balances = network.agreement().await;
    assert_eq!(balances["bob"], 100);
    assert_eq!(network.peer("carol").height().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_could_not_be_made_arrives_later() {
    let mut network = Network::of(&["alice", "bob"]).await;
    network.peer_mut("bob").stop().await;
    network.add("carol").start().await;
    network.peer("carol").ready().await;
    network.peer_mut("bob").start().await;
    network.everybody_knows_everybody().await;
}
