//! The tracker's SQLite file: members, the network's parameters and genesis block, and the failed requests.
//!
//! One connection writes, in transactions that begin with `BEGIN IMMEDIATE`; everybody else reads through a read-only pool.
//! Commits are synced (`synchronous=FULL`), so that what was acknowledged survives power loss.

mod members;
mod meta;
mod queue;

use std::path::Path;

use raclette_service::queue::SCHEMA;
use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use self::members::{Loaded, Unannounced};

/// The oldest SQLite that this program runs with: older ones can corrupt a database in WAL mode with two connections.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// How many connections read at once.
const READERS: u32 = 4;

/// One entry for each format of the file, in order. Never change one that was released: add another.
const FORMATS: &[&[&str]] = &[&[TABLES, SCHEMA]];

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

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row is not what this program wrote.
    #[error("the database is damaged: {what}: {reason}; restore a backup")]
    Damaged {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The SQLite that was linked is too old to be safe.
    #[error("expected SQLite 3.51.3 or newer, found {found}")]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// The file was written by a newer program.
    #[error("the database has format {found}, this program knows up to {known}: use the newer program")]
    NewerFormat {
        /// The format of the file.
        found: i64,
        /// The newest format known.
        known: i64,
    },
}

impl StoreError {
    /// Whether the disk, or the room given to the database, is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        // SQLITE_FULL, and SQLITE_IOERR_WRITE for file systems that report a full disk so.
        matches!(self, Self::Database(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("13" | "778")))
    }

    fn damaged(what: impl Into<String>, reason: &impl ToString) -> Self {
        Self::Damaged { what: what.into(), reason: reason.to_string() }
    }
}

/// The open file. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    /// One connection: whoever has it is the only writer.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the file, makes it if it is not there, and brings it to the newest format.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", "67108864")
            .disable_statement_logging();
        let pool = || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        let mut connection = writer.acquire().await?;
        check_version(&mut connection).await?;
        migrate(&mut connection).await?;
        drop(connection);
        let reading = options.read_only(true).create_if_missing(false);
        let readers = pool().max_connections(READERS).connect_with(reading).await?;
        Ok(Self { writer, readers })
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

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("begin immediate").await?)
    }
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&mut *connection).await?;
    let numbers: Vec<u32> = found.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    if numbers.as_slice() < OLDEST_SQLITE.as_slice() { Err(StoreError::OldSqlite { found }) } else { Ok(()) }
}

/// Brings the file to the newest format, one transaction for each step.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut *connection).await?;
    let known = i64::try_from(FORMATS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::NewerFormat { found, known });
    }
    let done = usize::try_from(found).map_err(|error| StoreError::damaged("the format", &error))?;
    for (format, statements) in FORMATS.iter().enumerate().skip(done) {
        let mut transaction = connection.begin_with("begin immediate").await?;
        for sql in *statements {
            sqlx::raw_sql(*sql).execute(&mut *transaction).await?;
        }
        let mark = format!("pragma user_version = {}", format + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
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
