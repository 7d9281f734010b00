//! Announcements that fail arrive in the end.

use raclette_api::notice::ChangeKind;

use crate::support::{Peer, Tracker, data_dir, eventually};

#[tokio::test]
async fn a_failed_announcement_waits_and_arrives() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    alice.deaf(true);
    tracker.register(&bob).await;
    eventually!(tracker.waiting().await == 1);
    let entry = tracker.operator("GET", "/queue").await.body["entries"][0].clone();
    assert_eq!((entry["destination_name"].as_str(), entry["kind"].as_str()), (Some("alice"), Some("notice")));
    assert_eq!(entry["subject"], bob.address().to_string());
    assert!(entry["last_error"].as_str().is_some());
    alice.deaf(false);
    eventually!(alice.was_told("bob", ChangeKind::Online));
    eventually!(tracker.waiting().await == 0);
    tracker.stop().await;
}

#[tokio::test]
async fn what_happened_while_a_peer_was_offline_arrives_when_it_is_back() {
    let directory = data_dir();
    let tracker = Tracker::start_with(directory.path(), &["--liveness-interval", "150ms"]).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    bob.down(true);
    eventually!(alice.was_told("bob", ChangeKind::Offline));
    tracker.register(&carol).await;
    eventually!(alice.was_told("carol", ChangeKind::Online));
    eventually!(tracker.waiting().await >= 1);
    assert!(!bob.was_told("carol", ChangeKind::Online));
    bob.down(false);
    eventually!(bob.was_told("carol", ChangeKind::Online));
    eventually!(tracker.waiting().await == 0);
    tracker.stop().await;
}

#[tokio::test]
async fn a_failed_announcement_survives_a_restart_of_the_tracker() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    alice.deaf(true);
    tracker.register(&bob).await;
    eventually!(tracker.waiting().await == 1);
    tracker.stop().await;
    let tracker = Tracker::start(directory.path()).await;
    assert_eq!(tracker.waiting().await, 1);
    alice.deaf(false);
    eventually!(alice.was_told("bob", ChangeKind::Online));
    eventually!(tracker.waiting().await == 0);
    tracker.stop().await;
}

#[tokio::test]
async fn newer_news_about_a_peer_takes_the_place_of_older_that_waits() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    alice.deaf(true);
    tracker.register(&bob).await;
    bob.raise_epoch();
    tracker.register(&bob).await;
    eventually!(tracker.get("/peers").await.body["peers"][1]["epoch"] == 2);
    let newest = tracker.get("/peers").await.body["peers"][1]["version"].clone();
    eventually!(tracker.operator("GET", "/queue").await.body["entries"][0]["version"] == newest);
    assert_eq!(tracker.waiting().await, 1);
    tracker.stop().await;
}

#[tokio::test]
async fn the_operator_sees_what_waits_for_whom_and_has_it_tried_at_once() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    alice.deaf(true);
    tracker.register(&bob).await;
    eventually!(tracker.waiting().await == 1);
    let summary = tracker.operator("GET", "/queue/destinations").await.body["destinations"][0].clone();
    assert_eq!((summary["destination_name"].as_str(), summary["reachable"].as_bool()), (Some("alice"), Some(true)));
    assert_eq!((summary["waiting"].as_u64(), summary["dead"].as_u64()), (Some(1), Some(0)));
    for (query, found) in [("destination=alice", 1), ("destination=bob", 0), ("kind=notice", 1), ("kind=block", 0)] {
        let page = tracker.operator("GET", &format!("/queue?{query}")).await.body;
        assert_eq!(page["entries"].as_array().map(Vec::len), Some(found), "{query}");
    }
    assert_eq!(tracker.operator("GET", "/queue?destination=nobody").await.code(), "unknown_peer");
    let unsound = format!("rac1{}", "0".repeat(58));
    for path in [format!("/queue?destination={unsound}"), format!("/queue/destinations?cursor={unsound}")] {
        assert_eq!(tracker.operator("GET", &path).await.code(), "not_found", "{path}");
    }
    for query in ["kind=", "kind=A", "cursor=-1"] {
        let refused = tracker.operator("GET", &format!("/queue?{query}")).await;
        assert_eq!(refused.code(), "invalid_parameter", "{query}");
    }
    assert_eq!(tracker.get("/queue/destinations").await.status, 401);
    assert_eq!(tracker.operator("POST", "/queue/destinations/bob/retry").await.code(), "not_found");
    alice.deaf(false);
    // Unless the drain was quicker by itself.
    let status = tracker.operator("POST", "/queue/destinations/alice/retry").await.status;
    assert!([204, 404].contains(&status), "{status}");
    eventually!(tracker.waiting().await == 0);
    tracker.stop().await;
}
