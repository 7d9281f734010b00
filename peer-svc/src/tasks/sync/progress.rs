//! How far the history is, for `/status`, the log and the terminal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use raclette_api::chain::{SyncState, SyncStatus};
use raclette_service::progress;

use crate::{node::Node, status::Status};

/// How often progress is told in the log, where there is no terminal for a bar.
const PERIOD: Duration = Duration::from_secs(2);
/// How often the bar on the terminal is drawn.
const FRAME: Duration = Duration::from_millis(200);

/// The progress of one branch.
#[derive(Debug)]
pub(super) struct Progress {
    node: Arc<Node>,
    status: Arc<Status>,
    target_height: u32,
    told: Instant,
    drawn: Instant,
    transactions: usize,
    rate: Option<u32>,
}

impl Drop for Progress {
    fn drop(&mut self) {
        progress::clear();
    }
}

impl Progress {
    /// Nothing is stored yet of a branch that is said to reach this height.
    pub(super) fn begin(node: Arc<Node>, status: Arc<Status>, target_height: u32) -> Self {
        let now = Instant::now();
        let begun = Self { node, status, target_height, told: now, drawn: now, transactions: 0, rate: None };
        begun.note();
        begun
    }

    /// Notes that a block with so many transactions has been stored.
    pub(super) fn stored(&mut self, transactions: usize) {
        self.transactions += transactions;
        let elapsed = self.told.elapsed();
        if elapsed >= PERIOD {
            let per_second = self.transactions as u128 * 1_000 / elapsed.as_millis().max(1);
            self.rate = Some(u32::try_from(per_second).unwrap_or(u32::MAX));
            (self.told, self.transactions) = (Instant::now(), 0);
            if !progress::is_possible() {
                let (height, of) = (self.height(), self.target_height);
                tracing::info!(height, of, transactions_per_second = per_second, "fetching the history");
            }
        }
        self.note();
        if self.drawn.elapsed() >= FRAME {
            self.drawn = Instant::now();
            let (height, target) = (self.height(), self.target_height);
            let rate = self.rate.map(|rate| format!(", {rate} transactions a second")).unwrap_or_default();
            progress::show("history", height.into(), target.into(), &format!("block {height} of {target}{rate}"));
        }
    }

    fn note(&self) {
        let height = self.height();
        self.status.set_sync(SyncStatus {
            state: SyncState::Syncing,
            height,
            target_height: self.target_height.max(height),
            transactions_per_second: self.rate,
        });
    }

    fn height(&self) -> u32 {
        self.node.state().map_or(0, |state| state.tip().header.height)
    }
}
