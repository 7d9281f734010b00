//! Reading events: page by page, or following them as they happen.

use std::{collections::VecDeque, sync::Arc};

use futures_util::TryStreamExt as _;
use raclette_api::event::{EventBody, EventGap, EventType, GapReason};
use sqlx::{QueryBuilder, SqlitePool};
use tokio::sync::{Semaphore, broadcast, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;

use super::{
    Recorded,
    log::{Entry, bounds, integer},
};

/// How many events a reader may lag behind before it reads the table again.
const LIVE: usize = 1_024;
/// How many readers may follow at once.
const FOLLOWERS: usize = 256;
/// How many events a follower reads from the table at once.
const BATCH: u32 = 500;

/// Where events are read. Clones are the same.
#[derive(Debug, Clone)]
pub struct Feed {
    readers: SqlitePool,
    live: broadcast::Sender<Arc<Recorded>>,
    followers: Arc<Semaphore>,
}

/// A part of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events, the oldest first.
    pub events: Vec<Recorded>,
    /// The number behind which the next page begins.
    pub next: u64,
    /// Whether there may be more behind it already.
    pub more: bool,
    /// What of it was asked for and is missing.
    pub gap: Option<EventGap>,
}

impl Feed {
    /// A feed of the events in this file.
    #[must_use]
    pub fn new(readers: SqlitePool) -> Self {
        Self { readers, live: broadcast::Sender::new(LIVE), followers: Arc::new(Semaphore::new(FOLLOWERS)) }
    }

    pub(super) fn live(&self) -> &broadcast::Sender<Arc<Recorded>> {
        &self.live
    }

    /// Tells those who follow right now, and nobody later: the event gets no number and is not stored.
    pub fn tell_live(&self, now: u64, body: &EventBody) {
        if self.live.receiver_count() > 0 {
            let Entry { time, kind, data } = Entry::new(now, body);
            // Whoever came to listen and went again needs no word.
            let _ = self.live.send(Arc::new(Recorded { id: None, time, kind: kind.to_owned(), data }));
        }
    }

    /// Reads up to `limit` events of these types with a number above `since`, or from the oldest that is kept.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn page(&self, since: Option<u64>, types: &[EventType], limit: u32) -> Result<Page, sqlx::Error> {
        // One snapshot for both statements: what is deleted in between would be missing without a word.
        let mut snapshot = self.readers.begin().await?;
        let (oldest, newest) = bounds(&mut snapshot).await?;
        let newest = newest.unwrap_or(0);
        let before_oldest = oldest.map_or(newest, |oldest| oldest.saturating_sub(1));
        let (position, gap) = start(since, before_oldest, newest);
        let mut sql = QueryBuilder::new("select id, time, kind, data, count from events where id > ");
        sql.push_bind(integer(position)).push(" and kind in (");
        let mut kinds = sql.separated(", ");
        for kind in types {
            kinds.push_bind(kind.name());
        }
        sql.push(") order by id limit ").push_bind(limit);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        let mut rows = sql.build_query_as::<Row>().fetch(&mut *snapshot);
        while events.len() < limit
            && let Some(row) = rows.try_next().await?
        {
            let left = limit - events.len();
            events.extend(run(&row).filter(|event| event.id > Some(position)).take(left));
        }
        let more = events.len() >= limit;
        let last = events.last().and_then(|event| event.id).filter(|_| more);
        Ok(Page { events, next: last.unwrap_or(newest), more, gap })
    }

    /// Follows the events of these types from behind number `since`, or from now on, until `stopping`; none if too many
    /// follow already.
    #[must_use]
    pub fn follow(&self, since: Option<u64>, types: Vec<EventType>, stopping: CancellationToken) -> Option<Following> {
        let place = Arc::clone(&self.followers).try_acquire_owned().ok()?;
        Some(Following {
            // Before the table is read, so that nothing can happen in between.
            live: self.live.subscribe(),
            feed: self.clone(),
            types,
            position: since,
            behind: true,
            ready: VecDeque::new(),
            stopping,
            _place: place,
        })
    }
}

/// Number of the last event, time, kind, lines of JSON, and how many events.
type Row = (i64, i64, String, String, i64);

/// The events of a row.
fn run((id, time, kind, data, count): &Row) -> impl Iterator<Item = Recorded> {
    let number = |integer: i64| u64::try_from(integer).unwrap_or(0);
    let first = number(*id).saturating_sub(number(*count).saturating_sub(1));
    (first..).zip(data.split('\n')).map(move |(id, data)| Recorded {
        id: Some(id),
        time: number(*time),
        kind: kind.clone(),
        data: data.to_owned(),
    })
}

/// Where a reader that asks for what is behind `since` begins, and what it misses.
fn start(since: Option<u64>, before_oldest: u64, newest: u64) -> (u64, Option<EventGap>) {
    let Some(since) = since else { return (before_oldest, None) };
    let gap = |resumed, reason| (resumed, Some(EventGap { since, resumed, reason }));
    if since > newest {
        gap(newest, GapReason::NotYet)
    } else if since < before_oldest {
        gap(before_oldest, GapReason::Pruned)
    } else {
        (since, None)
    }
}

/// What a follower is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An event.
    Event(Arc<Recorded>),
    /// Events are missing here.
    Gap(EventGap),
}

/// A reader that follows.
#[derive(Debug)]
pub struct Following {
    feed: Feed,
    live: broadcast::Receiver<Arc<Recorded>>,
    types: Vec<EventType>,
    /// The number of the last event seen, also of those that were not asked for; none: it begins now.
    position: Option<u64>,
    /// Whether the table has to be read before listening.
    behind: bool,
    ready: VecDeque<Told>,
    stopping: CancellationToken,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Following {
    /// Waits for what happens next; none when the service stops.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn next(&mut self) -> Result<Option<Told>, sqlx::Error> {
        loop {
            if self.stopping.is_cancelled() {
                return Ok(None);
            }
            if let Some(told) = self.ready.pop_front() {
                return Ok(Some(told));
            }
            if self.behind {
                self.read().await?;
                continue;
            }
            let heard = tokio::select! {
                () = self.stopping.cancelled() => return Ok(None),
                heard = self.live.recv() => heard,
            };
            match heard {
                Ok(event) if self.is_new(&event) => return Ok(Some(Told::Event(event))),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// Reads the table from where it stands.
    pub(super) async fn read(&mut self) -> Result<(), sqlx::Error> {
        let Some(position) = self.position else {
            // It begins now: behind the newest.
            self.position = Some(self.feed.page(Some(0), &[], 1).await?.next);
            self.behind = false;
            return Ok(());
        };
        let page = self.feed.page(Some(position), &self.types, BATCH).await?;
        self.position = Some(page.next);
        self.behind = page.more;
        self.ready.extend(page.gap.map(Told::Gap));
        self.ready.extend(page.events.into_iter().map(|event| Told::Event(Arc::new(event))));
        Ok(())
    }

    /// Notes an event that was heard; whether it was asked for and was not in the table yet when that was read.
    fn is_new(&mut self, event: &Recorded) -> bool {
        if let Some(id) = event.id {
            if self.position.is_some_and(|position| id <= position) {
                return false;
            }
            self.position = Some(id);
        }
        self.types.iter().any(|kind| kind.name() == event.kind)
    }
}
