//! Faults that are switched on: what they do to a network, and that it heals when they end.

use raclette_api::{
    chaos::{ChaosDirection, ChaosLink, EVERYBODY},
    propagation::PropagationState,
    queue::QueueDestinations,
};

use crate::kit::{Network, Settings, until};

/// A network whose links can be given faults, and whose tracker takes its time.
async fn network(names: &[&str]) -> Network {
    Network::with(Settings { chaos: true, liveness: "1h", ..Settings::default() }, names).await
}

fn cut(peer: &str) -> ChaosLink {
    ChaosLink { partition: true, ..ChaosLink::to(peer) }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_halves_that_are_cut_apart_mine_by_themselves_and_agree_when_the_cut_is_healed() {
    let network = network(&["alice", "bob", "carol", "dave"]).await;
    network.peer("alice").mine().await;
    network.agreement().await;
    for (name, others) in [
        ("alice", ["bob", "dave"]),
        ("carol", ["bob", "dave"]),
        ("bob", ["alice", "carol"]),
        ("dave", ["alice", "carol"]),
    ] {
        network.peer(name).chaos(others.map(cut)).await;
        assert_eq!(network.peer(name).status().await.chaos.unwrap().links.len(), 2);
    }
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    alice.send("carol", Some(20), Some("on this side")).await;
    network.peer("carol").receives("on this side").await;
    alice.mine_blocks(2).await;
    bob.mine_blocks(3).await;
    until("carol follows alice", async || network.peer("carol").height().await == 3).await;
    until("dave follows bob", async || network.peer("dave").height().await == 4).await;
    assert_ne!(network.peer("carol").tip().await, bob.tip().await);

    let tip = bob.tip().await;
    for peer in network.peers() {
        peer.chaos([]).await;
    }
    let balances = network.agreement().await;
    assert_eq!(alice.tip().await, tip);
    assert_eq!((balances["alice"], balances["bob"], balances["carol"]), (50, 150, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_cross_a_cut_waits_and_says_why_until_the_cut_is_healed() {
    let network = network(&["alice", "bob", "carol"]).await;
    let alice = network.peer("alice");
    // Carol takes nothing in, and asks nobody either.
    network.peer("carol").chaos([cut(EVERYBODY)]).await;
    let block = alice.mine().await;
    until("the block waits for carol", async || {
        alice.propagation("block", &block).await.get("carol") == Some(&PropagationState::Waiting)
    })
    .await;
    until("bob has it", async || {
        alice.propagation("block", &block).await.get("bob") == Some(&PropagationState::Acknowledged)
    })
    .await;
    let page: QueueDestinations = alice.get_as_owner("/queue/destinations").await;
    assert_eq!(page.destinations.len(), 1, "{page:?}");
    let carol = &page.destinations[0];
    assert_eq!((carol.destination_name.as_deref(), carol.reachable), (Some("carol"), true));
    assert!(carol.last_error.as_ref().is_some_and(|error| error.contains("chaos")), "{carol:?}");

    // A newer block takes the place of the one that waits.
    let newer = alice.mine().await;
    until("only the newer block waits", async || {
        let entries = alice.queue().await.entries;
        let blocks: Vec<_> = entries.iter().filter(|entry| entry.kind == "block").map(|entry| &entry.subject).collect();
        blocks == [&newer]
    })
    .await;
    network.peer("carol").chaos([]).await;
    until("carol has both", async || network.peer("carol").tip().await == newer).await;
    until("nothing waits any more", async || alice.queue().await.counts.waiting == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_link_that_loses_half_of_all_requests_and_answers_everything_arrives_once() {
    let network = network(&["alice", "bob"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    alice.chaos([ChaosLink { drop_percent: 50, delay_ms: 5, ..ChaosLink::to("bob") }]).await;
    let texts: Vec<String> = (0..6).map(|number| format!("message {number}")).collect();
    for text in &texts {
        alice.send("bob", None, Some(text)).await;
    }
    for text in &texts {
        bob.receives(text).await;
    }
    let received: Vec<_> = bob.messages().await.into_iter().filter_map(|entry| entry.text).collect();
    assert_eq!(received.len(), texts.len(), "each once: {received:?}");
    until("every receipt has come", async || alice.messages().await.iter().all(|entry| entry.receipt.is_some())).await;
    until("nothing waits any more", async || alice.queue().await.counts.waiting == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_link_holds_what_comes_until_it_goes_on() {
    let network = network(&["alice", "bob"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    bob.chaos([ChaosLink { pause: true, direction: ChaosDirection::Both, ..ChaosLink::to("alice") }]).await;
    let id = alice.send("bob", None, Some("patience")).await;
    until("it is under way", async || {
        alice.propagation("tx", &id).await.get("bob").is_some_and(|state| *state != PropagationState::NotAsked)
    })
    .await;
    assert!(bob.messages().await.is_empty());
    bob.chaos([]).await;
    bob.receives("patience").await;
}
