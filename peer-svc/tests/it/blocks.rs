//! Blocks on their way in.

use std::time::Duration;

use raclette_api::{block::BlockMessage, notice::ChangeKind};
use serde_json::{Value, json};

use crate::peer::{EASY, Peer};

/// A block of a peer, compact.
async fn compact(peer: &Peer, block: &str) -> Value {
    let message: BlockMessage = serde_json::from_value(peer.get(&format!("/block/{block}")).await.ok()).unwrap();
    let (block, _) = message.decode(&peer.network()).unwrap();
    json!(BlockMessage::compact(&block, &peer.network()))
}

/// Alice with money, and bob who knows her and her first block.
async fn two() -> (Peer, Peer) {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    let block = alice.mine().await;
    let answer = bob.post_from(&alice, "/block", &compact(&alice, &block).await).await.ok();
    assert_eq!(answer, json!({"status": "accepted", "hash": block}));
    (alice, bob)
}

#[tokio::test]
async fn a_compact_block_names_what_is_missing_and_is_accepted_with_it() {
    let (alice, bob) = two().await;
    let known = alice.send(json!({"to": "bob", "amount": 1})).await["transaction"].clone();
    let unknown = alice.send(json!({"to": "bob", "amount": 2})).await["transaction"].clone();
    bob.post_from(&alice, "/tx", &known).await.expect(201, None);
    let hash = alice.mine().await;
    let mut message = compact(&alice, &hash).await;
    let answer = bob.post_from(&alice, "/block", &message).await.ok();
    assert_eq!(answer, json!({"status": "missing", "hash": hash, "missing": [message["leaves"][1]]}));
    message["transactions"] = json!([unknown]);
    assert_eq!(bob.post_from(&alice, "/block", &message).await.ok()["status"], "accepted");
    assert_eq!(bob.post_from(&alice, "/block", &message).await.ok()["status"], "known");
    let tip = |status: &Value| status["tip"]["state_hash"].clone();
    assert_eq!(tip(&bob.get("/status").await.ok()), tip(&alice.get("/status").await.ok()));
}

#[tokio::test]
async fn a_message_that_comes_with_a_block_is_kept() {
    let (alice, bob) = two().await;
    let sent = alice.send(json!({"to": "bob", "message": "late but there"})).await["transaction"].clone();
    let hash = alice.mine().await;
    let mut message = compact(&alice, &hash).await;
    message["transactions"] = json!([sent]);
    assert_eq!(bob.post_from(&alice, "/block", &message).await.ok()["status"], "accepted");
    assert_eq!(bob.own_get("/messages").await.ok()["messages"][0]["text"], "late but there");
}

#[tokio::test]
async fn an_orphan_makes_the_peer_look_for_the_history() {
    let (alice, bob) = two().await;
    alice.mine().await;
    let hash = alice.mine().await;
    let answer = bob.post_from(&alice, "/block", &compact(&alice, &hash).await).await.ok();
    assert_eq!(answer["status"], "orphan");
    tokio::time::timeout(Duration::from_secs(5), bob.status.sync.notified()).await.unwrap();
}

#[tokio::test]
async fn a_bad_block_is_refused_by_name_before_and_after_its_body_is_read() {
    let (alice, bob) = two().await;
    let hash = alice.mine().await;
    let good = compact(&alice, &hash).await;
    let mut workless = good.clone();
    workless["header"].as_object_mut().unwrap().remove("hash");
    workless["header"]["version"] = json!(2);
    // The body is malformed as well; the header is looked at first.
    workless["leaves"] = json!(["x"]);
    let answer = bob.post("/block", &workless).await.expect(409, Some("block_refused"));
    assert_eq!(answer.body["rule"], "unknown_version");
    let mut greedy = good.clone();
    greedy["reward"] = json!({"miner": good["reward"]["miner"], "amount": 51});
    let answer = bob.post("/block", &greedy).await.expect(409, Some("block_refused"));
    assert_eq!(answer.body["rule"], "wrong_merkle_root");
    let mut malformed = good.clone();
    malformed["leaves"] = json!(["x"]);
    let answer = bob.post("/block", &malformed).await.expect(422, Some("invalid_body"));
    assert_eq!(answer.body["errors"][0]["field"], "leaves[0]");
    let genesis = bob.get("/block/0").await.ok();
    assert_eq!(bob.post("/block", &genesis).await.ok()["status"], "known");
    assert_eq!(bob.get("/status").await.ok()["tip"]["height"], 1, "nothing has changed");
    assert_eq!(bob.post("/block", &good).await.ok()["status"], "accepted", "the good one is not poisoned");
}

#[tokio::test]
async fn a_block_of_a_losing_branch_is_stored_and_can_be_read() {
    let (alice, bob) = two().await;
    for _ in 0..2 {
        bob.mine().await;
    }
    let side = alice.mine().await;
    assert_eq!(bob.learns(&alice, &side).await["status"], "stored");
    let block = bob.get(&format!("/block/{side}")).await.ok();
    assert!(block["work"].is_string() && block.get("state_hash").is_none(), "it was never connected: {block}");
    assert_ne!(bob.get("/block/2").await.ok()["header"]["hash"], json!(side));
}
