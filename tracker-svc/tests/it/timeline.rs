//! What happened, who has heard of it, what changed since, and whether the peers agree.

use raclette_api::{
    agreement::{Agreement, Difference},
    membership::{Leave, PeerPage},
    notice::ChangeKind,
    timeline::TimelineKind,
};
use raclette_chain::testing::{DAVE_PEM, key};

use crate::support::{Peer, Tracker, data_dir, eventually, now};

#[tokio::test]
async fn the_timeline_tells_what_happened_and_survives_a_restart() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let network = tracker.begin(&alice).await.network();
    tracker.register(&bob).await;
    alice.raise_epoch();
    tracker.register(&alice).await;
    tracker.post("/leave", &Leave::signed(&network, 1, now(), &bob.inner.key)).await;
    let expected: Vec<_> = [
        (TimelineKind::Joined, "alice"),
        (TimelineKind::Joined, "bob"),
        (TimelineKind::Registered, "alice"),
        (TimelineKind::Left, "bob"),
    ]
    .map(|(kind, name)| (kind, Some(name.to_owned())))
    .to_vec();
    assert_eq!(tracker.happened().await, expected);
    let event = tracker.last(TimelineKind::Registered, "alice").await.unwrap();
    assert_eq!((event.epoch, event.address), (Some(2), Some(alice.address().to_string())));
    assert!(event.version.is_some() && event.time > 0);
    tracker.stop().await;

    let tracker = Tracker::start(directory.path()).await;
    assert_eq!(tracker.happened().await, expected);
    let page = tracker.timeline("limit=3").await;
    assert_eq!((page.events.len(), page.events[0].kind), (3, TimelineKind::Left), "newest first");
    let rest = tracker.timeline(&format!("limit=3&cursor={}", page.next_cursor.unwrap())).await;
    assert_eq!((rest.events.len(), rest.next_cursor), (1, None));
    for query in ["limit=0", "cursor=x", "kind=exploded", "name=-", "what=1"] {
        assert_eq!(tracker.get(&format!("/timeline?{query}")).await.code(), "invalid_parameter", "{query}");
    }
    tracker.stop().await;
}

#[tokio::test]
async fn who_took_a_notice_is_noted_whether_it_came_directly_or_through_the_queue() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    bob.deaf(true);
    tracker.register(&carol).await;
    let acknowledged = async || {
        let event = tracker.last(TimelineKind::Joined, "carol").await.unwrap();
        event.acknowledged.into_iter().map(|one| one.name).collect::<Vec<_>>()
    };
    eventually!(acknowledged().await == ["alice"]);
    eventually!(tracker.waiting().await > 0);
    bob.deaf(false);
    eventually!(acknowledged().await == ["alice", "bob"]);
    let event = tracker.last(TimelineKind::Joined, "carol").await.unwrap();
    assert!(event.acknowledged.iter().all(|one| one.time >= event.time));
    assert_eq!(event.acknowledged[1].address, bob.address().to_string());
    tracker.stop().await;
}

#[tokio::test]
async fn what_changed_since_a_version_is_told_with_the_trackers_signature() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let network = tracker.begin(&alice).await.network();
    let since = tracker.network().await.membership_version;
    let page = async |query: &str| -> PeerPage {
        serde_json::from_value(tracker.get(&format!("/peers?{query}")).await.body).unwrap()
    };
    let nothing = page(&format!("since={since}")).await;
    assert!(nothing.peers.is_empty() && nothing.notice.is_none());
    tracker.register(&bob).await;
    tracker.post("/leave", &Leave::signed(&network, 1, now(), &bob.inner.key)).await;
    let changed = page(&format!("since={since}")).await;
    let notice = changed.notice.unwrap();
    notice.verify(&network, key(DAVE_PEM).public()).unwrap();
    assert_eq!((notice.changes.len(), notice.changes[0].kind), (1, ChangeKind::Left));
    assert_eq!(changed.peers[0].version, changed.membership_version);
    let all = page("since=0&limit=1").await;
    assert_eq!((all.peers.len(), all.peers[0].name.as_str()), (1, "alice"), "the oldest change first");
    assert_eq!(page("name=bob").await.peers[0].name, "bob");
    assert!(page("name=nobody").await.peers.is_empty());
    assert_eq!(page("since=0&name=bob").await.notice.unwrap().changes.len(), 1, "all that is asked for must fit");
    assert_eq!(page("since=0&state=left").await.peers[0].name, "bob");
    assert!(page("name=bob&cursor=bob").await.peers.is_empty());
    for query in ["name=Bob", "cursor=-", "since=-1", "since=9007199254740992"] {
        assert_eq!(tracker.get(&format!("/peers?{query}")).await.code(), "invalid_parameter", "{query}");
    }
    tracker.stop().await;
}

#[tokio::test]
async fn all_peers_are_asked_whether_they_agree() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &["--liveness-interval", "150ms"]).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    let network = tracker.begin(&alice).await.network();
    tracker.register(&bob).await;
    tracker.register(&carol).await;
    for peer in [&alice, &bob, &carol] {
        peer.inner.says.lock().unwrap().network_id = Some(network.to_string());
    }
    let agreement =
        async || -> Agreement { serde_json::from_value(tracker.get("/network/agreement").await.body).unwrap() };
    let found = agreement().await;
    assert!(found.agree, "{found:?}");
    assert_eq!(found.peers.len(), 3);

    bob.inner.says.lock().unwrap().ledger.digest = "1".repeat(64);
    carol.down(true);
    eventually!(carol_is_offline(&tracker).await);
    let found = agreement().await;
    assert_eq!(
        (found.agree, found.differing.as_slice()),
        (false, [String::from("alice"), String::from("bob")].as_slice())
    );
    assert_eq!(found.peers[1].differs, [Difference::Ledger]);
    assert_eq!((found.not_asked[0].name.as_str(), found.not_asked[0].reason.as_str()), ("carol", "it is offline"));
    tracker.stop().await;
}

async fn carol_is_offline(tracker: &Tracker) -> bool {
    tracker.states().await.contains(&(String::from("carol"), String::from("offline")))
}
