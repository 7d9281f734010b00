//! Bodies: asked for in ranges, from several members at once, verified on all cores, and handed to the writer in order.
//!
//! What is asked for when is the [`Schedule`]'s decision; this carries it out. A body that is not the one its header commits
//! to is a failure of the member that sent it, and is asked for elsewhere; a body that is, and breaks a rule all the same,
//! ends the branch.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use raclette_api::{block::BlockMessage, chain::ChainPage};
use raclette_chain::{
    block::{Block, merkle_root},
    hash::NetworkId,
    header::Header,
};
use raclette_service::client::read_json;
use tokio::task::{AbortHandle, JoinSet};

use super::{
    SyncError,
    headers::Branch,
    progress::Progress,
    schedule::{Bounds, Effect, Event, Schedule, Ticket},
};
use crate::{
    net::Net,
    node::{BlockOutcome, HandedIn, Neighbour, Node, NodeError, Origin, VerifiedBlock},
};

const BOUNDS: Bounds = Bounds {
    ranges: 16,
    ranges_each: 4,
    range_blocks: 100,
    range_bytes: 4 << 20,
    ahead_blocks: 1_024,
    held_bytes: 64 << 20,
    patience: Duration::from_secs(5),
    longest: Duration::from_secs(60),
    failures: 3,
};

/// More headers are read when fewer blocks than this are still to be asked for.
const FEW: u64 = 2_000;

/// Why a range has not come.
enum Fault {
    /// The member has not got these blocks.
    Lacking,
    /// It did not answer, or with something else.
    Failed(String),
}

/// What a member sent of a range: its first blocks, at least one, and their bytes.
struct Delivery {
    blocks: Vec<Block>,
    bytes: usize,
}

/// A block that has been handed to the writer.
struct Handed {
    position: u64,
    bytes: usize,
    transactions: usize,
    outcome: Result<BlockOutcome, NodeError>,
}

/// Fetches the bodies of a branch. Dropping it ends everything that is on its way.
pub(super) struct Bodies<'a> {
    node: &'a Arc<Node>,
    net: &'a Net,
    sources: Vec<Neighbour>,
    network: NetworkId,
    schedule: Schedule,
    /// The headers whose bodies are not stored yet, and the position of the first.
    headers: VecDeque<Header>,
    base: u64,
    asking: JoinSet<(Ticket, Result<Delivery, Fault>)>,
    flying: HashMap<Ticket, (u64, AbortHandle)>,
    verifying: JoinSet<(u64, usize, Result<VerifiedBlock, NodeError>)>,
    /// Verified, and waiting for what comes before; with its bytes.
    verified: BTreeMap<u64, (VerifiedBlock, usize)>,
    next_to_hand_in: u64,
    handed: FuturesOrdered<futures_util::future::BoxFuture<'static, Handed>>,
}

impl<'a> Bodies<'a> {
    /// Asks these members, the branch's own first.
    pub(super) fn new(node: &'a Arc<Node>, net: &'a Net, sources: Vec<Neighbour>) -> Result<Self, NodeError> {
        let network = node.state()?.rules.network;
        let schedule = Schedule::new(BOUNDS, sources.len());
        Ok(Self {
            node,
            net,
            sources,
            network,
            schedule,
            headers: VecDeque::new(),
            base: 0,
            asking: JoinSet::new(),
            flying: HashMap::new(),
            verifying: JoinSet::new(),
            verified: BTreeMap::new(),
            next_to_hand_in: 0,
            handed: FuturesOrdered::new(),
        })
    }

    /// Fetches all that the branch has; returns how many blocks that were.
    ///
    /// # Errors
    /// When a block is not valid, nobody gives it, or it cannot be stored. What came before stays.
    pub(super) async fn fetch(mut self, branch: Branch, progress: &mut Progress) -> Result<u64, SyncError> {
        let origin = Origin::Member(branch.member().address);
        let mut reading = Some(Box::pin(next_headers(branch, self.node, self.net)));
        let mut waiting_branch = None;
        loop {
            if self.schedule.unasked() < FEW
                && let Some(branch) = waiting_branch.take()
            {
                reading = Some(Box::pin(next_headers(branch, self.node, self.net)));
            }
            if reading.is_none() && waiting_branch.is_none() && self.schedule.is_done() {
                return Ok(self.base);
            }
            let deadline = self.schedule.deadline();
            tokio::select! {
                (branch, headers) = async { reading.as_mut().expect("looked at before").await }, if reading.is_some() => {
                    reading = None;
                    let headers = headers?;
                    if !headers.is_empty() {
                        waiting_branch = Some(branch);
                        self.headers.extend(&headers);
                        self.step(Event::Wanted(headers.len() as u64))?;
                    }
                }
                Some(joined) = self.asking.join_next() => {
                    // What was abandoned ends as cancelled.
                    if let Ok((ticket, answer)) = joined {
                        self.take(ticket, answer)?;
                    }
                }
                Some(joined) = self.verifying.join_next() => {
                    let (position, bytes, block) = joined.map_err(|_| NodeError::ShuttingDown)?;
                    self.verified.insert(position, (block?, bytes));
                    self.hand_in(origin).await?;
                }
                Some(handed) = self.handed.next() => self.stored(handed, progress)?,
                () = sleep_until(deadline), if deadline.is_some() => self.step(Event::Tick)?,
            }
        }
    }

