//! How a service keeps its SQLite file: safe settings, the formats it went through, and what can go wrong.
//!
//! One connection writes, in transactions that begin with `BEGIN IMMEDIATE`; everybody else reads through a read-only pool.
//! Commits are synced (`synchronous=FULL`), so that what was acknowledged survives power loss. The tables and the
//! statements are the services' own.

use std::path::Path;

use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::crash_point::crash_point;

/// The oldest SQLite that this program runs with: older ones can corrupt a database in WAL mode with two connections.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// A file up to this size, in bytes, is checked as a whole at each start.
const SMALL_FILE: i64 = 64 << 20;

/// How many connections read at once.
const READERS: u32 = 4;

/// The statements that make each format of a file out of the one before, in order. Never change one that was released: add
/// another.
pub type Formats = &'static [&'static [&'static str]];

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the database failed: {0}")]
    Database(sqlx::Error),
    /// The file, or a row in it, is not what this program wrote.
    #[error("the database is damaged: {what}: {reason}")]
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
    /// A row that is not what this program wrote.
    pub fn damaged(what: impl Into<String>, reason: &impl ToString) -> Self {
        Self::Damaged { what: what.into(), reason: reason.to_string() }
    }

    /// Whether the disk, or the room given to the database, is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        // SQLITE_FULL, and SQLITE_IOERR_WRITE for file systems that report a full disk so.
        matches!(self, Self::Database(error) if matches!(code(error), Some(13 | 778)))
    }

    /// Whether the file is not what this program wrote.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match (&error, code(&error).map(|code| code & 0xff)) {
            // SQLITE_CORRUPT and SQLITE_NOTADB in all their kinds.
            (_, Some(11 | 26)) => Self::damaged("the file", &error),
            (sqlx::Error::ColumnDecode { index, .. }, _) => Self::damaged(format!("column {index}"), &error),
            _ => Self::Database(error),
        }
    }
}

/// SQLite's extended result code.
fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Opens the file, makes it if it is not there, and brings it to the newest format. Gives the one connection that writes,
/// and the pool that reads.
///
/// # Errors
/// See [`StoreError`].
pub async fn open(path: &Path, formats: Formats) -> Result<(SqliteConnection, SqlitePool), StoreError> {
    let options = options(path);
    let mut writer = options.connect().await?;
    prepare(&mut writer, formats).await?;
    Ok((writer, readers(options).await?))
}

/// Opens a file that nobody writes to, such as a copy; nothing is written beside it either.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_copy(path: &Path) -> Result<SqlitePool, StoreError> {
    let reading = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    Ok(lasting_pool().max_connections(READERS).connect_with(reading.disable_statement_logging()).await?)
}

/// As [`open`], for a service whose writers take turns: the connection that writes comes as a pool of one.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_pools(path: &Path, formats: Formats) -> Result<(SqlitePool, SqlitePool), StoreError> {
    let options = options(path);
    let writer = lasting_pool().max_connections(1).connect_with(options.clone()).await?;
    prepare(&mut *writer.acquire().await?, formats).await?;
    Ok((writer, readers(options).await?))
}

/// How many rows go into one statement at most. With six values a row that is far below the 32,766 that SQLite takes.
const ROWS: usize = 256;

/// Cuts rows into parts for one statement each, whose lengths are powers of two: so there are few different statements,
/// which are prepared once and kept.
pub fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let (part, rest) = rows.split_at(1 << rows.len().min(ROWS).checked_ilog2()?);
        rows = rest;
        Some(part)
    })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

fn lasting_pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None)
}

async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let reading = options.read_only(true).create_if_missing(false);
    Ok(lasting_pool().max_connections(READERS).connect_with(reading).await?)
}

