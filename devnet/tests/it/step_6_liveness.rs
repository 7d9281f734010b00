//! Step 6: the tracker notices who went offline and who came back, and tells the others.

use raclette_api::membership::{PeerRecord, PeerState};

use crate::kit::{Network, SOON, Settings, eventually, until};

/// What `who` knows of `whom` once it has this state.
async fn knows(network: &Network, who: &str, whom: &str, state: PeerState) -> PeerRecord {
    eventually(&format!("{who} knows that {whom} is {}", state.as_str()), SOON, async || {
        network.peer(who).record_of(whom).await.filter(|record| record.state == state)
    })
    .await
}

/// A network of three in which bob is a process of its own, and asks the tracker so often.
async fn network_with_bob_as_a_process(tracker_interval: &str) -> Network {
    let settings = Settings { call_timeout: "500ms", ..Settings::default() };
    let mut network = Network::with(settings, &["alice", "carol"]).await;
    let bob = network.add("bob");
    bob.replace_argument("--tracker-interval", tracker_interval);
    bob.start_process();
    network.peer("bob").ready().await;
    network.everybody_knows_everybody().await;
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_details_of_a_killed_peer_are_deleted_and_are_back_when_it_returns() {
    let mut network = network_with_bob_as_a_process("300ms").await;
    network.peer_mut("bob").kill().await;
    for who in ["alice", "carol"] {
        let record = knows(&network, who, "bob", PeerState::Offline).await;
        assert_eq!(record.registration, None, "{who} still has bob's connection details");
        assert!(!record.public_key.is_empty(), "one can still send to somebody who is offline");
    }
    network.peer("alice").send("bob", None, Some("see you")).await;

    network.peer_mut("bob").start_process();
    for who in ["alice", "carol"] {
        let record = knows(&network, who, "bob", PeerState::Online).await;
        assert!(record.registration.is_some(), "{who}");
    }
    network.peer("bob").receives("see you").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_answers_again_is_announced_again_without_a_second_registration() {
    // Bob himself notices nothing.
    let network = network_with_bob_as_a_process("1h").await;
    let bob = network.peer("bob");
    let epoch = bob.status().await.epoch;
    bob.suspend();
    for who in ["alice", "carol"] {
        assert_eq!(knows(&network, who, "bob", PeerState::Offline).await.registration, None);
    }
    bob.resume();
    for who in ["alice", "carol"] {
        let record = knows(&network, who, "bob", PeerState::Online).await;
        assert_eq!(record.epoch, epoch, "bob registered again");
        assert!(record.registration.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_stops_says_farewell_and_is_gone_at_once() {
    let settings = Settings { liveness: "1h", ..Settings::default() };
    let mut network = Network::with(settings, &["alice", "bob"]).await;
    network.peer_mut("bob").stop().await;
    let alice = network.peer("alice");
    until("alice has deleted bob's connection details", async || {
        alice.record_of("bob").await.is_some_and(|record| record.registration.is_none())
    })
    .await;
    assert_eq!(alice.status().await.peers.online, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tracker_restarted_forgets_nobody() {
    let mut network = Network::of(&["alice", "bob", "carol"]).await;
    network.peer_mut("carol").stop().await;
    let (info, before) = (network.info().await, network.records().await);
    network.tracker.stop().await;
    network.peer("alice").send("bob", None, Some("the tracker is away")).await;
    network.peer("bob").receives("the tracker is away").await;

    network.tracker.start().await;
    network.tracker.ready().await;
    let again = network.info().await;
    assert_eq!((again.network_id, again.tracker), (info.network_id, info.tracker));
    let known = |records: &[PeerRecord]| {
        records
            .iter()
            .map(|record| (record.name.clone(), record.address.clone(), record.public_key.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(known(&network.records().await), known(&before));

    network.add("dave").start().await;
    network.peer_mut("carol").start().await;
    network.everybody_knows_everybody().await;
}
