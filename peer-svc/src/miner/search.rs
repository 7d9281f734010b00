//! The search of one job: templates from the ledger, rounds of threads, and what to do with what they find.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use raclette_api::event::{EventBody, MiningStep};
use raclette_chain::{
    accounts::Overlay,
    amount::Amount,
    block::{Block, merkle_root},
    difficulty::next_target,
    header::{BLOCK_VERSION, Header},
    rules::Parent,
    target::Target,
    time::Timestamp,
    transaction::{Reward, SignedTransaction},
};
use raclette_pow::Search;
use raclette_service::clock::now_ms;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    Order,
    job::{Job, JobState, Outcome, Template},
    race::Race,
};
use crate::node::{BlockOutcome, Node, NodeError, Origin, State};

/// How long the threads search before time, target and transactions are refreshed.
const ROUND: Duration = Duration::from_secs(1);
/// How many nonces a thread tries before it looks whether to stop: some milliseconds.
const SLICE: u64 = 1 << 17;

/// Runs a job to its end.
pub(super) async fn run(node: Arc<Node>, race: Arc<Race>, job: Arc<Job>, order: Order, stopping: CancellationToken) {
    tell(&node, EventBody::Mining(job.step(MiningStep::Started))).await;
    let outcome = tokio::select! {
        outcome = search(&node, &race, &job, order) => outcome,
        () = job.cancelled().cancelled() => Outcome::Cancelled,
        () = stopping.cancelled() => Outcome::Cancelled,
    };
    tracing::info!(job = job.id(), attempts = job.attempts(), ?outcome, "mining has ended");
    // Before anybody who waits for the end is told, so that it can be read by then.
    tell(&node, job.end(&outcome)).await;
    job.set_state(JobState::Done(outcome));
}

/// Stores a step as an event. The job does not depend on it.
async fn tell(node: &Node, step: EventBody) {
    if let Err(error) = node.tell(step).await {
        tracing::debug!(%error, "a step of mining is not among the events");
    }
}

/// Waits for the block that another member says to have found.
async fn pause(node: &Node, job: &Job) {
    if job.state() != JobState::Paused {
        job.set_state(JobState::Paused);
        tell(node, EventBody::Mining(job.step(MiningStep::Paused))).await;
    }
}

async fn search(node: &Arc<Node>, race: &Race, job: &Arc<Job>, order: Order) -> Outcome {
    let mut states = node.watch();
    let start = match node.state() {
        Ok(state) => state.tip().hash,
        Err(error) => return Outcome::Failed { reason: error.to_string() },
    };
    loop {
        let Ok(state) = node.state() else {
            return Outcome::Failed { reason: String::from("the chain is gone") };
        };
        if state.tip().hash != start {
            return lost(node, &state).await;
        }
        if let Err(error) = node.has_room() {
            return Outcome::Failed { reason: error.to_string() };
        }
        if let Some(until) = race.paused_until(&state, Instant::now()) {
            pause(node, job).await;
            // A new tip ends the waiting; so does the end of patience.
            let _ = tokio::time::timeout_at(until.into(), states.changed()).await;
            continue;
        }
        job.set_state(JobState::Searching);
        let template = prepare(node, &state, order.max_transactions);
        job.set_template(Template { height: template.header.height, target: template.header.target });
        let Some(header) = round(job, &template, order.threads, &mut states).await else {
            // Once a round, which is about once a second.
            node.tell_live(&EventBody::Mining(job.step(MiningStep::Progress)));
            continue;
        };
        // Found. Another's claim may have come meanwhile: then the block is held back while its body may still come, and
        // published if it wins after all, or the other's never comes.
        while let Ok(state) = node.state()
            && state.tip().hash == start
            && let Some(until) = race.paused_until(&state, Instant::now())
        {
            pause(node, job).await;
            let _ = tokio::time::timeout_at(until.into(), states.changed()).await;
        }
        let block = Block::new(header, template.reward, template.transactions);
        let hash = block.hash();
        match node.submit_block(block, Origin::Local).await {
            Ok(BlockOutcome::Accepted) => return Outcome::Mined { block: hash },
            Ok(_) => {
                // It is stored on a branch that did not win, and told to the others all the same.
                if let Ok(state) = node.state() {
                    return lost(node, &state).await;
                }
            }
            Err(NodeError::Block(error)) if error.code() == "time_too_old" => {}
            Err(error) => return Outcome::Failed { reason: error.to_string() },
        }
    }
}

/// Somebody else's block is the tip.
async fn lost(node: &Node, state: &State) -> Outcome {
    let block = state.tip().hash;
    match node.block(&block).await {
        Ok(Some(winner)) => Outcome::LostRace { winner: winner.reward().miner, block },
        Ok(None) => Outcome::Failed { reason: format!("the new tip {block} cannot be read") },
        Err(error) => Outcome::Failed { reason: error.to_string() },
    }
}

