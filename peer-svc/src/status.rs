//! What a peer's tasks know about how it is doing, for whoever shows it; and the bells that wake them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use raclette_api::chain::{SyncState, SyncStatus, TrackerStatus};
use raclette_chain::{address::Address, keys::PublicKey};
use raclette_service::clock::now_ms;
use tokio::sync::Notify;

/// The tracker counts as reachable for this long after its last answer.
const TRACKER_FRESH: Duration = Duration::from_secs(90);

#[derive(Debug)]
struct Inner {
    sync: SyncStatus,
    tracker_url: String,
    tracker_seen: Option<u64>,
    tracker_key: Option<PublicKey>,
    trusted_tracker: Option<Address>,
    trouble: Option<String>,
    epoch: u64,
}

/// How a peer is doing. Shared, and cheap to read.
#[derive(Debug)]
pub struct Status {
    inner: Mutex<Inner>,
    /// Rung when the history has to be compared with others at once.
    pub sync: Notify,
    /// Rung when the tracker has to be asked at once.
    pub tracker: Notify,
}

impl Status {
    /// A peer that has just started, and was told to use the tracker at this URL. `tracker_key` is the key it remembers,
    /// `trusted_tracker` the address of the only key that its owner trusts, if the owner named one.
    #[must_use]
    pub fn new(
        tracker_url: String,
        tracker_key: Option<PublicKey>,
        trusted_tracker: Option<Address>,
        epoch: u64,
    ) -> Self {
        let sync = SyncStatus::at_rest(SyncState::Starting, 0);
        let inner = Inner { sync, tracker_url, tracker_seen: None, tracker_key, trusted_tracker, trouble: None, epoch };
        Self { inner: Mutex::new(inner), sync: Notify::new(), tracker: Notify::new() }
    }

    /// How far the history is.
    #[must_use]
    pub fn sync_status(&self) -> SyncStatus {
        self.inner().sync
    }

    /// Notes how far the history is.
    pub fn set_sync(&self, sync: SyncStatus) {
        self.inner().sync = sync;
    }

    /// Whether the tracker answers.
    #[must_use]
    pub fn tracker_status(&self) -> TrackerStatus {
        let inner = self.inner();
        let fresh = u64::try_from(TRACKER_FRESH.as_millis()).unwrap_or(u64::MAX);
        let reachable = inner.tracker_seen.is_some_and(|seen| now_ms().saturating_sub(seen) < fresh);
        TrackerStatus { url: inner.tracker_url.clone(), reachable, last_seen: inner.tracker_seen }
    }

    /// Notes that the tracker has answered, or that it has not.
    pub fn set_tracker_reachable(&self, reachable: bool) {
        let mut inner = self.inner();
        if reachable {
            inner.tracker_seen = Some(now_ms());
        } else {
            // The time of its last answer is kept, but no longer counts as fresh.
            let fresh = u64::try_from(TRACKER_FRESH.as_millis()).unwrap_or(u64::MAX);
            inner.tracker_seen = inner.tracker_seen.map(|seen| seen.min(now_ms().saturating_sub(fresh)));
        }
    }

    /// Why this peer is not in touch with the tracker, if it is not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.inner().trouble.clone()
    }

    /// Notes why this peer is not in touch with the tracker; whether that is new.
    pub fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut inner = self.inner();
        let is_new = inner.trouble != trouble;
        inner.trouble = trouble;
        is_new
    }

    /// The tracker's key, once pinned: only its notices are believed.
    #[must_use]
    pub fn tracker_key(&self) -> Option<PublicKey> {
        self.inner().tracker_key.clone()
    }

    /// The address of the only key that is trusted: the pinned one, or the one that the owner named.
    #[must_use]
    pub fn trusted_tracker(&self) -> Option<Address> {
        let inner = self.inner();
        inner.tracker_key.as_ref().map(PublicKey::address).or(inner.trusted_tracker)
    }

    /// Pins the tracker's key.
    pub fn set_tracker_key(&self, key: PublicKey) {
        self.inner().tracker_key = Some(key);
    }

    /// The epoch of the last registration.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.inner().epoch
    }

    /// Notes the epoch of a registration.
    pub fn set_epoch(&self, epoch: u64) {
        self.inner().epoch = epoch;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Whole after every call: a panic elsewhere cannot have left it half written.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
