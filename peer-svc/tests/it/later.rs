//! Blocks from the future.

use std::{sync::Arc, time::Duration};

use peer_svc::{node::MAX_KEPT_PER_SENDER, tasks::later::Later};
use raclette_chain::{block::Block, transaction::Reward};

use crate::{
    craft::{child_of, from_now, nobody},
    peer::{EASY, Peer, eventually},
};

/// A good block of so many milliseconds from now.
fn ahead(peer: &Peer, milliseconds: i64) -> Block {
    let draft = peer.draft(Vec::new()).at(from_now(milliseconds), peer);
    peer.commit(draft)
}

#[tokio::test]
async fn a_block_from_the_future_is_accepted_by_itself_when_its_time_comes() {
    let bob = Peer::bob(EASY).await;
    let task = Later::new(Arc::clone(&bob.node), Arc::clone(&bob.status));
    assert_eq!(task.activate().await, Duration::from_secs(10), "there is nothing to wait for");
    let block = ahead(&bob, 125_000);
    let before = bob.fingerprint().await;
    let mutated = Block::new(*block.header(), Reward { miner: nobody(), ..*block.reward() }, Vec::new());
    let refused = bob.post("/block", &bob.json(&mutated)).await.expect(409, Some("block_refused"));
    assert_eq!(refused.body["rule"], "wrong_merkle_root", "a mutated copy does not take its place");
    for _ in 0..2 {
        let answer = bob.post("/block", &bob.json(&block)).await.ok();
        assert_eq!(
            (answer["status"].as_str(), answer["hash"].as_str()),
            (Some("later"), Some(&*block.hash().to_string()))
        );
    }
    assert_eq!(bob.fingerprint().await, before);
    tokio::time::timeout(Duration::from_secs(30), bob.node.later_bell().notified()).await.expect("the task is woken");
    // A child of a block that waits for its time is no more than an orphan.
    let child = child_of(&bob, &block);
    assert_eq!(bob.post("/block", &bob.json(&child)).await.ok()["status"], "orphan");
    eventually("its time has come", || async {
        task.activate().await;
        (bob.get("/status").await.ok()["tip"]["hash"] == block.hash().to_string()).then_some(())
    })
    .await;
    tokio::time::timeout(Duration::from_secs(30), bob.status.sync.notified())
        .await
        .expect("what follows is looked for");
    assert_eq!(bob.post("/block", &bob.json(&block)).await.ok()["status"], "known");
}

#[tokio::test]
async fn what_is_too_far_ahead_or_too_many_is_refused_and_not_held_against_it() {
    let bob = Peer::bob(EASY).await;
    let two_hours = 2 * 3_600_000;
    let far = ahead(&bob, two_hours + 60_000);
    for _ in 0..2 {
        let refused = bob.post("/block", &bob.json(&far)).await.expect(409, Some("block_refused")).body;
        assert_eq!(refused["rule"], "time_too_new", "never remembered as invalid: {refused}");
        assert_eq!(refused["seen"], far.header().time.to_string());
    }
    let own = MAX_KEPT_PER_SENDER as i64;
    for number in 0..own {
        let block = ahead(&bob, two_hours - 600_000 + number);
        assert_eq!(bob.post("/block", &bob.json(&block)).await.ok()["status"], "later");
    }
    let one_more = ahead(&bob, two_hours - 500_000);
    let refused = bob.post("/block", &bob.json(&one_more)).await.expect(409, Some("block_refused")).body;
    assert_eq!(refused["rule"], "time_too_new", "{refused}");
    let nearer = ahead(&bob, two_hours - 700_000);
    assert_eq!(bob.post("/block", &bob.json(&nearer)).await.ok()["status"], "later", "what comes sooner counts more");
}