async fn prepare(writer: &mut SqliteConnection, formats: Formats) -> Result<(), StoreError> {
    check_version(writer).await?;
    check_file(writer).await?;
    migrate(writer, formats).await.map_err(|error| match error {
        // The statements are right: if SQLite cannot run them, the tables are not those of the format that the file names.
        StoreError::Database(error) if code(&error) == Some(1) => StoreError::damaged("the tables", &error),
        other => other,
    })
}

/// Looks for damage in bounded time: in all of a small file, indexes against tables, and in the list of tables of a large
/// one. What the services load at their start they check themselves.
async fn check_file(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let pages: i64 = sqlx::query_scalar("pragma page_count").fetch_one(&mut *connection).await?;
    let size: i64 = sqlx::query_scalar("pragma page_size").fetch_one(&mut *connection).await?;
    let check = if pages.saturating_mul(size) <= SMALL_FILE {
        "pragma integrity_check(1)"
    } else {
        "pragma quick_check('sqlite_schema')"
    };
    let found: String = sqlx::query_scalar(check).fetch_one(connection).await?;
    if found == "ok" { Ok(()) } else { Err(StoreError::damaged("the file", &found.replace('\n', " "))) }
}

/// Ends the connection that writes: what is in the write-ahead log goes into the file.
///
/// # Errors
/// When SQLite cannot write it. Nothing is lost then: the next start reads the log.
pub async fn close(mut writer: SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut writer).await?;
    writer.close().await?;
    Ok(())
}

/// The size of the database in bytes, without its write-ahead log.
///
/// # Errors
/// Those of the database.
pub async fn size(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let select = "select page_count * page_size from pragma_page_count, pragma_page_size";
    let bytes: i64 = sqlx::query_scalar(select).fetch_one(connection).await?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("select sqlite_version()").fetch_one(connection).await?;
    if is_safe(&found) { Ok(()) } else { Err(StoreError::OldSqlite { found }) }
}

/// Whether a version of SQLite is new enough.
fn is_safe(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0)) >= OLDEST_SQLITE
}

