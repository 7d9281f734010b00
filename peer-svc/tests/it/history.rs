//! Fetching the history over real connections, from peers that answer and from peers that misbehave.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use peer_svc::{net::Net, tasks::sync::Sync};
use raclette_chain::{
    amount::Amount,
    block::Block,
    hash::MessageDigest,
    header::Header,
    keys::PrivateKey,
    rules::Rules,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, key, next_block},
    time::Timestamp,
    transaction::Transaction,
};
use raclette_service::{
    client::{AddressPolicy, Client, Destination, Settings},
    server::{self, Limits},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::peer::{EASY, Peer, genesis, tracker};

/// Serves a router on a port of its own; the port.
pub(crate) async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(server::serve(listener, router, Limits::default(), std::future::pending()));
    port
}

/// Blocks on top of a header, each with so many transactions of their miner to itself.
pub(crate) fn branch(on: &Header, count: usize, miner: &PrivateKey, transactions: usize) -> Vec<Block> {
    let genesis = genesis(EASY);
    let rules = Rules { network: genesis.network(), parameters: genesis.parameters };
    let (mut blocks, mut sequence, mut tip) = (Vec::with_capacity(count), 0, *on);
    for number in 0..count {
        let mut signed = Vec::new();
        // The first block brings the money.
        for _ in 0..if number == 0 { 0 } else { transactions } {
            let transaction = Transaction {
                sender: miner.public().clone(),
                recipient: miner.public().address(),
                amount: Amount::ZERO,
                fee: Amount::ZERO,
                sequence,
                created: Timestamp::new(1).unwrap(),
                valid_until: 0,
                message_digest: MessageDigest::ZERO,
                message_length: 0,
            };
            signed.push(transaction.sign(miner, &rules.network));
            sequence += 1;
        }
        let time = Timestamp::new(tip.time.milliseconds() + 1_000).unwrap();
        let block = next_block(&rules, &tip, time, miner.public().address(), signed);
        tip = *block.header();
        blocks.push(block);
    }
    blocks
}

/// The task that fetches the history, for a peer of the tests.
pub(crate) fn sync_of(peer: &Peer) -> Sync {
    let client = Client::new(Settings::default(), AddressPolicy::private(true)).unwrap();
    let nobody = Destination::configured("tracker", None, "127.0.0.1", 9);
    let net = Net::new(client, nobody, None, &peer.address());
    Sync::new(Arc::clone(&peer.node), net, Arc::clone(&peer.status), Duration::from_secs(30))
}

/// Three peers with a chain, of which two have been served as they are or as `misuse` makes them; and a newcomer.
struct Network {
    newcomer: Peer,
    others: Vec<Peer>,
    tip: Header,
}

impl Network {
    async fn new(blocks: &[Block]) -> Self {
        let newcomer = Peer::newcomer("dave", tracker()).await.joined(EASY).await;
        let mut others = Vec::new();
        for (name, pem) in [("alice", ALICE_PEM), ("bob", BOB_PEM), ("carol", CAROL_PEM)] {
            let peer = Peer::newcomer(name, key(pem)).await.joined(EASY).await;
            peer.takes(blocks).await;
            others.push(peer);
        }
        Self { newcomer, others, tip: *blocks.last().unwrap().header() }
    }

    /// Serves one of the three and tells the newcomer of it.
    async fn serve(&self, place: usize, router: Router) {
        let port = serve(router).await;
        self.newcomer.hears_of_port(&self.others[place], port, place as u64 + 1).await;
    }

    fn newcomers_tip(&self) -> Header {
        self.newcomer.node.state().unwrap().tip().header
    }

    /// Fetches until the newcomer has everything.
    async fn fetch_all(&self) {
        let sync = sync_of(&self.newcomer);
        for _ in 0..5 {
            sync.activate().await;
            if self.newcomers_tip() == self.tip {
                return;
            }
        }
        panic!("the history did not come: {:?}", self.newcomers_tip());
    }
}

/// A peer's API with some answers replaced.
fn misuse<F>(peer: &Peer, misbehave: F) -> Router
where
    F: Fn(&str, Value) -> Option<Value> + Clone + Send + std::marker::Sync + 'static,
{
    let replace = move |request: Request, next: Next| {
        let misbehave = misbehave.clone();
        async move {
            let path = request.uri().path().to_owned();
            let response = next.run(request).await;
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let Ok(value) = serde_json::from_slice::<Value>(&body) else {
                return Response::from_parts(parts, body.into());
            };
            match misbehave(&path, value) {
                Some(changed) => {
                    let address = parts.headers["raclette-address"].clone();
                    ([("raclette-address", address)], Json(changed)).into_response()
                }
                None => Response::from_parts(parts, body.into()),
            }
        }
    };
    peer.router().layer(middleware::from_fn(replace))
}

