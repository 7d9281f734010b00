//! The queue's rows in memory: what the statements in `queue::sql` do, without SQLite. No test holds the two against each
//! other yet: whoever changes one changes the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex},
};

use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::queue::{QueueChange, QueueStore, QueuedRequest, Row};

/// The rows. A clone is the same table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    rows: BTreeMap<i64, Row>,
    last_id: i64,
}

impl Table {
    /// Writes these changes.
    pub(crate) fn apply(&self, changes: &[QueueChange]) {
        let mut rows = self.0.lock().unwrap();
        for change in changes {
            rows.apply(change);
        }
    }

    /// All rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.0.lock().unwrap().rows.values().cloned().collect()
    }

    pub(crate) fn due_now(&self, now: Timestamp, limit: u32, excluding: &[Address]) -> Vec<Row> {
        let rows = self.0.lock().unwrap();
        let mut due: Vec<&Row> = rows.rows.values().filter(|row| !row.dead && row.next_at <= now).collect();
        due.sort_by_key(|row| (row.next_at, row.id));
        let mut seen: BTreeSet<Address> = excluding.iter().copied().collect();
        due.into_iter().filter(|row| seen.insert(row.request.destination)).take(limit as usize).cloned().collect()
    }

    pub(crate) fn next(&self, excluding: &[Address]) -> Option<Timestamp> {
        let rows = self.0.lock().unwrap();
        let waiting = rows.rows.values().filter(|row| !row.dead && !excluding.contains(&row.request.destination));
        waiting.map(|row| row.next_at).min()
    }
}

impl QueueStore for Table {
    type Error = Infallible;

    async fn due(&self, now: Timestamp, limit: u32, excluding: &[Address]) -> Result<Vec<Row>, Infallible> {
        Ok(self.due_now(now, limit, excluding))
    }

    async fn next_due(&self, excluding: &[Address]) -> Result<Option<Timestamp>, Infallible> {
        Ok(self.next(excluding))
    }

    async fn change(&self, changes: Vec<QueueChange>) -> Result<(), Infallible> {
        self.apply(&changes);
        Ok(())
    }
}

impl Rows {
    fn apply(&mut self, change: &QueueChange) {
        match change {
            QueueChange::Put { request, now, next_at, error } => self.put(request, *now, *next_at, error.clone()),
            QueueChange::Supersede { destination, kind, subject, version } => self.rows.retain(|_, row| {
                let same =
                    (&row.request.destination, &row.request.kind, &row.request.subject) == (destination, kind, subject);
                !(same && row.request.version <= *version)
            }),
            QueueChange::Finish { id, version } => {
                self.rows.retain(|_, row| (row.id, row.request.version) != (*id, *version));
            }
            QueueChange::Postpone { id, version, error, next_at } => self.with(*id, Some(*version), |row| {
                row.attempts += 1;
                row.last_error = Some(error.clone());
                row.next_at = *next_at;
            }),
            QueueChange::Bury { id, version, error } => self.with(*id, Some(*version), |row| {
                row.attempts += 1;
                row.last_error = Some(error.clone());
                row.dead = true;
            }),
            QueueChange::Wake { destination, url, now } => {
                for row in self.rows.values_mut().filter(|row| row.request.destination == *destination && !row.dead) {
                    row.next_at = row.next_at.min(*now);
                    if let Some(url) = url {
                        row.request.url.clone_from(url);
                    }
                }
            }
            QueueChange::Retry { id, now } => self.with(*id, None, |row| {
                row.dead = false;
                row.next_at = *now;
            }),
            QueueChange::Discard { id } => drop(self.rows.remove(id)),
            QueueChange::RemoveDestination { destination } => {
                self.rows.retain(|_, row| row.request.destination != *destination);
            }
            QueueChange::Outdate { destination, kind, before } => self.rows.retain(|_, row| {
                let same = (&row.request.destination, &row.request.kind) == (destination, kind);
                !(same && row.request.version < *before)
            }),
            QueueChange::Settle { kind, subjects } => {
                self.rows.retain(|_, row| !(row.request.kind == *kind && subjects.contains(&row.request.subject)))
            }
            QueueChange::Expire { now } => {
                self.rows.retain(|_, row| row.request.expires_at.is_none_or(|expires| expires > *now));
            }
            // Notices never expire, so that there is nothing to trim here.
            QueueChange::Trim { .. } => {}
        }
    }

    fn put(&mut self, request: &QueuedRequest, now: Timestamp, next_at: Timestamp, error: Option<String>) {
        let key = |request: &QueuedRequest| (request.destination, request.kind.clone(), request.subject.clone());
        let known = self.rows.values().find(|row| key(&row.request) == key(request));
        let id = match known {
            Some(known) if known.request.version >= request.version => return,
            Some(known) => known.id,
            None => {
                self.last_id += 1;
                self.last_id
            }
        };
        let attempts = u32::from(error.is_some());
        let row =
            Row { id, request: request.clone(), attempts, next_at, created_at: now, last_error: error, dead: false };
        self.rows.insert(id, row);
    }

    fn with(&mut self, id: i64, version: Option<u64>, change: impl FnOnce(&mut Row)) {
        let found = self.rows.get_mut(&id);
        if let Some(row) = found.filter(|row| version.is_none_or(|version| row.request.version == version)) {
            change(row);
        }
    }
}
