//! The table of events, and its only writer.

use std::sync::Arc;

use raclette_api::event::EventBody;
use sqlx::{QueryBuilder, SqliteConnection};
use tokio::sync::broadcast;

use super::Feed;
use crate::sqlite::parts;

/// The table; each service's formats include it. Numbers are given by [`Log`], and deleted from the lowest up only.
pub const SCHEMA: &str = "
-- What happened, for GET /events: the newest of it.
create table events (id integer primary key, time integer not null, kind text not null, data text not null) strict;
";

/// What a later format adds to the table.
pub const SCHEMA_2: &str = "
-- Events that follow each other, of one kind and at one time, share a row: `count` of them, the last with the number `id`, their
-- JSON in lines of `data`. A block confirms a thousand transactions at once.
alter table events add column count integer not null default 1;
";

/// How many events share a row at most: whoever wants a part of a row reads it whole.
const RUN: usize = 256;

/// How many events are kept at least.
pub const KEPT: u64 = 100_000;
/// How many more than that there may be before the oldest are deleted, all at once.
const SLACK: u64 = 2_000;

/// An event that has no number yet.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) time: u64,
    pub(super) kind: &'static str,
    pub(super) data: String,
}

impl Entry {
    /// Something that happens now (milliseconds since 1970).
    #[must_use]
    pub fn new(now: u64, body: &EventBody) -> Self {
        Self { time: now, kind: body.kind().name(), data: body.data() }
    }
}

/// An event as readers get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number; none for what is told live only.
    pub id: Option<u64>,
    /// When it was committed, in milliseconds since 1970.
    pub time: u64,
    /// The name of its type.
    pub kind: String,
    /// What it tells, as JSON.
    pub data: String,
}

impl Recorded {
    /// The whole event as JSON: what [`raclette_api::event::EventMessage`] describes.
    #[must_use]
    pub fn json(&self) -> String {
        let Self { id, time, kind, data } = self;
        let id = id.map(|id| format!("\"id\":{id},")).unwrap_or_default();
        format!("{{{id}\"time\":{time},\"type\":\"{kind}\",\"data\":{data}}}")
    }
}

/// Events that are stored, but not committed yet.
#[derive(Debug, Default)]
#[must_use = "readers are told once it is published"]
pub struct Appended {
    events: Vec<Recorded>,
    oldest: Option<u64>,
}

/// Gives events their numbers, and stores them. There is one for each file, beside the connection that writes.
#[derive(Debug)]
pub struct Log {
    newest: u64,
    oldest: u64,
    live: broadcast::Sender<Arc<Recorded>>,
}

impl Log {
    /// The log of this file, for the readers of `feed`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open(connection: &mut SqliteConnection, feed: &Feed) -> Result<Self, sqlx::Error> {
        let (oldest, newest) = bounds(connection).await?;
        let newest = newest.unwrap_or(0);
        Ok(Self { newest, oldest: oldest.unwrap_or(newest + 1), live: feed.live().clone() })
    }

    /// Stores events in the transaction of whoever calls, and deletes the oldest if there are too many. Nothing has happened
    /// as long as the transaction is not committed and the result not [published](Self::publish).
    ///
    /// # Errors
    /// Those of the database.
    pub async fn append(
        &self,
        connection: &mut SqliteConnection,
        entries: Vec<Entry>,
    ) -> Result<Appended, sqlx::Error> {
        if entries.is_empty() {
            return Ok(Appended::default());
        }
        let numbered = (self.newest + 1..).zip(entries);
        let events: Vec<Recorded> = numbered
            .map(|(id, Entry { time, kind, data })| Recorded { id: Some(id), time, kind: kind.to_owned(), data })
            .collect();
        // What would be deleted again at once is not written: a long history may come in a single commit.
        let surplus = events.len().saturating_sub(usize::try_from(KEPT).unwrap_or(usize::MAX));
        for rows in parts(&runs(&events[surplus..])) {
            let mut sql = QueryBuilder::new("insert into events (id, time, kind, data, count) ");
            sql.push_values(rows, |mut values, (last, count, data)| {
                values
                    .push_bind(integer(last.id.unwrap_or(0)))
                    .push_bind(integer(last.time))
                    .push_bind(last.kind.as_str())
                    .push_bind(data.as_str())
                    .push_bind(*count);
            });
            sql.build().execute(&mut *connection).await?;
        }
        let newest = self.newest + u64::try_from(events.len()).unwrap_or(0);
        let mut oldest = None;
        if surplus > 0 || newest + 1 - self.oldest > KEPT + SLACK {
            let last_gone = newest - KEPT;
            // A row that is kept in part stays whole.
            let delete = sqlx::query("delete from events where id <= ?1").bind(integer(last_gone));
            delete.execute(connection).await?;
            oldest = Some(last_gone + 1);
        }
        Ok(Appended { events, oldest })
    }

    /// Tells readers about events that are committed now.
    pub fn publish(&mut self, appended: Appended) {
        let Appended { events, oldest } = appended;
        self.oldest = oldest.unwrap_or(self.oldest);
        self.newest = events.last().and_then(|event| event.id).unwrap_or(self.newest);
        if self.live.receiver_count() == 0 {
            return;
        }
        for event in events {
            // Whoever came to listen and went again needs no word.
            let _ = self.live.send(Arc::new(event));
        }
    }
}

/// What goes into a row each: the last event, how many there are, and the lines of their JSON, which has no line break itself.
fn runs(events: &[Recorded]) -> Vec<(&Recorded, i64, String)> {
    events
        .chunk_by(|one, next| (one.time, &one.kind) == (next.time, &next.kind))
        .flat_map(|alike| alike.chunks(RUN))
        .filter_map(|run| {
            let data: Vec<&str> = run.iter().map(|event| event.data.as_str()).collect();
            Some((run.last()?, i64::try_from(run.len()).unwrap_or(1), data.join("\n")))
        })
        .collect()
}

/// The numbers of the oldest and of the newest event that are stored.
pub(super) async fn bounds(connection: &mut SqliteConnection) -> Result<(Option<u64>, Option<u64>), sqlx::Error> {
    let bounds = "select (select id - count + 1 from events order by id limit 1), (select max(id) from events)";
    let (oldest, newest): (Option<i64>, Option<i64>) = sqlx::query_as(bounds).fetch_one(connection).await?;
    let number = |id: Option<i64>| id.and_then(|id| u64::try_from(id).ok());
    Ok((number(oldest), number(newest)))
}

/// SQLite's integers are signed; the protocol's are below 2^53.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
