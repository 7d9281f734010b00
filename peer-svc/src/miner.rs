//! Mining on command: jobs that search a nonce on threads of their own.
//!
//! A job ends when it has found a block, when somebody else's block becomes the tip, or when it is cancelled. While
//! another member says that it has found a block (`MiningComplete`), the search pauses until that block comes, or five
//! seconds have passed without it.

mod job;
mod race;
mod search;
mod totals;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use job::{Job, JobState, Outcome};
pub use race::{Race, Verdict};
use raclette_service::{
    request_id::{self, RequestId},
    tasks::Tasks,
};
pub use totals::{Ended, Totals};

use crate::node::{Node, NodeError};

/// How many finished jobs are remembered.
const REMEMBERED: usize = 100;

/// What a person may choose about a job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    /// How many threads search; none: all cores but one, at least one.
    pub threads: Option<usize>,
    /// The most transactions in the block; none: what the network allows.
    pub max_transactions: Option<usize>,
}

/// Why a job was not started.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MineError {
    /// One is running; there is one at a time.
    #[error("job {id} is running; a peer mines one block at a time")]
    Busy {
        /// The running job.
        id: String,
    },
    /// The node says no.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// All mining of a peer.
#[derive(Debug)]
pub struct Miner {
    node: Arc<Node>,
    tasks: Tasks,
    race: Arc<Race>,
    totals: Arc<Totals>,
    jobs: Mutex<VecDeque<Arc<Job>>>,
}

impl Miner {
    /// A miner for the chain of `node`.
    #[must_use]
    pub fn new(node: Arc<Node>, tasks: Tasks) -> Self {
        Self { node, tasks, race: Arc::new(Race::default()), totals: Arc::default(), jobs: Mutex::default() }
    }

    /// The race with other members for the next block.
    #[must_use]
    pub fn race(&self) -> &Race {
        &self.race
    }

    /// A job that has its id, and does not run before it is [started](Self::start).
    ///
    /// # Errors
    /// When the node is not ready.
    pub fn new_job(&self) -> Result<Arc<Job>, MineError> {
        Ok(Arc::new(Job::new(&*self.node.state()?, Arc::clone(&self.totals))))
    }

    /// Starts a job.
    ///
    /// # Errors
    /// [`MineError::Busy`], or the node has no room.
    pub fn start(&self, job: &Arc<Job>, order: Order) -> Result<(), MineError> {
        self.node.has_room()?;
        let mut jobs = self.jobs();
        if let Some(running) = jobs.iter().find(|job| job.is_running()) {
            return Err(MineError::Busy { id: running.id().to_owned() });
        }
        jobs.push_front(Arc::clone(job));
        jobs.truncate(REMEMBERED);
        drop(jobs);
        let search =
            search::run(Arc::clone(&self.node), Arc::clone(&self.race), Arc::clone(job), order, self.tasks.stopping());
        // What it finds goes out under the id of the request that had it searched.
        self.tasks.spawn("mining job", request_id::within(RequestId::current(), search));
        Ok(())
    }

    /// A job by its id.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<Arc<Job>> {
        self.jobs().iter().find(|job| job.id() == id).cloned()
    }

    /// The job that is running.
    #[must_use]
    pub fn running(&self) -> Option<Arc<Job>> {
        self.jobs().iter().find(|job| job.is_running()).cloned()
    }

    /// Whether a job is running.
    #[must_use]
    pub fn is_mining(&self) -> bool {
        self.running().is_some()
    }

    /// What all jobs have come to since the peer started, also those that are no longer remembered.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    fn jobs(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        // The list is whole after every call: a panic elsewhere cannot have left it half written.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
