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
