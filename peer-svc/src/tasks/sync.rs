//! Anti-entropy: compares chain and ledger with other members, and fetches what is missing. This heals everything that
//! relay and queue did not bring, and brings a newcomer the whole history.
//!
//! - `headers`: a member's headers are weighed before any body is asked for.
//! - `schedule`: which blocks are asked for when, and from whom; a pure state machine.
//! - `bodies`: carries that out, verifies, and hands the blocks to the writer.
//! - `ledger`: pending transactions that are missing here.
//! - `progress`: what is told about it.
//!
//! Nothing is kept of an interrupted fetch but the blocks that were stored: the next one goes on behind them.

mod bodies;
mod headers;
mod ledger;
mod progress;
mod schedule;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bodies::Bodies;
use progress::Progress;
use raclette_api::{
    ApiError,
    chain::{StatusMessage, SyncState, SyncStatus, Tip},
};
use raclette_chain::{address::Address, header::Header, rules::BlockError};
use raclette_service::client::SendError;
use tokio::task::JoinSet;

use crate::{
    net::Net,
    node::{Neighbour, Node, NodeError, State},
    penalties::{Penalties, Terms},
    status::Status,
};

/// How many rounds at the start may find nobody who answers, and how far they are apart.
const PATIENCE: u32 = 5;
const SOON: Duration = Duration::from_millis(300);
/// How many members are compared with in a round.
const COMPARED: usize = 8;
/// Members from whom no history could be fetched come last for some time. They are asked all the same if nobody else has it:
/// this is an order, not a ban.
const LAST: Terms = Terms { first: Duration::from_secs(30), longest: Duration::from_secs(3_600), entries: 1_000 };

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
    #[error("its headers end at height {height} with less work than it claims")]
    TooLittleWork { height: u32 },
    #[error("its branch has changed meanwhile")]
    BranchChanged,
    #[error("no member gives the blocks that its headers promise")]
    NobodyGives,
    #[error("{0}")]
    Node(#[from] NodeError),
}

impl SyncError {
    fn header(header: &Header, error: BlockError) -> Self {
        Self::Header { height: header.height, error }
    }

    /// Whether it speaks against the member, and not against this peer or the moment.
    fn is_the_members(&self) -> bool {
        match self {
            Self::Send(_)
            | Self::Answer(_)
            | Self::Header { .. }
            | Self::NoCommonBlock
            | Self::TooLittleWork { .. }
            | Self::NobodyGives => true,
            Self::BranchChanged => false,
            Self::Node(error) => matches!(error, NodeError::Block(_) | NodeError::KnownInvalid { .. }),
        }
    }
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
    last: Mutex<Penalties<Address>>,
}

impl Sync {
    /// Compares every `period`.
    #[must_use]
    pub fn new(node: Arc<Node>, net: Net, status: Arc<Status>, period: Duration) -> Self {
        let last = Mutex::new(Penalties::new(LAST));
        Self { node, net, status, period, unanswered: AtomicU32::new(0), last }
    }

    /// One round; returns after how long to do the next.
    pub async fn activate(&self) -> Duration {
        if self.node.state().is_err() {
            return Duration::from_millis(200);
        }
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
        self.sort(&mut answers);
        for (member, tip) in &answers {
            let Ok(state) = self.node.state() else { break };
            if !would_win(tip, &state) {
                continue;
            }
            // Whoever else answers may have the same blocks.
            let others = answers.iter().map(|(other, _)| other).filter(|other| other.address != member.address);
            let sources = std::iter::once(member).chain(others).cloned().collect();
            match self.fetch_chain(member, tip, sources).await {
                Ok(blocks) => {
                    self.last().lift(&member.address);
                    tracing::info!(member = member.name, blocks, "the history is up to date");
                }
                Err(error) => {
                    tracing::warn!(member = member.name, %error, "the history could not be fetched");
                    if error.is_the_members() {
                        self.last().punish(member.address, Instant::now());
                    }
                }
            }
        }
        if let Some((member, _)) = answers.get(rand::random_range(0..answers.len().max(1)))
            && let Err(error) = ledger::compare(&self.node, &self.net, member).await
        {
            tracing::info!(member = member.name, %error, "its ledger could not be compared");
        }
        let height = self.node.state().map_or(0, |state| state.tip().header.height);
        self.status.set_sync(SyncStatus::at_rest(SyncState::Synced, height));
        self.period
    }

    /// Most work first, but those last from whom no history could be fetched.
    fn sort(&self, answers: &mut [(Neighbour, Tip)]) {
        let now = Instant::now();
        let last = self.last();
        answers.sort_by_key(|(member, tip)| {
            (last.serving(&member.address, now).is_some(), std::cmp::Reverse(tip.work), tip.hash)
        });
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

    /// Fetches what a member's chain has and ours has not: headers first, then bodies from everybody who has them.
    async fn fetch_chain(&self, member: &Neighbour, tip: &Tip, sources: Vec<Neighbour>) -> Result<u64, SyncError> {
        let Some(branch) = headers::weigh(&self.node, &self.net, member, &tip.work).await? else { return Ok(0) };
        // What was seen counts more than what is claimed.
        let target_height = branch.final_height().unwrap_or(tip.height);
        let mut progress = Progress::begin(Arc::clone(&self.node), Arc::clone(&self.status), target_height);
        Box::pin(Bodies::new(&self.node, &self.net, sources)?.fetch(branch, &mut progress)).await
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Penalties<Address>> {
        // Whole after every call: a panic elsewhere cannot have left it half written.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a tip is, by what its peer claims of it, better than this peer's.
fn would_win(tip: &Tip, state: &State) -> bool {
    let ours = state.tip();
    tip.work > ours.work || (tip.work == ours.work && tip.hash < ours.hash)
}
