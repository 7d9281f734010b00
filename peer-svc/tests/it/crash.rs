//! A real peer crashes again and again, at every step of a commit, of a reorganisation and of its own start, or wherever
//! SIGKILL meets it. After each crash its file is sound, its state is the one of a node that never crashed, and nothing that
//! it acknowledged is missing.
//!
//! The crash points are in builds with debug assertions only, and so are these tests.

use std::collections::{BTreeMap, BTreeSet};

use raclette_api::block::BlockMessage;
use raclette_chain::{
    block::{Block, Unchecked},
    hash::BlockHash,
    transaction::SignedTransaction,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use crate::{
    file::File,
    peer::Peer,
    process::{Home, Process},
    world::{World, messages},
};

/// How many crashes a data directory goes through before it is compared with a fresh peer that is given all its blocks.
const CRASHES_A_LIFE: usize = 50;
/// The height below which no branch leaves another.
const FIRST_BLOCKS: u32 = 3;
/// How many bursts of requests a peer gets before it is killed, if it does not crash by itself.
const BURSTS: usize = 8;

/// What a peer was asked to keep, and whether it said that it does.
#[derive(Default)]
struct Asked {
    blocks: BTreeSet<BlockHash>,
    transactions: BTreeSet<String>,
    /// The owner's own.
    sent: BTreeSet<String>,
    /// What it did not answer before it crashed: it may have kept it or not.
    open_blocks: Vec<Block<Unchecked>>,
    open_transactions: Vec<SignedTransaction>,
}

/// One data directory, from crash to crash.
struct Life {
    home: Home,
    world: World,
    asked: Asked,
    random: StdRng,
    /// How often it crashed, by place and step.
    crashes: BTreeMap<(String, String), usize>,
}

impl Life {
    async fn new(seed: u64) -> Self {
        let mut world = World::new();
        let home = Home::in_network(&world.genesis, &world.members()).await;
        let asked = Asked { open_blocks: world.mine_first_blocks(), ..Asked::default() };
        Self { home, world, asked, random: StdRng::seed_from_u64(seed), crashes: BTreeMap::new() }
    }

    /// Lets the peer run until it crashes, and looks at what it left.
    async fn crash(&mut self) {
        let place = self.choose_place();
        let mut process = self.home.start(place.as_deref());
        let status = match process.serves().await {
            Ok(()) => {
                self.work(&mut process).await;
                match process.has_ended() {
                    Some(status) => status,
                    None => {
                        process.kill().await;
                        process.ended().await
                    }
                }
            }
            Err(status) => status,
        };
        let point = process.crash_point(status).unwrap_or_else(|| ("killed".to_owned(), "anywhere".to_owned()));
        *self.crashes.entry(point).or_default() += 1;
        self.check().await;
    }

    fn choose_place(&mut self) -> Option<String> {
        let random = &mut self.random;
        let (place, most) = match random.random_range(0..100) {
            0..25 => ("start", 14),
            25..55 => ("reorganisation", 12),
            55..75 => ("commit", 60),
            75..90 => ("block", 12),
            _ => return None,
        };
        Some(format!("{place}:{}", random.random_range(1..=most)))
    }

    /// Sends bursts of requests until there is no answer any more.
    async fn work(&mut self, process: &mut Process) {
        self.is_as_the_file_says(process).await;
        for _ in 0..BURSTS {
            let _ = self.burst(process).await;
            // A process that has aborted may take a moment to be gone, and answers nothing more.
            if process.has_ended().is_some() {
                return;
            }
        }
    }

    /// What the peer says of itself is what its file says.
    async fn is_as_the_file_says(&self, process: &Process) {
        let file = File::read(&self.home.database(), &self.world.rules.network).await;
        let Ok(status) = process.get("/status").await else { return };
        let tip = file.tip().unwrap_or(self.world.genesis_hash());
        assert_eq!(status["tip"]["hash"], tip.to_string());
        assert_eq!(status["tip"]["state_hash"], self.world.state_hash(&tip).to_string());
        assert_eq!(status["ledger"]["count"], file.ledger.len(), "a restart lets go of pending transactions");
    }

    /// Some requests at once; none if the peer has crashed over them.
    async fn burst(&mut self, process: &Process) -> Option<()> {
        let tip = self.world.best(self.asked.blocks.iter());
        let mut blocks = std::mem::take(&mut self.asked.open_blocks);
        let mut transactions = std::mem::take(&mut self.asked.open_transactions);
        // Before that, nobody has any money.
        let begun = self.world.height(&tip) >= FIRST_BLOCKS;
        if begun {
            for _ in 0..self.random.random_range(0..5) {
                transactions.extend(self.world.sign(&tip, &mut self.random));
            }
        }
        if begun && self.random.random_bool(0.6) {
            blocks.extend(self.branch(&tip));
        }
        let mines = begun && blocks.is_empty() && self.random.random_bool(0.3);
        let sends = self.random.random_bool(0.4);
        let (took_blocks, took_transactions, sent, mined) = tokio::join!(
            submit_blocks(process, &blocks, &self.world),
            submit_transactions(process, &transactions),
            send(process, sends),
            mine(process, mines),
        );
        let unanswered = blocks.split_off(took_blocks);
        self.asked.blocks.extend(blocks.iter().map(Block::hash));
        let answered = unanswered.is_empty() && took_transactions;
        self.asked.open_blocks = unanswered;
        if took_transactions {
            self.asked.transactions.extend(transactions.iter().map(|transaction| transaction.id().to_string()));
        } else {
            self.asked.open_transactions = transactions;
        }
        self.asked.sent.extend(sent.flatten());
        if let Some(block) = mined.flatten() {
            self.asked.blocks.insert(block.parse().unwrap());
            let message: BlockMessage =
                serde_json::from_value(process.get(&format!("/block/{block}")).await.ok()?).unwrap();
            self.world.learn(&message.decode(&self.world.rules.network).unwrap().0);
        }
        answered.then_some(())
    }

    /// Blocks that go on from the tip, or from below it with more work than there is.
    fn branch(&mut self, tip: &BlockHash) -> Vec<Block<Unchecked>> {
        let depth = if self.random.random_bool(0.6) { self.random.random_range(1..=4) } else { 0 };
        let mut parent = self.world.below(tip, depth, FIRST_BLOCKS);
        let more = self.random.random_range(0..=1);
        let mine = |_| {
            let block = self.world.mine(&parent, &mut self.random);
            parent = block.hash();
            block
        };
        (0..depth + more).map(mine).collect()
    }

    /// Looks at the file as the crash left it.
    async fn check(&mut self) {
        let file = File::read(&self.home.database(), &self.world.rules.network).await;
        // What it mined itself without living to tell.
        let mut stored: Vec<_> = file.blocks.values().collect();
        stored.sort_by_key(|stored| stored.block.header().height);
        for stored in stored {
            self.world.learn(&stored.block);
        }
        for hash in &self.asked.blocks {
            assert!(file.blocks.contains_key(hash), "block {hash} was acknowledged and is lost");
        }
        // They came from the peer's own side, and bob never answers. A higher block takes the place of those below it: whoever
        // gets it asks for them.
        let is_to_be_sent = |hash: &BlockHash| file.to_be_sent.contains(&hash.to_string());
        let heights = || file.blocks.iter().map(|(hash, stored)| (hash, stored.block.header().height));
        let highest = heights().filter(|(hash, _)| is_to_be_sent(hash)).map(|(_, height)| height).max();
        for (hash, height) in heights() {
            let superseded = highest.is_some_and(|highest| highest > height);
            assert!(is_to_be_sent(hash) || superseded, "block {hash} is not to be sent to bob any more");
        }
        let tip = self.world.best(file.blocks.keys());
        assert_eq!(file.tip().unwrap_or(self.world.genesis_hash()), tip, "not the best tip of all stored blocks");
        for (hash, stored) in file.blocks.iter().filter(|(_, stored)| stored.active) {
            assert_eq!(stored.state_hash, Some(self.world.state_hash(hash)), "block {hash}");
        }
        assert_eq!(file.accounts, self.world.accounts(&tip));
        for id in self.asked.transactions.iter().chain(&self.asked.sent) {
            assert!(file.ledger.contains(id) || file.confirmed.contains(id), "{id} was acknowledged and is lost");
        }
        for id in &self.asked.sent {
            assert!(file.mail.contains(id), "{id} was sent and is not in the owner's mail");
            assert!(file.deliveries.contains(id), "{id} was sent and does not wait for its recipient");
        }
        assert!(file.ledger.is_disjoint(&file.confirmed), "a confirmed transaction is still pending");
        self.asked.blocks.extend(file.blocks.keys());
    }

    /// At the end: it stops in order, and a peer that never crashed gets to the same state by the same blocks.
    async fn end(mut self) -> BTreeMap<(String, String), usize> {
        let mut process = self.home.start(None);
        process.serves().await.unwrap();
        while self.burst(&process).await.is_none() {}
        process.signal(rustix::process::Signal::TERM);
        assert!(process.ended().await.success(), "{}", process.log());
        self.check().await;
        let file = File::read(&self.home.database(), &self.world.rules.network).await;
        let fresh = Peer::carol_in(self.world.genesis.clone()).await;
        let mut blocks: Vec<_> = file.blocks.values().map(|stored| &stored.block).collect();
        blocks.sort_by_key(|block| block.header().height);
        for block in blocks {
            fresh.post("/block", &json!(BlockMessage::full(block, &self.world.rules.network))).await.ok();
        }
        let status = fresh.get("/status").await.ok();
        let tip = file.tip().unwrap();
        assert_eq!(status["tip"]["hash"], tip.to_string());
        assert_eq!(status["tip"]["state_hash"], file.blocks[&tip].state_hash.unwrap().to_string());
        self.crashes
    }
}

/// Submits blocks one after the other; how many were taken before the peer crashed.
async fn submit_blocks(process: &Process, blocks: &[Block<Unchecked>], world: &World) -> usize {
    for (taken, block) in blocks.iter().enumerate() {
        let message = BlockMessage::full(block, &world.rules.network);
        let Ok(answer) = process.post("/block", &message).await else { return taken };
        let status = answer["status"].as_str().unwrap();
        assert!(["accepted", "stored", "known"].contains(&status), "{answer}");
    }
    blocks.len()
}

/// Submits transactions at once; whether they were taken before the peer crashed.
async fn submit_transactions(process: &Process, transactions: &[SignedTransaction]) -> bool {
    if transactions.is_empty() {
        return true;
    }
    let Ok(answer) = process.post("/tx", &messages(transactions)).await else { return false };
    for result in answer["results"].as_array().unwrap() {
        assert!(result["status"].is_string(), "{result}");
    }
    true
}

/// Has the owner send bob a message; its id, or nothing if the peer crashed.
async fn send(process: &Process, really: bool) -> Option<Option<String>> {
    if !really {
        return Some(None);
    }
    let sent = process.post("/send", &json!({"to": "bob", "message": "Is there any cheese left?"})).await.ok()?;
    Some(sent["transaction"]["id"].as_str().map(str::to_owned))
}

/// Has the peer mine; the block's hash if it found one, or nothing if the peer crashed.
async fn mine(process: &Process, really: bool) -> Option<Option<String>> {
    if !really {
        return Some(None);
    }
    let job = process.post_and_wait("/mine", &json!({})).await.ok()?;
    Some(job["block"].as_str().filter(|_| job["outcome"] == "mined").map(str::to_owned))
}

/// Crashes a peer so many times, and says where.
#[expect(clippy::print_stdout, reason = "the figures of a long run")]
async fn crash(seed: u64, times: usize) {
    let mut crashes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for life in 0..times.div_ceil(CRASHES_A_LIFE) {
        let mut one = Life::new(seed + life as u64).await;
        for _ in 0..CRASHES_A_LIFE.min(times - life * CRASHES_A_LIFE) {
            one.crash().await;
        }
        for (point, count) in one.end().await {
            *crashes.entry(point).or_default() += count;
        }
    }
    let at = |place: &str| crashes.iter().filter(|((at, _), _)| at == place).map(|(_, count)| count).sum::<usize>();
    println!("{times} crashes from seed {seed}: {crashes:?}");
    assert_eq!(crashes.values().sum::<usize>(), times);
    assert!(at("start") * 10 >= times, "too few while starting: {crashes:?}");
    assert!(at("reorganisation") * 10 >= times, "too few in a reorganisation: {crashes:?}");
    assert!(at("commit") * 20 >= times, "too few around a commit: {crashes:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(debug_assertions), ignore = "crash points are in debug builds only")]
async fn fifty_crashes_lose_nothing() {
    crash(1, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(debug_assertions), ignore = "crash points are in debug builds only")]
async fn fifty_other_crashes_lose_nothing() {
    crash(1_000, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; run it with --ignored"]
async fn a_thousand_crashes_lose_nothing() {
    crash(rand::random_range(10_000..1 << 40), 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(debug_assertions), ignore = "crash points are in debug builds only")]
async fn a_crash_at_any_step_of_the_first_start_is_mended_by_the_next() {
    let mut steps = BTreeSet::new();
    for step in 1.. {
        let home = Home::new();
        let mut process = home.start(Some(&format!("start:{step}")));
        let Err(status) = process.serves().await else { break };
        steps.insert(process.crash_point(status).unwrap().1);
        let mut process = home.start(None);
        process.serves().await.unwrap();
        assert_eq!(process.get("/healthz").await.unwrap()["status"], "ok");
        process.kill().await;
    }
    for step in ["directory_locked", "format_written", "format_committed", "store_open", "writer_started", "api_made"] {
        assert!(steps.contains(step), "{step}: {steps:?}");
    }
}
