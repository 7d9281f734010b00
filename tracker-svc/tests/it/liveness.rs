//! Who is there, who is gone, and who is back.

use std::sync::atomic::Ordering;

use raclette_api::{membership::Leave, notice::ChangeKind};

use crate::support::{Peer, Tracker, data_dir, eventually, now};

const QUICK: [&str; 2] = ["--liveness-interval", "150ms"];

#[tokio::test]
async fn a_peer_that_fails_three_rounds_is_told_to_be_offline_and_announced_when_it_answers_again() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    tracker.register(&carol).await;
    eventually!(bob.was_told("carol", ChangeKind::Online));
    carol.down(true);
    eventually!(alice.was_told("carol", ChangeKind::Offline));
    eventually!(bob.was_told("carol", ChangeKind::Offline));
    let peers = tracker.get("/peers?state=offline").await.body;
    assert_eq!(peers["peers"][0]["name"], "carol");
    assert!(peers["peers"][0].get("registration").is_none(), "its connection details are not handed out");

    let before = alice.told().len();
    carol.down(false);
    eventually!(alice.told()[before..].contains(&(String::from("carol"), ChangeKind::Online, 1)));
    eventually!(tracker.network().await.peers.online == 3);
    tracker.stop().await;
}

#[tokio::test]
async fn a_peer_in_another_epoch_is_not_the_one_that_registered() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    bob.raise_epoch();
    eventually!(alice.was_told("bob", ChangeKind::Offline));
    tracker.register(&bob).await;
    eventually!(alice.told().contains(&(String::from("bob"), ChangeKind::Online, 2)));
    tracker.stop().await;
}

#[tokio::test]
async fn who_has_left_is_not_asked_any_more() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let network = tracker.begin(&alice).await.network();
    tracker.register(&bob).await;
    eventually!(bob.inner.probes.load(Ordering::SeqCst) > 0);
    tracker.post("/leave", &Leave::signed(&network, 1, now(), &bob.inner.key)).await;
    let probes = |peer: &Peer| peer.inner.probes.load(Ordering::SeqCst);
    // A round may have been under way; the one after the next must not ask.
    let target = probes(&alice) + 2;
    eventually!(probes(&alice) >= target);
    let (asked, target) = (probes(&bob), probes(&alice) + 3);
    eventually!(probes(&alice) >= target);
    assert_eq!(probes(&bob), asked);
    assert_eq!(tracker.states().await[1], (String::from("bob"), String::from("left")));
    tracker.stop().await;
}

#[tokio::test]
async fn when_everybody_fails_at_once_the_tracker_doubts_itself_and_reports_nobody() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let peers = [Peer::alice().await, Peer::bob().await, Peer::carol().await];
    tracker.begin(&peers[0]).await;
    tracker.register(&peers[1]).await;
    tracker.register(&peers[2]).await;
    for peer in &peers {
        peer.down(true);
    }
    // Unless a round began while they went down one after the other, nobody is even suspect.
    eventually!({
        let info = tracker.network().await;
        info.self_preservation || info.peers.offline > 0
    });
    for peer in &peers {
        peer.down(false);
    }
    eventually!(tracker.network().await.peers.online == 3);
    eventually!(!tracker.network().await.self_preservation);
    tracker.stop().await;
}
