//! What clients, observers and the nemesis write down.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use raclette_service::clock::now_ms;
use trials::verdict::{History, Resources};

/// The history of a run, as far as it has come.
#[derive(Debug)]
pub(super) struct Diary {
    begun: Instant,
    /// When it began, by the clock of the services.
    pub(super) began_at: u64,
    pages: Mutex<(History, Vec<Resources>)>,
}

impl Diary {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), began_at: now_ms(), pages: Mutex::default() }
    }

    /// Milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn write(&self, write: impl FnOnce(&mut History)) {
        write(&mut self.pages.lock().unwrap_or_else(PoisonError::into_inner).0);
    }

    pub(super) fn sample(&self, resources: Resources) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).1.push(resources);
    }

    /// All that was written; the diary is empty then.
    pub(super) fn close(&self) -> (History, Vec<Resources>) {
        std::mem::take(&mut *self.pages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