/// A block that lacks nothing but its nonce.
struct Candidate {
    header: Header,
    reward: Reward,
    transactions: Vec<SignedTransaction>,
    target: Target,
}

/// Takes transactions from the ledger and computes everything but the nonce.
fn prepare(node: &Node, state: &State, max_transactions: Option<usize>) -> Candidate {
    let tip = state.tip();
    let parameters = &state.rules.parameters;
    let height = state.next_height();
    let limit = max_transactions.unwrap_or(parameters.max_block_transactions as usize);
    let chosen = state.ledger.select(&mut Overlay::new(&state.accounts), parameters, height, limit);
    let fees = chosen
        .iter()
        .try_fold(Amount::ZERO, |sum, transaction| sum.checked_add(transaction.transaction().fee))
        .unwrap_or(Amount::ZERO);
    let amount = parameters.subsidy(height).checked_add(fees).unwrap_or(Amount::MAX);
    let reward = Reward { miner: node.identity().address(), amount };
    let transactions: Vec<SignedTransaction> = chosen.iter().map(|transaction| (**transaction).clone()).collect();
    let parent = state.index.parent(&tip.hash);
    let time = block_time(parent.as_ref());
    let target = next_target(&tip.header, time, parameters);
    let mut header = Header {
        previous: tip.hash,
        merkle_root: raclette_chain::hash::MerkleRoot::ZERO,
        version: BLOCK_VERSION,
        height,
        time,
        target: target.compact(),
        nonce: 0,
    };
    header.merkle_root = merkle_root(&header, &reward, &transactions, &state.rules.network);
    Candidate { header, reward, transactions, target }
}

/// Now, but above the median of the last eleven blocks.
fn block_time(parent: Option<&Parent>) -> Timestamp {
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    let earliest =
        parent.map_or(Timestamp::default(), |parent| parent.median_time.saturating_add(Duration::from_millis(1)));
    now.max(earliest)
}

/// Lets threads search for up to [`ROUND`]; the header with the nonce if one was found. A new tip ends the round early.
async fn round(
    job: &Arc<Job>,
    candidate: &Candidate,
    threads: Option<usize>,
    states: &mut tokio::sync::watch::Receiver<Option<Arc<State>>>,
) -> Option<Header> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A core's worth of room stays for the API by default.
    let threads = threads.unwrap_or(cores.saturating_sub(1)).clamp(1, cores);
    let search = Arc::new(Search::new(&candidate.header.bytes(), &candidate.target.bytes()));
    let stop = Arc::new(StopOnDrop(AtomicBool::new(false)));
    let next = Arc::new(AtomicU64::new(rand::random()));
    let (sender, receiver) = oneshot::channel();
    let sender = Arc::new(std::sync::Mutex::new(Some(sender)));
    for number in 0..threads {
        let (job, search, next, sender) =
            (Arc::clone(job), Arc::clone(&search), Arc::clone(&next), Arc::clone(&sender));
        let stop = Arc::downgrade(&stop);
        let work = move || {
            // The round holds the flag: when the round is over, however it ended, the threads end too.
            while stop.upgrade().is_some_and(|stop| !stop.0.load(Ordering::Relaxed)) {
                let start = next.fetch_add(SLICE, Ordering::Relaxed);
                let result = search.run(start, SLICE);
                let tried = result.as_ref().map_or(SLICE, |found| found.nonce.wrapping_sub(start).saturating_add(1));
                job.count(tried);
                if let Some(found) = result {
                    let mut sender = sender.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    if let Some(sender) = sender.take() {
                        // The round may be over already.
                        let _ = sender.send(found.nonce);
                    }
                    return;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name(format!("miner-{number}")).spawn(work) {
            tracing::error!(%error, "a mining thread could not be started");
        }
    }
    // The round must end at a new tip, but not at every transaction that comes into the ledger.
    let tip = candidate.header.previous;
    let new_tip = async {
        loop {
            if states.changed().await.is_err() {
                return;
            }
            if states.borrow().as_ref().is_none_or(|state| state.tip().hash != tip) {
                return;
            }
        }
    };
    let nonce = tokio::select! {
        nonce = receiver => nonce.ok(),
        () = new_tip => None,
        () = tokio::time::sleep(ROUND) => None,
    };
    stop.0.store(true, Ordering::Relaxed);
    nonce.map(|nonce| Header { nonce, ..candidate.header })
}

/// A flag that also counts as set once it is gone.
struct StopOnDrop(AtomicBool);
