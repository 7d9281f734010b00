//! Who is there, who is gone, and who is back.

use std::sync::atomic::Ordering;

use raclette_api::{membership::Leave, notice::ChangeKind, timeline::TimelineKind};
use raclette_chain::keys::{KeySize, PrivateKey};

use crate::support::{Helper, Peer, Tracker, data_dir, eventually, now};

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

/// Waits until the tracker has tried to probe this peer so many more times.
async fn rounds_pass(peer: &Peer, probes: u64) {
    let target = peer.inner.probes.load(Ordering::SeqCst) + probes;
    eventually!(peer.inner.probes.load(Ordering::SeqCst) >= target);
}

#[tokio::test]
async fn who_is_reached_by_another_peer_is_not_called_offline() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    bob.inner.hidden.store(true, Ordering::SeqCst);
    eventually!(tracker.last(TimelineKind::Recovered, "bob").await.is_some());
    // Each round tries twice: so many rounds would have been enough.
    rounds_pass(&bob, 12).await;
    assert!(alice.inner.asked.load(Ordering::SeqCst) > 0);
    assert_eq!(tracker.last(TimelineKind::Offline, "bob").await, None);
    assert!(!alice.was_told("bob", ChangeKind::Offline));
    tracker.stop().await;
}

#[tokio::test]
async fn a_helper_cannot_lie_a_dead_peer_alive() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    *alice.inner.helper.lock().unwrap() = Helper::LiesItAlive;
    bob.down(true);
    eventually!(alice.was_told("bob", ChangeKind::Offline));
    assert!(alice.inner.asked.load(Ordering::SeqCst) > 0);
    tracker.stop().await;
}

#[tokio::test]
async fn most_of_them_are_reported_when_one_that_answers_confirms_it() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let (alice, gone) = four_peers(&tracker).await;
    for peer in &gone {
        peer.down(true);
    }
    for name in ["bob", "carol", "erin"] {
        eventually!(alice.was_told(name, ChangeKind::Offline));
    }
    tracker.stop().await;
}

#[tokio::test]
async fn when_nobody_can_confirm_it_the_tracker_doubts_itself_until_the_operator_knows_better() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &QUICK).await;
    let (alice, gone) = four_peers(&tracker).await;
    let early = tracker.operator("DELETE", "/self-preservation").await;
    assert_eq!((early.status, early.code()), (409, "conflict"));
    *alice.inner.helper.lock().unwrap() = Helper::Ignorant;
    for peer in &gone {
        peer.down(true);
    }
    eventually!(tracker.network().await.self_preservation);
    let ready = tracker.get("/readyz").await;
    assert_eq!((ready.status, ready.body["status"].as_str()), (200, Some("degraded")));
    rounds_pass(&alice, 6).await;
    assert_eq!(alice.told().iter().filter(|(_, kind, _)| *kind == ChangeKind::Offline).count(), 0);
    assert!(tracker.network().await.self_preservation);

    assert_eq!(tracker.operator("DELETE", "/self-preservation").await.status, 204);
    for name in ["bob", "carol", "erin"] {
        eventually!(alice.was_told(name, ChangeKind::Offline));
    }
    let trust: Vec<_> = tracker.happened().await.into_iter().filter(|(_, name)| name.is_none()).collect();
    assert_eq!(trust, [(TimelineKind::SelfPreservationBegan, None), (TimelineKind::SelfPreservationEnded, None)]);
    tracker.stop().await;
}

/// Alice, and three others.
async fn four_peers(tracker: &Tracker) -> (Peer, [Peer; 3]) {
    let alice = Peer::alice().await;
    let erin = PrivateKey::generate(KeySize::Bits2048).unwrap().to_pem(None).unwrap();
    let others = [Peer::bob().await, Peer::carol().await, Peer::start("erin", &erin).await];
    tracker.begin(&alice).await;
    for peer in &others {
        assert_eq!(tracker.register(peer).await.status, 201);
    }
    (alice, others)
}

#[tokio::test]
async fn a_tracker_that_was_restarted_reports_nobody_for_three_rounds_whatever_its_settings_say() {
    let directory = data_dir();
    let eager = ["--liveness-interval", "150ms", "--failed-rounds", "1"];
    let tracker = Tracker::start_with(directory.path(), &eager).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    tracker.register(&carol).await;
    tracker.stop().await;
    // It was away while bob went.
    bob.down(true);
    let before = alice.inner.probes.load(Ordering::SeqCst);
    let tracker = Tracker::start_with(directory.path(), &eager).await;
    eventually!(tracker.last(TimelineKind::Suspected, "bob").await.is_some());
    eventually!(alice.was_told("bob", ChangeKind::Offline));
    let rounds = alice.inner.probes.load(Ordering::SeqCst) - before;
    assert!(rounds >= 3, "bob was called offline in round {rounds}");
    assert_eq!(carol.told().iter().filter(|(_, kind, _)| *kind == ChangeKind::Offline).count(), 1);

    // Later one failed round is enough, as it was told.
    let before = alice.inner.probes.load(Ordering::SeqCst);
    carol.down(true);
    eventually!(alice.was_told("carol", ChangeKind::Offline));
    let rounds = alice.inner.probes.load(Ordering::SeqCst) - before;
    assert!(rounds <= 3, "{rounds} rounds until carol was called offline");
    tracker.stop().await;
}
