//! Step 1: peers register, the tracker announces each newcomer to all others, and the first peer creates the genesis
//! block.

use raclette_api::membership::PeerState;

use crate::kit::{Network, SOON, Settings, eventually, until};

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_that_register_at_once_share_one_genesis() {
    let mut network = Network::tracker_alone(Settings::default()).await;
    assert_eq!(network.info().await.network_id, None);
    network.add("alice");
    network.add("bob");
    // Both listen before either has asked for anything.
    network.peer_mut("alice").start().await;
    network.peer_mut("bob").start().await;
    for name in ["alice", "bob"] {
        network.peer(name).ready().await;
    }

    let info = network.info().await;
    let genesis = info.genesis.expect("there is a genesis block");
    assert_eq!(genesis.note, "RacletteCheese");
    for peer in network.peers() {
        let status = peer.status().await;
        assert_eq!(status.network_id, info.network_id, "{}", peer.name);
        let tip = status.tip.expect("the chain has begun");
        assert_eq!((tip.height, Some(tip.hash)), (0, info.network_id.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_is_announced_to_all_others() {
    let mut network = Network::of(&["alice", "bob"]).await;
    network.add("carol").start().await;
    let carol = network.peer("carol");
    carol.ready().await;

    for name in ["alice", "bob"] {
        let record = eventually(&format!("{name} knows carol"), SOON, async || {
            network.peer(name).record_of("carol").await.filter(|record| record.state == PeerState::Online)
        })
        .await;
        let registration = record.registration.expect("somebody online can be reached");
        assert_eq!((registration.host.as_str(), registration.port), ("127.0.0.1", carol.port));
        assert_eq!(record.address, carol.address());
    }
    let names: Vec<_> = network.records().await.into_iter().map(|record| record.name).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_belongs_to_the_first_key_that_took_it() {
    let mut network = Network::of(&["alice", "bob"]).await;
    let alice = network.peer("alice").address();
    // Carol's key, alice's name.
    let impostor = network.add("carol");
    impostor.replace_argument("--name", "alice");
    impostor.start_process();
    until("the impostor says why it cannot join", async || network.peer("carol").log().contains("name_taken")).await;
    let records = network.records().await;
    assert_eq!(records.len(), 2);
    assert!(records.iter().any(|record| record.name == "alice" && record.address == alice));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_moves_to_another_port_is_found_there() {
    let mut network = Network::of(&["alice", "bob"]).await;
    let bob = network.peer_mut("bob");
    let (before, epoch) = (bob.port, bob.status().await.epoch);
    bob.stop().await;
    bob.port = 0;
    bob.start().await;
    bob.ready().await;
    assert_ne!(bob.port, before);

    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    until("alice knows bob's new port", async || {
        let record = alice.record_of("bob").await.expect("a name is never forgotten");
        record.registration.is_some_and(|registration| registration.port == bob.port)
    })
    .await;
    assert!(bob.status().await.epoch > epoch);
    alice.send("bob", None, Some("how is the new place?")).await;
    bob.receives("how is the new place?").await;
}
