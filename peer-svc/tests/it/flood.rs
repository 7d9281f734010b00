//! A real peer, killed again and again while it fetches the history, and flooded with headers that cost little.

use std::{collections::HashMap, fs, path::Path, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::Request,
    middleware::{self, Next},
    response::IntoResponse as _,
};
use raclette_api::{
    block::{BlockMessage, HeaderMessage},
    membership::{NewRegistration, PeerRecord, PeerState, Registration},
};
use raclette_chain::{
    block::Block,
    genesis::Genesis,
    header::Header,
    keys::PrivateKey,
    parameters::Parameters,
    rules::Rules,
    testing::{BOB_PEM, key, next_block},
    time::Timestamp,
};
use raclette_service::clock::now_ms;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::{
    history::{branch, serve},
    peer::{EASY, Peer, eventually, genesis, tracker},
    process::{Home, Process},
};

/// Bob, online at this port.
fn bob_at(genesis: &Genesis, port: u16) -> PeerRecord {
    let bob = key(BOB_PEM);
    let new = NewRegistration {
        network: genesis.network(),
        tracker: tracker().public().address(),
        name: "bob",
        host: "127.0.0.1",
        port,
        epoch: 1,
        time: Timestamp::new(now_ms()).unwrap(),
    };
    PeerRecord {
        name: String::from("bob"),
        address: bob.public().address().to_string(),
        public_key: bob.public().to_pem(),
        state: PeerState::Online,
        epoch: 1,
        version: 1,
        last_seen: now_ms(),
        registration: Some(Registration::signed(&new, &bob)),
    }
}