    fn step(&mut self, event: Event) -> Result<(), SyncError> {
        for effect in self.schedule.step(Instant::now(), event) {
            match effect {
                Effect::Ask { ticket, source, from, count } => {
                    let first = usize::try_from(from - self.base).unwrap_or(usize::MAX);
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    let wanted: Vec<Header> = self.headers.iter().skip(first).take(count).copied().collect();
                    let (net, source, network) = (self.net.clone(), self.sources[source].clone(), self.network);
                    let abort = self.asking.spawn(async move { (ticket, ask(net, source, wanted, network).await) });
                    self.flying.insert(ticket, (from, abort));
                }
                Effect::Abandon(ticket) => {
                    if let Some((from, abort)) = self.flying.remove(&ticket) {
                        tracing::info!(from, "a member does not send blocks; another one is asked");
                        abort.abort();
                    }
                }
                Effect::GiveUp => return Err(SyncError::NobodyGives),
            }
        }
        Ok(())
    }

    /// Takes what a member answered.
    fn take(&mut self, ticket: Ticket, answer: Result<Delivery, Fault>) -> Result<(), SyncError> {
        let Some((from, _)) = self.flying.remove(&ticket) else { return Ok(()) };
        match answer {
            Ok(Delivery { blocks, bytes }) => {
                let count = blocks.len();
                let share = bytes / count.max(1);
                for (position, block) in (from..).zip(blocks) {
                    let node = Arc::clone(self.node);
                    self.verifying.spawn(async move { (position, share, node.verify_block(block).await) });
                }
                self.step(Event::Arrived { ticket, blocks: count as u64, bytes: share * count })
            }
            Err(Fault::Lacking) => self.step(Event::Lacking(ticket)),
            Err(Fault::Failed(error)) => {
                tracing::info!(from, error, "a member failed to send blocks");
                self.step(Event::Failed(ticket))
            }
        }
    }

    /// Hands to the writer what is next, as far as it is there.
    async fn hand_in(&mut self, origin: Origin) -> Result<(), SyncError> {
        while let Some((block, bytes)) = self.verified.remove(&self.next_to_hand_in) {
            let (position, transactions) = (self.next_to_hand_in, block.block().transactions().len());
            let handed: HandedIn = self.node.hand_in(block, origin).await?;
            let stored = async move { Handed { position, bytes, transactions, outcome: handed.outcome().await } };
            self.handed.push_back(Box::pin(stored));
            self.next_to_hand_in += 1;
        }
        Ok(())
    }

    fn stored(&mut self, handed: Handed, progress: &mut Progress) -> Result<(), SyncError> {
        match handed.outcome? {
            BlockOutcome::Accepted | BlockOutcome::Stored | BlockOutcome::Known => {}
            BlockOutcome::Orphan | BlockOutcome::Later | BlockOutcome::Unkept => return Err(SyncError::NoCommonBlock),
        }
        self.headers.pop_front();
        self.base = handed.position + 1;
        progress.stored(handed.transactions);
        self.step(Event::Stored { until: self.base, bytes: handed.bytes })
    }
}

/// Reads the next headers of a branch, and gives the branch back.
async fn next_headers(mut branch: Branch, node: &Node, net: &Net) -> (Branch, Result<Vec<Header>, SyncError>) {
    let headers = branch.next(node, net).await;
    (branch, headers)
}

async fn sleep_until(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline.into()).await;
    }
}

/// Asks a member for consecutive blocks: by their heights, and by the first one's hash where its active branch is another.
async fn ask(net: Net, member: Neighbour, wanted: Vec<Header>, network: NetworkId) -> Result<Delivery, Fault> {
    let failed = |error: String| Fault::Failed(format!("{}: {error}", member.name));
    let Some(first) = wanted.first().copied() else { return Err(failed(String::from("nothing was asked for"))) };
    let text = net.chain(&member, first.height, wanted.len()).await.map_err(|error| failed(error.to_string()))?;
    let decoded = decode_elsewhere(move || page(&text, &wanted, &network)).await.map_err(failed)?;
    if !decoded.blocks.is_empty() {
        return Ok(decoded);
    }
    let text = match net.block(&member, &first.hash()).await {
        Ok(text) => text,
        Err(error) if error.code() == Some(raclette_service::problem::Code::UnknownBlock) => {
            return Err(Fault::Lacking);
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    let single = move || {
        let message: BlockMessage = read_json(&text).map_err(|error| error.to_string())?;
        Ok(Delivery { blocks: vec![committed(&message, &first, &network)?], bytes: text.len() })
    };
    decode_elsewhere(single).await.map_err(failed)
}

async fn decode_elsewhere(
    work: impl FnOnce() -> Result<Delivery, String> + Send + 'static,
) -> Result<Delivery, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

/// The blocks of a page, as long as they are the wanted ones.
fn page(text: &[u8], wanted: &[Header], network: &NetworkId) -> Result<Delivery, String> {
    let page: ChainPage = read_json(text).map_err(|error| error.to_string())?;
    let mut blocks = Vec::with_capacity(wanted.len());
    for (message, header) in page.blocks.iter().zip(wanted) {
        // Another block at this height: the member's active branch leaves the wanted one here.
        if !message.header().is_ok_and(|found| found == *header) {
            break;
        }
        blocks.push(committed(message, header, network)?);
    }
    Ok(Delivery { blocks, bytes: text.len() })
}

/// The block behind a message, if its body is the one that the header commits to.
fn committed(message: &BlockMessage, header: &Header, network: &NetworkId) -> Result<Block, String> {
    let (block, _) = message.decode(network).map_err(|error| error.to_string())?;
    if block.header() != header {
        return Err(format!("another block than {}", header.hash()));
    }
    let root = merkle_root(header, block.reward(), block.transactions(), network);
    if root == header.merkle_root {
        Ok(block)
    } else {
        Err(format!("another body than the one that block {} commits to", header.hash()))
    }
}
