//! The tracker's SQLite file: members and what happened to them, the network's parameters and genesis block, and the failed
//! requests.
//!
//! One connection writes, in transactions that begin with `BEGIN IMMEDIATE`; everybody else reads through a read-only pool.
//! Commits are synced (`synchronous=FULL`), so that what was acknowledged survives power loss.

mod backup;
mod members;
mod meta;
mod queue;
#[cfg(test)]
mod tests;
mod timeline;

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    sync::Arc,
};

use raclette_api::event::EventBody;
use raclette_service::{
    clock::now_ms,
    events::{self, Entry, Feed, Log},
    queue::{SCHEMA, SCHEMA_2, sql::depth},
    sqlite::{self, Formats},
};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use self::members::{Loaded, Recorded, Unannounced};
pub use raclette_service::sqlite::StoreError;

/// The formats that the file went through.
const FORMATS: Formats = &[&[TABLES, SCHEMA], FORMAT_2, &[events::SCHEMA_2]];

/// What format 2 adds.
const FORMAT_2: &[&str] = &[events::SCHEMA, depth::INDEX, members::TOMBSTONES, timeline::TABLES, SCHEMA_2];

const TABLES: &str = "
-- Single values, as JSON: parameters, genesis, version.
create table meta (key text primary key, value text not null) strict;

-- Everybody who ever registered. The registration holds name, key, host, port and epoch, signed by the member.
create table members (
    address text primary key,
    name text not null unique,
    state text not null,
    version integer not null,
    last_seen integer not null,
    registration text not null,
    -- The version that all others were told, or have in their queue rows.
    announced integer not null default 0
) strict;
create index members_unannounced on members (address) where announced < version;
";

/// The open file. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    /// One connection: whoever has it is the only writer.
    writer: SqlitePool,
    readers: SqlitePool,
    feed: Feed,
    /// Held by whoever writes.
    log: Arc<Mutex<Log>>,
}

/// A transaction that changes something, and what it tells of.
struct Writing {
    transaction: Transaction<'static, Sqlite>,
    log: OwnedMutexGuard<Log>,
    told: Vec<Entry>,
}

impl Writing {
    /// Tells what happened, in the same commit.
    fn tell(&mut self, body: &EventBody) {
        self.told.push(Entry::new(now_ms(), body));
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        let appended = self.log.append(&mut self.transaction, self.told).await?;
        self.transaction.commit().await?;
        self.log.publish(appended);
        Ok(())
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.transaction
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}

impl Store {
    /// Opens the file, makes it if it is not there, and brings it to the newest format.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let (writer, readers) = sqlite::open_pools(path, FORMATS).await?;
        let feed = Feed::new(readers.clone());
        let log = Log::open(&mut *writer.acquire().await?, &feed).await?;
        Ok(Self { writer, readers, feed, log: Arc::new(Mutex::new(log)) })
    }

    /// Where what happened is read.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Ends all connections; what is in the write-ahead log goes into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Err(error) = sqlx::query("pragma wal_checkpoint(truncate)").execute(&self.writer).await {
            // Nothing is lost: the next start reads the log.
            tracing::warn!(%error, "the write-ahead log stays");
        }
        self.writer.close().await;
    }

    /// Whether the file can be read.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.readers).await?;
        Ok(())
    }

    /// The size of the file in bytes, without its write-ahead log.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn size(&self) -> Result<u64, StoreError> {
        Ok(sqlite::size(&mut *self.readers.acquire().await?).await?)
    }

    async fn begin(&self) -> Result<Writing, StoreError> {
        let log = Arc::clone(&self.log).lock_owned().await;
        let transaction = match self.writer.begin_with("begin immediate").await {
            // When the disk is full, SQLite may end a transaction by itself; sqlx goes on counting it as open, and this
            // connection is of no use any more. The pool opens another one.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                self.writer.begin_with("begin immediate").await?
            }
            begun => begun?,
        };
        Ok(Writing { transaction, log, told: Vec::new() })
    }
}

/// An unsigned number as SQLite's signed one; everything stored is below 2^53.
fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number from SQLite that this program wrote as an unsigned one.
fn from_sql(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|error| StoreError::damaged("a number", &error))
}

/// A list of texts as one bound value: a JSON array, which SQLite reads with `json_each`.
fn list(texts: impl IntoIterator<Item = impl ToString>) -> String {
    let texts: Vec<serde_json::Value> = texts.into_iter().map(|text| text.to_string().into()).collect();
    serde_json::Value::from(texts).to_string()
}
