//! The peer's SQLite file: what it knows for ever.
//!
//! One connection writes, and only the node's writer holds it; everybody else reads through a read-only pool. Commits are
//! synced (`synchronous=FULL`), so that what was acknowledged survives power loss. Tables with large rows are rowid
//! tables with a unique index on the hash, many times as fast as `WITHOUT ROWID`.

pub mod accounts;
pub mod blocks;
pub mod ledger;
pub mod mail;
pub mod meta;
pub mod peers;
mod schema;

use std::path::Path;

use raclette_chain::codec::DecodeError;
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// The oldest SQLite that this program runs with: older ones can corrupt a database in WAL mode with two connections.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// How many connections read at once.
const READERS: u32 = 4;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row is not what this program wrote.
    #[error(
        "the database is damaged: {what}: {reason}. Restore a backup, or delete the file and fetch the history again"
    )]
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
        matches!(self, Self::Database(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("13" | "778")))
    }

    fn damaged(what: impl Into<String>, reason: &impl ToString) -> Self {
        Self::Damaged { what: what.into(), reason: reason.to_string() }
    }
}

impl From<DecodeError> for StoreError {
    fn from(error: DecodeError) -> Self {
        Self::damaged("a stored record", &error)
    }
}

/// Opens the file: first the one connection that writes, then the pool that reads.
///
/// # Errors
/// See [`StoreError`].
pub async fn open(path: &Path) -> Result<(SqliteConnection, SqlitePool), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging();
    let mut writer = options.connect().await?;
    check_version(&mut writer).await?;
    schema::migrate(&mut writer).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.read_only(true).create_if_missing(false))
        .await?;
    Ok((writer, readers))
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&mut *connection).await?;
    let mut numbers = found.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let version = (next(), next(), next());
    if version < OLDEST_SQLITE { Err(StoreError::OldSqlite { found }) } else { Ok(()) }
}

/// Ends the writing connection: what is in the write-ahead log goes into the file.
///
/// # Errors
/// When SQLite cannot write it.
pub async fn close(mut writer: SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut writer).await?;
    writer.close().await?;
    Ok(())
}

/// Reads 32 bytes out of a column.
fn bytes32(what: &'static str, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::damaged(what, &format!("{} bytes instead of 32", bytes.len())))
}

/// An unsigned number as SQLite's signed one; everything stored is below 2^53.
fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number from SQLite that this program wrote as an unsigned one.
fn from_sql(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::damaged("a number", &format!("{value} is negative")))
}
