//! What a peer answers before it knows its network, and how it says that it is ready.

use raclette_api::{
    chain::{SyncState, SyncStatus},
    membership::ChallengeAnswer,
};
use raclette_chain::testing::{ALICE_PEM, key};
use serde_json::json;

use crate::peer::{EASY, Peer, genesis};

#[tokio::test]
async fn before_the_genesis_block_a_peer_says_who_it_is_and_that_it_waits() {
    let peer = Peer::newcomer("alice", key(ALICE_PEM)).await;
    let status = peer.get("/status").await.ok();
    assert_eq!((&status["name"], &status["sync"]["state"]), (&json!("alice"), &json!("starting")));
    assert!(status.get("tip").is_none() && status.get("network_id").is_none());
    assert_eq!(status["ledger"], json!({"count": 0, "bytes": 0, "digest": "0".repeat(64)}));
    for path in ["/ledger", "/chain", "/chain/headers", "/block/0", &format!("/accounts/{}", peer.address())] {
        let answer = peer.get(path).await.expect(503, Some("not_ready"));
        assert_eq!(answer.header("retry-after"), "2", "{path}");
    }
    peer.own_get("/wallet").await.expect(503, Some("not_ready"));
    peer.own_post("/mine", &json!({})).await.expect(503, Some("not_ready"));
    peer.own_post("/send", &json!({"to": "bob", "amount": 1})).await.expect(503, Some("not_ready"));
}

#[tokio::test]
async fn a_challenge_is_answered_before_and_after_the_network_is_known() {
    let peer = Peer::newcomer("alice", key(ALICE_PEM)).await;
    let path = format!("/challenge?nonce={}", "a5".repeat(32));
    let answer: ChallengeAnswer = serde_json::from_value(peer.get(&path).await.ok()).unwrap();
    answer.verify(&[0xa5; 32], key(ALICE_PEM).public()).unwrap();
    assert_eq!((answer.network().unwrap(), answer.epoch), (None, 1));
    peer.node.found(genesis(EASY)).await.unwrap();
    let answer: ChallengeAnswer = serde_json::from_value(peer.get(&path).await.ok()).unwrap();
    answer.verify(&[0xa5; 32], key(ALICE_PEM).public()).unwrap();
    assert_eq!(answer.network().unwrap(), Some(peer.network()));
    for bad in ["", "?nonce=a5", "?nonce=", &format!("?nonce={}", "A5".repeat(32))] {
        peer.get(&format!("/challenge{bad}")).await.expect(400, Some("invalid_parameter"));
    }
}

#[tokio::test]
async fn a_peer_is_ready_once_it_has_the_history_and_degraded_without_its_tracker() {
    let peer = Peer::newcomer("alice", key(ALICE_PEM)).await;
    let failed = |body: &serde_json::Value| -> Vec<String> {
        let checks = body["checks"].as_array().unwrap().iter();
        checks.filter(|check| check["state"] == "failed").map(|check| check["name"].as_str().unwrap().into()).collect()
    };
    let answer = peer.get("/readyz").await.expect(503, Some("not_ready"));
    assert_eq!(failed(&answer.body), ["network", "sync"]);
    peer.node.found(genesis(EASY)).await.unwrap();
    peer.status.set_sync(SyncStatus {
        state: SyncState::Syncing,
        height: 7,
        target_height: 9,
        transactions_per_second: None,
    });
    let answer = peer.get("/readyz").await.expect(503, Some("not_ready"));
    assert_eq!(failed(&answer.body), ["sync"]);
    assert!(answer.body["detail"].as_str().unwrap().contains("7 of 9"));
    peer.status.set_sync(SyncStatus::at_rest(SyncState::Synced, 0));
    assert_eq!(peer.get("/readyz").await.ok()["status"], "degraded");
    peer.status.set_tracker_reachable(true);
    assert_eq!(peer.get("/readyz").await.ok()["status"], "ready");
    peer.get("/healthz").await.ok();
}