/// Brings the file to the newest format, one transaction for each step.
async fn migrate(connection: &mut SqliteConnection, formats: Formats) -> Result<(), StoreError> {
    let found: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut *connection).await?;
    let known = i64::try_from(formats.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::NewerFormat { found, known });
    }
    let done = usize::try_from(found).map_err(|_| StoreError::damaged("the format", &found))?;
    for (format, statements) in formats.iter().enumerate().skip(done) {
        let mut transaction = connection.begin_with("begin immediate").await?;
        for sql in *statements {
            sqlx::raw_sql(*sql).execute(&mut *transaction).await?;
        }
        let set_version = format!("pragma user_version = {}", format + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(set_version)).execute(&mut *transaction).await?;
        crash_point("start", "format_written");
        transaction.commit().await?;
        crash_point("start", "format_committed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use sqlx::{Connection as _, SqliteConnection, SqlitePool};

    use super::{Formats, ROWS, StoreError, close, is_safe, open, open_pools, parts};

    const FIRST: Formats = &[&["create table cheese (name text) strict"]];
    const SECOND: Formats =
        &[FIRST[0], &["alter table cheese add column age integer", "insert into cheese values ('raclette', 3)"]];

    #[tokio::test]
    async fn an_older_file_becomes_a_newer_one_and_keeps_what_is_in_it() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("store.sqlite");
        let (mut writer, readers) = open(&path, FIRST).await.unwrap();
        sqlx::query("insert into cheese values ('brie')").execute(&mut writer).await.unwrap();
        readers.close().await;
        close(writer).await.unwrap();
        for _ in 0..2 {
            let (writer, readers) = open(&path, SECOND).await.unwrap();
            let names: Vec<String> =
                sqlx::query_scalar("select name from cheese order by name").fetch_all(&readers).await.unwrap();
            assert_eq!(names, ["brie", "raclette"]);
            readers.close().await;
            close(writer).await.unwrap();
        }
    }

    #[test]
    fn rows_are_cut_into_few_different_lengths_and_none_is_lost() {
        for count in [0, 1, 3, 255, 256, 257, 1_000, 5_000] {
            let rows: Vec<usize> = (0..count).collect();
            assert_eq!(parts(&rows).collect::<Vec<_>>().concat(), rows);
            assert!(parts(&rows).all(|part| part.len().is_power_of_two() && part.len() <= ROWS));
        }
    }

    #[tokio::test]
    async fn a_newer_file_is_refused_and_readers_cannot_write() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("store.sqlite");
        let (writer, readers) = open(&path, SECOND).await.unwrap();
        assert!(sqlx::query("delete from cheese").execute(&readers).await.is_err());
        readers.close().await;
        close(writer).await.unwrap();
        assert!(matches!(open(&path, FIRST).await, Err(StoreError::NewerFormat { found: 2, known: 1 })));
    }

    /// What every open connection must be set to.
    async fn is_safe_to_acknowledge(writer: &mut SqliteConnection, readers: &SqlitePool) {
        let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&mut *writer).await.unwrap();
        assert!(is_safe(&version), "{version}");
        let journal: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *writer).await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(writer).await.unwrap();
        assert_eq!((&*journal, synchronous), ("wal", 2), "2 is FULL");
        let mut reader = readers.acquire().await.unwrap();
        let journal: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *reader).await.unwrap();
        assert_eq!(journal, "wal");
        assert!(sqlx::query("create table more (name text)").execute(&mut *reader).await.is_err());
    }

    #[tokio::test]
    async fn connections_sync_every_commit_and_one_alone_can_write() {
        let directory = TempDir::new().unwrap();
        let (mut writer, readers) = open(&directory.path().join("one.sqlite"), FIRST).await.unwrap();
        is_safe_to_acknowledge(&mut writer, &readers).await;
        let (writers, readers) = open_pools(&directory.path().join("two.sqlite"), FIRST).await.unwrap();
        assert_eq!(writers.options().get_max_connections(), 1);
        is_safe_to_acknowledge(&mut writers.acquire().await.unwrap(), &readers).await;
    }

    #[tokio::test]
    async fn a_transaction_has_the_right_to_write_from_its_beginning() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("store.sqlite");
        let (mut writer, _) = open(&path, FIRST).await.unwrap();
        let (mut other, _) = open(&path, FIRST).await.unwrap();
        sqlx::query("pragma busy_timeout = 0").execute(&mut other).await.unwrap();
        let transaction = writer.begin_with("begin immediate").await.unwrap();
        let refused = other.begin_with("begin immediate").await;
        assert!(refused.is_err_and(|error| error.to_string().contains("locked")));
        transaction.rollback().await.unwrap();
        other.begin_with("begin immediate").await.unwrap().rollback().await.unwrap();
    }

    #[test]
    fn versions_that_can_corrupt_a_file_are_refused() {
        for (version, safe) in [("3.51.3", true), ("3.51.2", false), ("3.52.0", true), ("3.9.9", false), ("4.0", true)]
        {
            assert_eq!(is_safe(version), safe, "{version}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_none_or_has_lost_a_page_is_called_damaged() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("store.sqlite");
        let (mut writer, readers) = open(&path, SECOND).await.unwrap();
        for number in 0..2_000 {
            let insert = sqlx::query("insert into cheese values (?, 1)").bind(format!("cheese number {number}"));
            insert.execute(&mut writer).await.unwrap();
        }
        readers.close().await;
        close(writer).await.unwrap();
        let whole = std::fs::read(&path).unwrap();
        for damage in [0..16, 8_192..8_400] {
            let mut bytes = whole.clone();
            bytes[damage.clone()].fill(0xa5);
            std::fs::write(&path, bytes).unwrap();
            let error = open(&path, SECOND).await.unwrap_err();
            assert!(error.is_damaged(), "{damage:?}: {error}");
        }
        std::fs::write(&path, whole).unwrap();
        open(&path, SECOND).await.unwrap();
    }
}
