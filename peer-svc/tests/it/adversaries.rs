//! What costs its sender little costs this peer little, who sends what no honest peer sends is cut off, and nobody else is.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, request::Builder},
};
use raclette_api::block::BlockMessage;
use raclette_chain::{
    address::Address,
    block::Block,
    testing::{BOB_PEM, CAROL_PEM, key},
};
use serde_json::{Value, json};

use crate::{
    history::{branch, serve, sync_of},
    peer::{Answer, EASY, Peer, by_anybody, genesis, with_json},
};

fn from(builder: Builder, ip: &str, claimed: Option<Address>) -> Builder {
    let remote = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), 50_000);
    let builder = builder.extension(ConnectInfo(remote));
    match claimed {
        Some(address) => builder.header("raclette-from", address.to_string()),
        None => builder,
    }
}

pub(crate) async fn post(peer: &Peer, ip: &str, claimed: Option<Address>, body: &Value) -> Answer {
    peer.call(with_json(from(by_anybody("POST", "/block"), ip, claimed), body)).await
}

async fn get(peer: &Peer, ip: &str, claimed: Option<Address>, path: &str) -> Answer {
    let request: Request<Body> = from(by_anybody("GET", path), ip, claimed).body(Body::empty()).unwrap();
    peer.call(request).await
}

fn message(peer: &Peer, block: &Block) -> Value {
    json!(BlockMessage::full(block, &peer.network()))
}

/// The same block with a nonce that costs nothing.
pub(crate) fn without_work(peer: &Peer, block: &Block) -> Value {
    let mut header = *block.header();
    let target = header.target.expand().unwrap();
    while target.is_met_by(&header.hash()) {
        header.nonce += 1;
    }
    message(peer, &Block::new(header, *block.reward(), block.transactions().to_vec()))
}

const MALLORY: &str = "192.0.2.66";

#[tokio::test]
async fn whoever_sends_a_block_without_its_work_is_cut_off_after_one() {
    let alice = Peer::alice(EASY).await;
    let blocks = branch(&genesis(EASY).header(), 3, &key(BOB_PEM), 0);
    let honest = key(BOB_PEM).public().address();
    let answer = post(&alice, MALLORY, Some(honest), &without_work(&alice, &blocks[0])).await;
    let answer = answer.expect(409, Some("block_refused"));
    assert_eq!((&answer.body["rule"], answer.header("connection")), (&json!("not_enough_work"), "close"));

    let refused = post(&alice, MALLORY, Some(honest), &message(&alice, &blocks[0])).await;
    let refused = refused.expect(429, Some("too_many_requests"));
    assert_eq!((refused.header("retry-after"), refused.header("connection")), ("600", "close"));
    get(&alice, MALLORY, Some(honest), "/chain").await.expect(429, Some("too_many_requests"));

    // The member whose address was claimed is somewhere else, and is served as before.
    assert_eq!(post(&alice, "192.0.2.7", Some(honest), &message(&alice, &blocks[0])).await.ok()["status"], "accepted");
    // What the tracker asks is answered to everybody.
    get(&alice, MALLORY, Some(honest), "/status").await.ok();

    // An orphan without work is no better.
    let answer = post(&alice, MALLORY, None, &without_work(&alice, &blocks[2])).await;
    assert_eq!(answer.expect(409, Some("block_refused")).body["rule"], "not_enough_work");
    let bans = alice.own_get("/bans").await.ok();
    assert_eq!(bans["bans"].as_array().unwrap().len(), 2);
    assert!(bans["bans"].as_array().unwrap().iter().all(|ban| ban["ip"] == MALLORY && ban["seconds"] == 600));
    alice.own_delete(&format!("/bans/{MALLORY}")).await.expect(204, None);
    alice.own_delete(&format!("/bans/{MALLORY}")).await.expect(404, Some("not_found"));
    alice.own_delete("/bans/mallory").await.expect(400, Some("invalid_parameter"));
    alice.own_delete("/bans/1.2.3").await.expect(404, Some("not_found"));
    assert_eq!(post(&alice, MALLORY, Some(honest), &message(&alice, &blocks[1])).await.ok()["status"], "accepted");
}

#[tokio::test]
async fn the_owner_who_tries_out_a_block_without_work_is_not_cut_off_on_this_machine() {
    let alice = Peer::alice(EASY).await;
    let blocks = branch(&genesis(EASY).header(), 1, &key(BOB_PEM), 0);
    for loopback in ["127.0.0.1", "::1"] {
        let answer = post(&alice, loopback, None, &without_work(&alice, &blocks[0])).await;
        answer.expect(409, Some("block_refused"));
        get(&alice, loopback, None, "/chain").await.ok();
    }
    assert_eq!(alice.own_get("/bans").await.ok()["bans"], json!([]));
    // A member is told apart by the address that it claims.
    let member = key(BOB_PEM).public().address();
    post(&alice, "127.0.0.1", Some(member), &without_work(&alice, &blocks[0])).await.expect(409, Some("block_refused"));
    get(&alice, "127.0.0.1", Some(member), "/chain").await.expect(429, Some("too_many_requests"));
}

#[tokio::test]
async fn an_honest_peer_that_lags_or_repeats_itself_is_never_cut_off() {
    let alice = Peer::alice(EASY).await;
    let bob = Some(key(BOB_PEM).public().address());
    let blocks = branch(&genesis(EASY).header(), 40, &key(BOB_PEM), 0);
    alice.takes(&blocks).await;
    let side = branch(blocks[35].header(), 3, &key(CAROL_PEM), 0);
    let ahead = branch(blocks[39].header(), 5, &key(CAROL_PEM), 0);
    let greedy = Block::new(*side[0].header(), *blocks[0].reward(), Vec::new());
    for _ in 0..5 {
        for block in blocks.iter().chain(&side).chain(&ahead[1..]).chain([&greedy]) {
            let answer = post(&alice, "127.0.0.1", bob, &message(&alice, block)).await;
            assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
        }
        let old = json!({"sender_key": "nonsense"});
        let request = from(by_anybody("POST", "/tx"), "127.0.0.1", bob);
        assert_ne!(alice.call(with_json(request, &old)).await.status.as_u16(), 429);
    }
    assert_eq!(alice.own_get("/bans").await.ok(), json!({"bans": []}));
    get(&alice, "127.0.0.1", bob, "/chain").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn cheap_side_blocks_are_not_kept_and_fetched_when_their_branch_wins() {
    let alice = Peer::alice(EASY).await;
    let blocks = branch(&genesis(EASY).header(), 1_400, &key(BOB_PEM), 0);
    alice.takes(&blocks).await;
    let rival = branch(blocks[9].header(), 1_400, &key(CAROL_PEM), 0);
    let mut kept = 0;
    for block in &rival[..1_300] {
        let status = post(&alice, "127.0.0.1", None, &message(&alice, block)).await.ok()["status"].clone();
        kept += usize::from(status == "stored");
        assert!(["stored", "unkept", "orphan"].contains(&status.as_str().unwrap()), "{status}");
    }
    assert!((1_000..1_200).contains(&kept), "{kept}");
    assert_eq!(alice.node.state().unwrap().index.len(), 1_401 + kept);
    // The rival's owner mines on: now the branch wins, and is fetched headers first.
    let carol = Peer::newcomer("carol", key(CAROL_PEM)).await.joined(EASY).await;
    carol.takes(&[&blocks[..10], &rival].concat()).await;
    alice.hears_of_port(&carol, serve(carol.router()).await, 1).await;
    sync_of(&alice).activate().await;
    assert_eq!(alice.node.state().unwrap().tip().header, *rival[1_399].header());
}