/// A peer's API that never answers a request for blocks, and counts them.
fn silent(peer: &Peer, asked: Arc<AtomicUsize>) -> Router {
    peer.router().layer(middleware::from_fn(move |request: Request, next: Next| {
        let asked = Arc::clone(&asked);
        async move {
            if request.uri().path() == "/chain" || request.uri().path().starts_with("/block/") {
                asked.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
            next.run(request).await
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_sends_a_block_is_replaced() {
    let network = Network::new(&branch(&genesis(EASY).header(), 2_000, &key(ALICE_PEM), 0)).await;
    let asked = Arc::new(AtomicUsize::new(0));
    network.serve(0, network.others[0].router()).await;
    network.serve(1, silent(&network.others[1], Arc::clone(&asked))).await;
    network.serve(2, network.others[2].router()).await;
    network.fetch_all().await;
    assert!(asked.load(Ordering::Relaxed) > 0, "it was asked as well");
    let status = network.newcomer.get("/status").await.ok();
    assert_eq!(status["sync"], json!({"state": "synced", "height": 2_000, "target_height": 2_000}));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bodies_and_garbage_are_asked_for_elsewhere() {
    let network = Network::new(&branch(&genesis(EASY).header(), 300, &key(ALICE_PEM), 1)).await;
    network.serve(0, network.others[0].router()).await;
    let wrong = |path: &str, mut value: Value| {
        (path == "/chain").then(|| {
            for block in value["blocks"].as_array_mut().unwrap() {
                block["reward"] = json!({"miner": block["reward"]["miner"], "amount": 51});
            }
            value
        })
    };
    network.serve(1, misuse(&network.others[1], wrong)).await;
    let garbage = |path: &str, _: Value| (path == "/chain").then(|| json!({"blocks": "none today"}));
    network.serve(2, misuse(&network.others[2], garbage)).await;
    network.fetch_all().await;
    let state = network.newcomer.node.state().unwrap();
    let theirs = network.others[0].node.state().unwrap();
    assert_eq!(state.tip(), theirs.tip(), "state hashes included");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_height_is_not_believed_and_headers_that_end_do_no_harm() {
    let network = Network::new(&branch(&genesis(EASY).header(), 50, &key(ALICE_PEM), 0)).await;
    let boast = |path: &str, mut value: Value| {
        (path == "/status").then(|| {
            value["tip"]["height"] = json!(4_000_000);
            value["tip"]["work"] = json!(format!("{:064x}", u64::MAX));
            value
        })
    };
    network.serve(1, misuse(&network.others[1], boast)).await;
    let ends = move |path: &str, mut value: Value| {
        let boasted = boast(path, value.clone());
        boasted.or_else(|| {
            (path == "/chain/headers").then(|| {
                value["headers"].as_array_mut().unwrap().truncate(3);
                value
            })
        })
    };
    network.serve(2, misuse(&network.others[2], ends)).await;
    network.serve(0, network.others[0].router()).await;
    network.fetch_all().await;
    let status = network.newcomer.get("/status").await.ok();
    assert_eq!(status["sync"]["target_height"], 50, "what was only claimed is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_catches_up_while_blocks_are_mined() {
    let blocks = branch(&genesis(EASY).header(), 600, &key(ALICE_PEM), 0);
    let network = Network::new(&blocks[..300]).await;
    network.serve(0, network.others[0].router()).await;
    network.serve(1, network.others[1].router()).await;
    let grow = async {
        for block in &blocks[300..] {
            for peer in &network.others[..2] {
                peer.takes(std::slice::from_ref(block)).await;
            }
        }
    };
    let sync = sync_of(&network.newcomer);
    let fetch = async {
        while network.newcomers_tip().height < 300 {
            sync.activate().await;
        }
    };
    tokio::join!(grow, fetch);
    sync.activate().await;
    assert_eq!(network.newcomers_tip(), *blocks[599].header());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_branch_replaces_the_own_one_after_its_headers_have_been_weighed() {
    let common = branch(&genesis(EASY).header(), 10, &key(ALICE_PEM), 0);
    let fork = *common[9].header();
    let longer = branch(&fork, 2_500, &key(BOB_PEM), 0);
    let network = Network::new(&[common.clone(), longer].concat()).await;
    network.newcomer.takes(&[common, branch(&fork, 2_400, &key(CAROL_PEM), 0)].concat()).await;
    network.serve(0, network.others[0].router()).await;
    network.fetch_all().await;
    assert_eq!(network.newcomers_tip().height, 2_510);
}

/// Both peers share this process. Every signature is one the newcomer has not seen before.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: run it alone, with --release and --no-capture"]
#[expect(clippy::print_stderr, reason = "the figures are what it is for")]
async fn how_fast_the_history_comes() {
    const BLOCKS: usize = 40;
    const EACH: usize = 1_000;
    let blocks = branch(&genesis(EASY).header(), BLOCKS + 1, &key(ALICE_PEM), EACH);
    let alice = Peer::alice(EASY).await;
    alice.takes(&blocks).await;
    let newcomer = Peer::bob(EASY).await;
    newcomer.hears_of_port(&alice, serve(alice.router()).await, 1).await;
    let begun = std::time::Instant::now();
    sync_of(&newcomer).activate().await;
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(newcomer.node.state().unwrap().tip(), alice.node.state().unwrap().tip());
    let count = BLOCKS * EACH;
    eprintln!("{count} transactions in {BLOCKS} blocks: {seconds:.2} s, {:.0} a second", count as f64 / seconds);
}
