//! Anti-entropy: compares chain and ledger with other members, and fetches what is missing. This heals everything that
//! relay and queue did not bring.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use raclette_api::{
    ApiError,
    block::BlockMessage,
    chain::{StatusMessage, SyncState, SyncStatus, Tip},
};
use raclette_chain::{
    hash::BlockHash,
    header::Header,
    index::median,
    rules::{BlockError, Parent, check_header},
    time::Timestamp,
};
use raclette_service::{client::SendError, clock::now_ms};
use tokio::task::JoinSet;

use crate::{
    net::Net,
    node::{BlockOutcome, Incoming, Neighbour, Node, NodeError, Origin, State},
    status::Status,
};

/// How many headers are asked for at once.
const HEADERS: usize = 2_000;
/// How many blocks are asked for at once.
const BLOCKS: usize = 100;
/// How often progress is logged.
const PROGRESS: Duration = Duration::from_secs(2);
/// How many rounds at the start may find nobody who answers, and how far they are apart.
const PATIENCE: u32 = 5;
const SOON: Duration = Duration::from_millis(300);
/// How many members are compared with in a round.
const COMPARED: usize = 8;

/// Why the history could not be fetched from a member.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error("{0}")]
    Send(#[from] SendError),
    #[error("its answer makes no sense: {0}")]
    Answer(#[from] ApiError),
    #[error("its header at height {height} is not valid: {error}")]
    Header { height: u32, error: BlockError },
    #[error("its headers do not start at a block that is known here")]
    NoCommonBlock,
    #[error("it does not give block {0}, which its headers promise")]
    BlockMissing(BlockHash),
    #[error("{0}")]
    Node(#[from] NodeError),
}

/// Compares and fetches.
#[derive(Debug)]
pub struct Sync {
    node: Arc<Node>,
    net: Net,
    status: Arc<Status>,
    period: Duration,
    /// How many rounds at the start found nobody who answers.
    unanswered: AtomicU32,
}

impl Sync {
    /// Compares every `period`.
    #[must_use]
    pub fn new(node: Arc<Node>, net: Net, status: Arc<Status>, period: Duration) -> Self {
        Self { node, net, status, period, unanswered: AtomicU32::new(0) }
    }

    /// One round; returns after how long to do the next.
    pub async fn activate(&self) -> Duration {
        let Ok(state) = self.node.state() else { return Duration::from_millis(200) };
        let known = self.node.members().online();
        let mut answers = self.ask_around(&known).await;
        let starting = self.status.sync_status().state == SyncState::Starting;
        if answers.is_empty() && !known.is_empty() && starting {
            // They may all be gone; then there is nobody to be behind of.
            if self.unanswered.fetch_add(1, Ordering::Relaxed) < PATIENCE {
                return SOON;
            }
            tracing::warn!(members = known.len(), "no member answers; the history cannot be compared");
        }
        answers.sort_by(|(_, left), (_, right)| right.work.cmp(&left.work).then(left.hash.cmp(&right.hash)));
        for (member, tip) in &answers {
            let Ok(state) = self.node.state() else { break };
            let ours = state.tip();
            if tip.work < ours.work || (tip.work == ours.work && tip.hash >= ours.hash) {
                break;
            }
            match self.fetch_chain(member, tip).await {
                Ok(blocks) => tracing::info!(member = member.name, blocks, "the history is up to date"),
                Err(error) => tracing::warn!(member = member.name, %error, "the history could not be fetched"),
            }
        }
        drop(state);
        if let Some((member, _)) = answers.get(rand::random_range(0..answers.len().max(1))) {
            self.compare_ledger(member).await;
        }
        self.note(SyncState::Synced, 0);
        self.period
    }

    fn note(&self, state: SyncState, target_height: u32) {
        let height = self.node.state().map_or(0, |state| state.tip().header.height);
        self.status.set_sync(SyncStatus { state, height, target_height: target_height.max(height) });
    }

    /// The tips of some members.
    async fn ask_around(&self, members: &[Neighbour]) -> Vec<(Neighbour, Tip)> {
        let mut questions = JoinSet::new();
        let start = rand::random_range(0..members.len().max(1));
        for member in members.iter().cycle().skip(start).take(members.len().min(COMPARED)).cloned() {
            let net = self.net.clone();
            questions.spawn(async move {
                let status = net.status(&member).await;
                (member, status)
            });
        }
        let network = self.node.network().map(|network| network.to_string());
        let mut answers = Vec::new();
        while let Some(answer) = questions.join_next().await {
            if let Ok((member, Ok(StatusMessage { tip: Some(tip), network_id, .. }))) = answer
                && network_id == network
                && let Ok(tip) = Tip::try_from(&tip)
            {
                answers.push((member, tip));
            }
        }
        answers
    }

    /// Fetches what a member's chain has and ours has not: headers first, then bodies.
    async fn fetch_chain(&self, member: &Neighbour, tip: &Tip) -> Result<usize, SyncError> {
        let mut fetched = 0;
        let mut logged = Instant::now();
        let mut after = self.node.state()?.index.locator();
        loop {
            let headers = self.fetch_headers(member, &after).await?;
            let Some(last) = headers.last() else { return Ok(fetched) };
            let last_hash = last.hash();
            // Blocks that are stored here already, on another branch, need no second fetching.
            let known = self.node.state()?.index.clone();
            let mut wanted = headers.into_iter().skip_while(|header| known.get(&header.hash()).is_some());
            while let Some(first) = wanted.next() {
                let mut expected = vec![first];
                expected.extend(wanted.by_ref().take(BLOCKS - 1));
                for block in self.fetch_blocks(member, &expected).await? {
                    self.submit(member, &block).await?;
                    fetched += 1;
                }
                self.note(SyncState::Syncing, tip.height);
                if logged.elapsed() >= PROGRESS {
                    logged = Instant::now();
                    let height = self.node.state()?.tip().header.height;
                    tracing::info!(member = member.name, height, of = tip.height, "fetching the history");
                }
            }
            if last_hash == tip.hash {
                return Ok(fetched);
            }
            after = vec![last_hash];
        }
    }

    /// The member's next headers, each checked on top of the one before: work is seen before any body is asked for.
    async fn fetch_headers(&self, member: &Neighbour, after: &[BlockHash]) -> Result<Vec<Header>, SyncError> {
        let page = self.net.headers(member, after, HEADERS).await?;
        let state = self.node.state()?;
        let mut headers: Vec<Header> = Vec::with_capacity(page.headers.len());
        for message in &page.headers {
            let header = Header::try_from(message)?;
            let parent = parent_of(&state, &headers, &header).ok_or(SyncError::NoCommonBlock)?;
            let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
            check_header(&header, &parent, &state.rules, now)
                .map_err(|error| SyncError::Header { height: header.height, error })?;
            headers.push(header);
        }
        Ok(headers)
    }

    /// The bodies for consecutive headers: by height, and by hash where the member's chain has moved meanwhile.
    async fn fetch_blocks(&self, member: &Neighbour, headers: &[Header]) -> Result<Vec<BlockMessage>, SyncError> {
        let Some(first) = headers.first() else { return Ok(Vec::new()) };
        let mut blocks = Vec::with_capacity(headers.len());
        while blocks.len() < headers.len() {
            let from = first.height + u32::try_from(blocks.len()).unwrap_or(u32::MAX);
            let page = self.net.chain(member, from, headers.len() - blocks.len()).await?;
            let before = blocks.len();
            for (message, header) in page.blocks.into_iter().zip(&headers[before..]) {
                if message.header().is_ok_and(|found| found == *header) {
                    blocks.push(message);
                } else {
                    break;
                }
            }
            if blocks.len() == before {
                let hash = headers[before].hash();
                let message = self.net.block(member, &hash).await?;
                if !message.header().is_ok_and(|found| found.hash() == hash) {
                    return Err(SyncError::BlockMissing(hash));
                }
                blocks.push(message);
            }
        }
        Ok(blocks)
    }

    async fn submit(&self, member: &Neighbour, message: &BlockMessage) -> Result<(), SyncError> {
        let network = self.node.state()?.rules.network;
        let (block, _) = message.decode(&network)?;
        match self.node.submit_block(block, Origin::Member(member.address)).await? {
            BlockOutcome::Accepted | BlockOutcome::Stored | BlockOutcome::Known => Ok(()),
            BlockOutcome::Orphan | BlockOutcome::Later => Err(SyncError::NoCommonBlock),
        }
    }

    /// Fetches pending transactions that a member has and we have not.
    async fn compare_ledger(&self, member: &Neighbour) {
        if let Err(error) = self.fetch_ledger(member).await {
            tracing::info!(member = member.name, %error, "its ledger could not be compared");
        }
    }

    async fn fetch_ledger(&self, member: &Neighbour) -> Result<(), SyncError> {
        let status = self.net.status(member).await?;
        let state = self.node.state()?;
        if status.ledger.digest == raclette_api::encoding::to_hex(state.ledger.digest()) || status.ledger.count == 0 {
            return Ok(());
        }
        let mut cursor = None;
        loop {
            let page = self.net.ledger(member, cursor.as_deref()).await?;
            let mut unknown = Vec::new();
            for message in &page.transactions {
                let (transaction, message) = message.decode(&state.rules.network)?;
                if state.ledger.get(&transaction.id()).is_none() {
                    unknown.push(Incoming { transaction, message });
                }
            }
            if !unknown.is_empty() {
                let count = unknown.len();
                self.node.submit(unknown, Origin::Member(member.address)).await?;
                tracing::info!(member = member.name, count, "pending transactions that were missing here");
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

/// What the rules need to know of a header's parent, which is stored or among the headers before it.
fn parent_of(state: &State, before: &[Header], header: &Header) -> Option<Parent> {
    let Some(last) = before.last() else {
        return state.index.parent(&header.previous);
    };
    let mut times: Vec<Timestamp> = before.iter().rev().take(11).map(|header| header.time).collect();
    let mut cursor = before.first().map(|first| first.previous);
    while times.len() < 11
        && let Some(entry) = cursor.and_then(|hash| state.index.get(&hash))
    {
        times.push(entry.header.time);
        cursor = Some(entry.header.previous);
    }
    Some(Parent { header: *last, median_time: median(times) })
}