async fn height(process: &Process) -> u64 {
    process.get("/status").await.unwrap()["tip"]["height"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_interrupted_by_sigkill_goes_on_from_there() {
    const BLOCKS: u64 = 3_000;
    let bob = Peer::bob(EASY).await;
    bob.takes(&branch(&genesis(EASY).header(), 3_000, &key(BOB_PEM), 0)).await;
    let port = serve(bob.router()).await;
    let home = Home::in_network(&genesis(EASY), &[bob_at(&genesis(EASY), port)]).await;
    let (mut reached, mut interrupted) = (0, 0);
    for _ in 0..8 {
        let mut process = home.start(None);
        process.serves().await.unwrap();
        assert!(height(&process).await >= reached, "what was told before is still there");
        let goal = (reached + rand::rng().random_range(1..500)).min(BLOCKS);
        reached = eventually("some more blocks have come", || async {
            Some(height(&process).await).filter(|height| *height >= goal)
        })
        .await;
        process.kill().await;
        process.ended().await;
        interrupted += usize::from(reached < BLOCKS);
    }
    assert!(interrupted > 0, "it was never in the middle");
    let mut process = home.start(None);
    process.serves().await.unwrap();
    eventually("all blocks have come", || async { (height(&process).await == BLOCKS).then_some(()) }).await;
    let state_hash = |status: &Value| status["tip"]["state_hash"].clone();
    assert_eq!(state_hash(&process.get("/status").await.unwrap()), state_hash(&bob.get("/status").await.ok()));
}

/// A network whose targets follow the time: who mines quickly works more for a block than who takes its time.
fn changing() -> Genesis {
    let parameters = Parameters { half_life_seconds: 400, spacing_seconds: 30, ..genesis(EASY).parameters };
    Genesis { parameters, ..genesis(EASY) }
}

fn mine(genesis: &Genesis, count: usize, milliseconds_apart: u64, miner: &PrivateKey) -> Vec<Block> {
    let rules = Rules { network: genesis.network(), parameters: genesis.parameters.clone() };
    let mut tip = genesis.header();
    let mut blocks = Vec::with_capacity(count);
    for _ in 0..count {
        let time = Timestamp::new(tip.time.milliseconds() + milliseconds_apart).unwrap();
        let block = next_block(&rules, &tip, time, miner.public().address(), Vec::new());
        tip = *block.header();
        blocks.push(block);
    }
    blocks
}

/// Bob's API, but he claims to have all the work there can be, shows these headers, and gives no block.
fn boaster(bob: &Peer, headers: Vec<Header>) -> Router {
    let places: HashMap<String, usize> =
        headers.iter().enumerate().map(|(place, header)| (header.hash().to_string(), place + 1)).collect();
    let shared = Arc::new((headers, places));
    bob.router().layer(middleware::from_fn(move |request: Request, next: Next| {
        let shared = Arc::clone(&shared);
        async move {
            let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
            let response = next.run(request).await;
            let address = response.headers()["raclette-address"].clone();
            let answer = match path.as_str() {
                "/status" => {
                    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
                    let mut status: Value = serde_json::from_slice(&body).unwrap();
                    status["tip"]["work"] = json!("f".repeat(64));
                    status["tip"]["height"] = json!(shared.0.len());
                    status
                }
                "/chain/headers" => {
                    let after = query.strip_prefix("after=").unwrap().split('&').next().unwrap();
                    let from = after.split(',').find_map(|hash| shared.1.get(hash)).copied().unwrap_or(0);
                    let page: Vec<HeaderMessage> =
                        shared.0[from..].iter().take(2_000).map(HeaderMessage::from).collect();
                    let tip = json!({"hash": "0".repeat(64), "height": 1, "work": "0".repeat(64), "time": 1,
                        "state_hash": "0".repeat(64)});
                    json!({"headers": page, "tip": tip})
                }
                _ => std::future::pending().await,
            };
            ([("raclette-address", address)], Json(answer)).into_response()
        }
    }))
}

/// A size in the status of a process, in KiB.
fn memory(process: &Process, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The bytes of the database and what belongs to it.
fn disk(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let database = files.filter(|file| file.file_name().to_string_lossy().starts_with("peer.sqlite"));
    database.map(|file| file.metadata().unwrap().len()).sum()
}

/// Lets a peer with `own` blocks of its own look at `count` cheap headers; tells what that costs it.
#[expect(clippy::print_stderr, reason = "the figures are what it is for")]
async fn flood(count: usize, own: usize) {
    let genesis = changing();
    let bob = Peer::newcomer("bob", key(BOB_PEM)).await;
    bob.node.found(genesis.clone()).await.unwrap();
    let cheap = mine(&genesis, count, 30_000, &key(BOB_PEM));
    let headers = cheap.iter().map(|block| *block.header()).collect();
    let home = Home::in_network(&genesis, &[]).await;
    // Mined in a hurry, its own blocks are harder one after the other.
    let own = mine(&genesis, own, 1, &key(BOB_PEM));
    let mut process = home.start(None);
    process.serves().await.unwrap();
    for block in &own {
        let message = BlockMessage::full(block, &genesis.network());
        assert_eq!(process.post("/block", &message).await.unwrap()["status"], "accepted");
    }
    process.kill().await;
    process.ended().await;
    let (mut writer, readers) = peer_svc::store::open(&home.database()).await.unwrap();
    let port = serve(boaster(&bob, headers)).await;
    peer_svc::store::peers::write(&mut writer, &[bob_at(&genesis, port)]).await.unwrap();
    readers.close().await;
    peer_svc::store::close(writer).await.unwrap();

    let (disk_before, begun) = (disk(home.path()), Instant::now());
    let mut process = home.start(None);
    process.serves().await.unwrap();
    let memory_before = memory(&process, "VmRSS:");
    eventually("the headers have been weighed", || async {
        process.log().contains("with less work than it claims").then_some(())
    })
    .await;
    assert_eq!(height(&process).await, own.len() as u64);
    let grown = memory(&process, "VmHWM:").saturating_sub(memory_before);
    let written = disk(home.path()).saturating_sub(disk_before);
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("{count} cheap headers: {grown} KiB of memory, {written} bytes on disk, {seconds:.1} s");
    assert!(grown < 50 << 10, "{grown} KiB");
    assert!(written < 1 << 20, "{written} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn cheap_headers_cost_neither_memory_nor_disk() {
    flood(10_000, 140).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the long form of the test above"]
async fn a_hundred_thousand_cheap_headers_cost_neither_memory_nor_disk() {
    flood(100_000, 175).await;
}
