//! One mining job: what it is doing, and how it ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use raclette_api::event::{EventBody, MiningEvent, MiningStep};
use raclette_chain::{address::Address, hash::BlockHash, target::CompactTarget};
use raclette_service::clock::now_ms;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::totals::Totals;
use crate::node::State;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It found a block, which is stored.
    Mined {
        /// The block.
        block: BlockHash,
    },
    /// Somebody else's block became the tip first.
    LostRace {
        /// Who mined it.
        winner: Address,
        /// The block.
        block: BlockHash,
    },
    /// It was cancelled, or the peer shut down.
    Cancelled,
    /// Something went wrong.
    Failed {
        /// What.
        reason: String,
    },
}

/// What a job is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Its threads search.
    Searching,
    /// It waits for the block that somebody else says to have found.
    Paused,
    /// It has ended.
    Done(Outcome),
}

/// What a job is searching for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// The height of the block.
    pub height: u32,
    /// What its hash must not exceed.
    pub target: CompactTarget,
}

/// A mining job.
#[derive(Debug)]
pub struct Job {
    id: String,
    started_ms: u64,
    started: Instant,
    attempts: AtomicU64,
    /// Milliseconds from the start to the end, or 0 while it runs.
    duration_ms: AtomicU64,
    cancel: CancellationToken,
    state: watch::Sender<JobState>,
    template: watch::Sender<Template>,
    totals: Arc<Totals>,
}

impl Job {
    pub(super) fn new(state: &State, totals: Arc<Totals>) -> Self {
        let tip = state.tip();
        let template = Template { height: state.next_height(), target: tip.header.target };
        Self {
            id: format!("{:016x}", rand::random::<u64>()),
            started_ms: now_ms(),
            started: Instant::now(),
            attempts: AtomicU64::new(0),
            duration_ms: AtomicU64::new(0),
            cancel: CancellationToken::new(),
            state: watch::Sender::new(JobState::Searching),
            template: watch::Sender::new(template),
            totals,
        }
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it began, in milliseconds since 1970.
    #[must_use]
    pub fn started_ms(&self) -> u64 {
        self.started_ms
    }

    /// How many nonces have been tried.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// How many nonces were tried a second, on average.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for people, far below 2^53")]
    pub fn rate(&self) -> f64 {
        let seconds = match self.duration_ms.load(Ordering::Relaxed) {
            0 => self.started.elapsed().as_secs_f64(),
            milliseconds => milliseconds as f64 / 1000.0,
        };
        if seconds > 0.0 { self.attempts() as f64 / seconds } else { 0.0 }
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.state.borrow().clone()
    }

    /// What it is searching for.
    #[must_use]
    pub fn template(&self) -> Template {
        *self.template.borrow()
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !matches!(*self.state.borrow(), JobState::Done(_))
    }

    /// Asks it to end.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits until it has ended.
    pub async fn done(&self) -> Outcome {
        let mut state = self.state.subscribe();
        loop {
            if let JobState::Done(outcome) = &*state.borrow_and_update() {
                return outcome.clone();
            }
            if state.changed().await.is_err() {
                return Outcome::Cancelled;
            }
        }
    }

    /// A step of this job, in the words of `GET /events`.
    pub(super) fn step(&self, status: MiningStep) -> MiningEvent {
        MiningEvent {
            status,
            job: self.id.clone(),
            height: self.template().height,
            attempts: self.attempts(),
            rate: self.rate(),
            block: None,
            winner: None,
            reason: None,
        }
    }

    /// How this job ended, in the words of `GET /events`.
    pub(super) fn end(&self, outcome: &Outcome) -> EventBody {
        EventBody::Mining(match outcome {
            Outcome::Mined { block } => MiningEvent { block: Some(block.to_string()), ..self.step(MiningStep::Found) },
            Outcome::LostRace { winner, block } => MiningEvent {
                block: Some(block.to_string()),
                winner: Some(winner.to_string()),
                ..self.step(MiningStep::LostRace)
            },
            Outcome::Cancelled => self.step(MiningStep::Cancelled),
            Outcome::Failed { reason } => MiningEvent { reason: Some(reason.clone()), ..self.step(MiningStep::Failed) },
        })
    }

    pub(super) fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    pub(super) fn count(&self, attempts: u64) {
        self.attempts.fetch_add(attempts, Ordering::Relaxed);
        self.totals.count(attempts);
    }

    pub(super) fn set_template(&self, template: Template) {
        self.template.send_replace(template);
    }

    pub(super) fn set_state(&self, state: JobState) {
        if let JobState::Done(outcome) = &state {
            self.totals.ended(outcome);
            let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.duration_ms.store(elapsed.max(1), Ordering::Relaxed);
        }
        self.state.send_replace(state);
    }
}
