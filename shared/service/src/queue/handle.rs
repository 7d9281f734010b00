//! What the rest of a service holds of its drain: a bell, and a view of what it is doing.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use raclette_chain::address::Address;
use tokio::sync::Notify;

/// A shared handle to a drain, made before it: whoever writes a row rings the bell after the commit.
#[derive(Debug, Clone, Default)]
pub struct QueueHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bell: Notify,
    state: Mutex<State>,
    delivered: AtomicU64,
    failed: AtomicU64,
    buried: AtomicU64,
    panics: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    sending: BTreeSet<i64>,
    returned: BTreeSet<Address>,
}

/// What a drain has done since the service started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStatistics {
    /// Requests that arrived.
    pub delivered: u64,
    /// Attempts that failed and are repeated.
    pub failed: u64,
    /// Requests that became dead letters.
    pub buried: u64,
    /// Panics that were caught, in an attempt or in the drain itself.
    pub panics: u64,
}

impl QueueHandle {
    /// A handle for a drain to be made.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows were written: look at the table now.
    pub fn wake(&self) {
        self.0.bell.notify_one();
    }

    /// This destination is back: forget that it failed, and look at the table now. Its rows are made due by
    /// [`super::sql::wake`].
    pub fn destination_returned(&self, destination: Address) {
        self.state().returned.insert(destination);
        self.wake();
    }

    /// Whether this row is being sent right now.
    #[must_use]
    pub fn is_sending(&self, id: i64) -> bool {
        self.state().sending.contains(&id)
    }

    /// The rows that are being sent right now.
    #[must_use]
    pub fn being_sent(&self) -> Vec<i64> {
        self.state().sending.iter().copied().collect()
    }

    /// What the drain has done so far.
    #[must_use]
    pub fn statistics(&self) -> QueueStatistics {
        QueueStatistics {
            delivered: self.0.delivered.load(Ordering::Relaxed),
            failed: self.0.failed.load(Ordering::Relaxed),
            buried: self.0.buried.load(Ordering::Relaxed),
            panics: self.0.panics.load(Ordering::Relaxed),
        }
    }

    /// Waits for the bell. One that rang before is not missed.
    pub(super) async fn rung(&self) {
        self.0.bell.notified().await;
    }

    /// The destinations that returned since the last call.
    pub(super) fn take_returned(&self) -> BTreeSet<Address> {
        std::mem::take(&mut self.state().returned)
    }

    /// Shows a row as being sent until the guard is dropped, however that happens.
    pub(super) fn sending(&self, id: i64) -> Sending {
        self.state().sending.insert(id);
        Sending { handle: self.clone(), id }
    }

    pub(super) fn count_delivered(&self) {
        self.0.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_buried(&self) {
        self.0.buried.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_panic(&self) {
        self.0.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two sets that are whole after every call: a panic elsewhere cannot have left them half written.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row is being sent as long as this lives.
#[derive(Debug)]
pub(super) struct Sending {
    handle: QueueHandle,
    id: i64,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.handle.state().sending.remove(&self.id);
    }
}
