//! SIGTERM in the middle of everything: requests under way are answered, and nothing that was acknowledged is lost.

use std::{sync::Arc, time::Duration};

use raclette_api::block::BlockMessage;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    file::File,
    process::{Home, Process},
    world::{World, messages},
};

/// What clients were told is kept.
#[derive(Default)]
struct Acknowledged {
    transactions: Vec<String>,
    blocks: Vec<String>,
}

/// Sends until the peer answers no more.
async fn submit(
    process: Arc<Process>,
    transactions: Vec<raclette_chain::transaction::SignedTransaction>,
) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    for transaction in transactions {
        let Ok(answer) = process.post("/tx", &messages(std::slice::from_ref(&transaction))).await else { break };
        assert!(answer["results"][0]["status"].is_string(), "{answer}");
        acknowledged.transactions.push(transaction.id().to_string());
    }
    acknowledged
}

async fn send(process: Arc<Process>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    while let Ok(sent) = process.post("/send", &json!({"to": "bob", "message": "quick"})).await {
        acknowledged.transactions.push(sent["transaction"]["id"].as_str().unwrap().to_owned());
    }
    acknowledged
}

async fn mine(process: Arc<Process>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    while let Ok(job) = process.post_and_wait("/mine", &json!({})).await {
        if job["outcome"] == "mined" {
            acknowledged.blocks.push(job["block"].as_str().unwrap().to_owned());
        }
    }
    acknowledged
}

/// Stops a peer under load, so many times.
async fn stop(seed: u64, times: usize) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..times {
        let mut world = World::new();
        let home = Home::in_network(&world.genesis, &world.members()).await;
        let mut process = home.start(None);
        process.serves().await.unwrap();
        let mut tip = world.genesis_hash();
        for block in world.mine_first_blocks() {
            tip = block.hash();
            process.post("/block", &BlockMessage::full(&block, &world.rules.network)).await.unwrap();
        }
        let signed: Vec<_> = std::iter::from_fn(|| world.sign(&tip, &mut random)).take(100).collect();
        let mut process = Arc::new(process);
        let mut clients = JoinSet::new();
        for part in signed.chunks(25) {
            clients.spawn(submit(Arc::clone(&process), part.to_vec()));
        }
        clients.spawn(send(Arc::clone(&process)));
        clients.spawn(mine(Arc::clone(&process)));
        tokio::time::sleep(Duration::from_millis(random.random_range(5..150))).await;
        process.signal(Signal::TERM);
        let acknowledged = clients.join_all().await;
        let process = Arc::get_mut(&mut process).expect("the clients are gone");
        let status = process.ended().await;
        assert!(status.success(), "{status}\n{}", process.log());
        assert!(!process.log().contains("panicked"), "{}", process.log());
        let wal = home.path().join("peer.sqlite-wal");
        assert!(std::fs::metadata(wal).map_or(0, |wal| wal.len()) == 0, "the write-ahead log is not in the file");
        let file = File::read(&home.database(), &world.rules.network).await;
        for id in acknowledged.iter().flat_map(|one| &one.transactions) {
            assert!(file.ledger.contains(id) || file.confirmed.contains(id), "{id} was acknowledged and is lost");
        }
        for hash in acknowledged.iter().flat_map(|one| &one.blocks) {
            assert!(file.blocks.contains_key(&hash.parse().unwrap()), "block {hash} was acknowledged and is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_stopped_under_load_loses_nothing_it_acknowledged() {
    stop(3, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; run it with --ignored"]
async fn a_peer_that_is_stopped_under_load_a_hundred_times_loses_nothing() {
    stop(rand::random_range(1_000..1 << 40), 100).await;
}
