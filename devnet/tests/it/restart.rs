//! What was acknowledged is never lost: not when a peer stops, and not when it is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use raclette_api::wallet::{SendRequest, SendResponse};

use crate::kit::{Network, SOON, Settings, eventually, http, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_stops_comes_back_with_everything() {
    let mut network = Network::of(&["alice", "bob"]).await;
    let alice = network.peer("alice");
    alice.mine_blocks(2).await;
    alice.send("bob", Some(7), Some("confirmed soon")).await;
    alice.mine().await;
    alice.send("bob", Some(8), Some("still pending")).await;
    network.agreement().await;
    let bob = network.peer("bob");
    bob.receives("still pending").await;
    let (status, wallet, messages) = (bob.status().await, bob.wallet().await, bob.messages().await);

    network.peer_mut("bob").stop().await;
    network.peer_mut("bob").start().await;
    let bob = network.peer("bob");
    bob.ready().await;
    let again = bob.status().await;
    assert_eq!((&again.tip, &again.ledger, &again.address), (&status.tip, &status.ledger, &status.address));
    until("bob has registered again", async || bob.status().await.epoch > status.epoch).await;
    assert_eq!((bob.wallet().await, bob.messages().await), (wallet, messages));
    network.everybody_knows_everybody().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_killed_with_sigkill_comes_back_with_all_it_had_acknowledged() {
    let mut network = Network::of(&["alice"]).await;
    network.add("bob").start_process();
    network.peer("bob").ready().await;
    network.everybody_knows_everybody().await;
    network.peer("bob").mine().await;

    // Somebody keeps sending through bob, while alice keeps sending to bob, until bob is killed in the middle of it.
    let (port, bearer) = (network.peer("bob").port, network.peer("bob").bearer());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sending = tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for number in 0.. {
            let message = Some(format!("message {number}"));
            let request = SendRequest { to: String::from("alice"), amount: None, message, fee: None };
            let sent: Result<SendResponse, _> =
                http::post(port, "/send", &request, &[("authorization", &bearer)]).await;
            match sent {
                Ok(sent) => acknowledged.push(sent.transaction.id.unwrap()),
                Err(_) if stopped.load(Ordering::SeqCst) => break,
                Err(error) => panic!("{error}"),
            }
        }
        acknowledged
    });
    until("some messages are through", async || network.peer("bob").messages().await.len() >= 10).await;
    let hash = network.peer("bob").mine().await;
    let height = network.peer("bob").height().await;
    let received =
        network.peer("alice").try_send("bob", None, Some("before the end")).await.unwrap().transaction.id.unwrap();
    stop.store(true, Ordering::SeqCst);
    network.peer_mut("bob").kill().await;
    let acknowledged = sending.await.unwrap();
    assert!(acknowledged.len() >= 10);

    network.peer_mut("bob").start_process();
    let bob = network.peer("bob");
    bob.ready().await;
    assert!(bob.height().await >= height);
    until("the block that bob mined is in alice's chain, too", async || {
        http::get::<serde_json::Value>(network.peer("alice").port, &format!("/block/{hash}"), None).await.is_ok()
    })
    .await;
    for id in acknowledged.iter().chain([&received]) {
        assert_ne!(bob.state_of(id).await, "unknown", "{id} was acknowledged and is lost");
    }
    let messages = bob.messages().await;
    for id in &acknowledged {
        assert!(messages.iter().any(|entry| entry.id == *id && entry.text.is_some()), "{id}");
    }
    // And all of it reaches alice.
    for id in &acknowledged {
        eventually("alice has it", SOON, async || network.peer("alice").transaction(id).await).await;
    }
    bob.mine().await;
    network.agreement().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_log_is_on_a_full_disk_works_all_the_same() {
    let mut network = Network::of(&["alice"]).await;
    let bob = network.add("bob");
    // Every write to it fails as on a full disk.
    bob.log_to("/dev/full");
    bob.start_process_with(&[("RACLETTE_LOG", "debug")]);
    network.peer("bob").ready().await;
    network.everybody_knows_everybody().await;
    let bob = network.peer("bob");
    bob.mine().await;
    bob.send("alice", Some(5), Some("no room for a log")).await;
    network.peer("alice").receives("no room for a log").await;
    bob.mine().await;
    network.agreement().await;
    network.peer_mut("bob").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_found_its_tracker_stops_at_once() {
    let mut network = Network::tracker_alone(Settings::default()).await;
    network.tracker.stop().await;
    network.add("alice").start().await;
    let alice = network.peer_mut("alice");
    let status = alice.status().await;
    assert_eq!((status.network_id, status.tip), (None, None));
    let begun = Instant::now();
    alice.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_network_that_was_stopped_goes_on_where_it_was() {
    let mut network = Network::of(&["alice", "bob"]).await;
    network.peer("alice").mine().await;
    network.peer("alice").send("bob", Some(3), Some("till tomorrow")).await;
    let (before, info) = (network.agreement().await, network.info().await);
    for name in ["alice", "bob"] {
        network.peer_mut(name).stop().await;
    }
    network.tracker.stop().await;

    network.tracker.start().await;
    for name in ["alice", "bob"] {
        network.peer_mut(name).start().await;
    }
    for peer in network.peers() {
        peer.ready().await;
    }
    assert_eq!(network.agreement().await, before);
    assert_eq!(network.info().await.network_id, info.network_id);
    network.peer("bob").mine().await;
    assert_eq!(network.agreement().await["bob"], 53);
}
