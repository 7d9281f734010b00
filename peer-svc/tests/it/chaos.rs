//! Chaos switches of one peer: refused unless it was started for them.

use axum::body::Body;
use raclette_api::notice::ChangeKind;
use raclette_chain::testing::{ALICE_PEM, key};
use serde_json::{Value, json};

use crate::peer::{Answer, EASY, Peer, by_anybody, by_owner, with_json};

async fn put(peer: &Peer, state: &Value) -> Answer {
    peer.call(with_json(by_owner("PUT", "/chaos"), state)).await
}

/// Alice, whose links can be given faults, and bob, whom she knows.
async fn alice_and_bob() -> (Peer, Peer) {
    let alice = Peer::with_chaos("alice", key(ALICE_PEM)).await.joined(EASY).await;
    let bob = Peer::bob(EASY).await;
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    (alice, bob)
}

/// How a request that names bob as its sender fares.
async fn status_from(alice: &Peer, bob: &Peer) -> Answer {
    let request = by_anybody("GET", "/status").header("raclette-from", bob.address().to_string());
    alice.call(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_peer_that_was_not_started_for_it_refuses_and_says_how_to_mend_that() {
    let alice = Peer::alice(EASY).await;
    let problem = alice.own_get("/chaos").await.expect(409, Some("chaos_off")).body;
    assert!(problem["mend"].as_str().unwrap().contains("--chaos"), "{problem}");
    put(&alice, &json!({"links": []})).await.expect(409, Some("chaos_off"));
    alice.own_delete("/chaos").await.expect(409, Some("chaos_off"));
    alice.get("/chaos").await.expect(401, Some("token_missing"));
    assert!(alice.get("/status").await.ok().get("chaos").is_none());
}

#[tokio::test]
async fn a_cut_refuses_whom_it_is_about_and_nobody_else_until_it_ends() {
    let (alice, bob) = alice_and_bob().await;
    assert_eq!(alice.own_get("/chaos").await.ok(), json!({"links": []}));
    let state = put(&alice, &json!({"links": [{"peer": "bob", "partition": true}]})).await.ok();
    assert_eq!(state["links"][0]["address"], bob.address().to_string());
    assert_eq!(state["links"][0]["direction"], "both");
    assert_eq!(alice.get("/status").await.ok()["chaos"], state);
    status_from(&alice, &bob).await.expect(503, Some("chaos"));
    let carol = Peer::carol_in(crate::peer::genesis(EASY)).await;
    status_from(&alice, &carol).await.ok();
    put(&alice, &json!({"links": [{"peer": "bob", "partition": true, "direction": "outgoing"}]})).await.ok();
    status_from(&alice, &bob).await.ok();
    put(&alice, &json!({"links": [{"peer": "*", "partition": true}]})).await.ok();
    status_from(&alice, &carol).await.expect(503, Some("chaos"));
    alice.own_delete("/chaos").await.expect(204, None);
    status_from(&alice, &carol).await.ok();
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let (alice, _) = alice_and_bob().await;
    put(&alice, &json!({"links": [{"peer": "nobody"}]})).await.expect(404, Some("unknown_peer"));
    for link in [
        json!({"peer": "bob", "drop_percent": 101}),
        json!({"peer": "bob", "delay_ms": 60_001}),
        json!({"peer": "bob", "speed": 1}),
        json!({"peer": "Bob"}),
        json!({}),
    ] {
        put(&alice, &json!({"links": [link]})).await.expect(422, Some("invalid_body"));
    }
    assert_eq!(alice.own_get("/chaos").await.ok(), json!({"links": []}));
}
