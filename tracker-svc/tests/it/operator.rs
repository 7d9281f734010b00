//! What only the operator may do.

use raclette_api::membership::Leave;

use crate::support::{Peer, TOKEN, Tracker, data_dir, eventually, now};

#[tokio::test]
async fn the_operators_routes_need_the_token() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    for (method, path) in [
        ("GET", "/queue"),
        ("DELETE", "/names/alice"),
        ("DELETE", "/self-preservation"),
        ("POST", "/queue/1/retry"),
        ("DELETE", "/queue/1"),
    ] {
        let request = || tracker.http.request(method.parse().unwrap(), format!("{}{path}", tracker.url));
        let answer = tracker.call(request()).await;
        assert_eq!((answer.status, answer.code()), (401, "token_missing"), "{method} {path}");
        let answer = tracker.call(request().bearer_auth("another-token-than-it-is")).await;
        assert_eq!((answer.status, answer.code()), (401, "token_wrong"), "{method} {path}");
        assert_ne!(tracker.call(request().bearer_auth(TOKEN)).await.status, 401, "{method} {path}");
    }
    tracker.stop().await;
}

#[tokio::test]
async fn a_name_can_be_freed_when_its_owner_is_gone() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let network = tracker.begin(&alice).await.network();
    tracker.register(&bob).await;
    let answer = tracker.operator("DELETE", "/names/bob").await;
    assert_eq!((answer.status, answer.code()), (409, "conflict"));
    tracker.post("/leave", &Leave::signed(&network, 1, now(), &bob.inner.key)).await;
    let other = Peer::start("bob", raclette_chain::testing::CAROL_PEM).await;
    let taken = tracker.register(&other).await;
    assert_eq!(taken.code(), "name_taken");
    let command = format!("-X DELETE {}/names/bob", tracker.url);
    assert!(taken.body["mend"].as_str().unwrap().contains(&command), "the very command that frees it");
    assert_eq!(tracker.operator("DELETE", "/names/bob").await.status, 204);
    assert_eq!(tracker.operator("DELETE", "/names/bob").await.code(), "unknown_peer");
    assert_eq!(tracker.register(&other).await.status, 201);
    let address = other.address().to_string();
    eventually!(alice.inner.notices.lock().unwrap().iter().any(|notice| notice.changes[0].address == address));
    tracker.stop().await;
}

#[tokio::test]
async fn a_request_in_the_queue_can_be_retried_and_discarded() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    tracker.begin(&alice).await;
    alice.deaf(true);
    tracker.register(&bob).await;
    tracker.register(&carol).await;
    eventually!(tracker.waiting().await == 2);
    let entries = tracker.operator("GET", "/queue?state=waiting&limit=1").await.body;
    let (first, cursor) = (entries["entries"][0]["id"].clone(), entries["next_cursor"].as_str().unwrap().to_owned());
    let second = tracker.operator("GET", &format!("/queue?cursor={cursor}")).await.body["entries"][0].clone();
    assert_eq!(tracker.operator("DELETE", &format!("/queue/{}", second["id"])).await.status, 204);
    assert_eq!(tracker.waiting().await, 1);
    alice.deaf(false);
    assert_eq!(tracker.operator("POST", &format!("/queue/{first}/retry")).await.status, 204);
    eventually!(tracker.waiting().await == 0);
    assert_eq!(alice.told().len(), 1, "what was discarded does not arrive");
    assert_eq!(tracker.operator("DELETE", "/queue/999").await.code(), "not_found");
    tracker.stop().await;
}
