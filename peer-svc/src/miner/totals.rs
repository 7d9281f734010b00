//! What all mining jobs of a peer have come to.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Outcome;

/// Counts since the peer started. They outlive the jobs.
#[derive(Debug, Default)]
pub struct Totals {
    attempts: AtomicU64,
    mined: AtomicU64,
    lost: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
}

/// How many jobs have ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// With a block.
    pub mined: u64,
    /// With somebody else's block.
    pub lost: u64,
    /// Before that, by their owner or with the peer.
    pub cancelled: u64,
    /// With an error.
    pub failed: u64,
}

impl Totals {
    pub(super) fn count(&self, attempts: u64) {
        self.attempts.fetch_add(attempts, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Mined { .. } => &self.mined,
            Outcome::LostRace { .. } => &self.lost,
            Outcome::Cancelled => &self.cancelled,
            Outcome::Failed { .. } => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many nonces have been tried.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// How many jobs have ended how.
    #[must_use]
    pub fn jobs(&self) -> Ended {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Ended {
            mined: read(&self.mined),
            lost: read(&self.lost),
            cancelled: read(&self.cancelled),
            failed: read(&self.failed),
        }
    }
}
