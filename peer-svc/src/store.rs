//! The peer's SQLite file: what it knows for ever.
//!
//! One connection writes, and only the node's writer holds it; everybody else reads through a read-only pool. Commits are
//! synced (`synchronous=FULL`), so that what was acknowledged survives power loss. Tables with large rows are rowid
//! tables with a unique index on the hash, many times as fast as `WITHOUT ROWID`.

pub mod accounts;
pub mod blocks;
pub mod events;
pub mod idempotency;
pub mod ledger;
pub mod mail;
pub mod meta;
pub mod peers;
pub mod places;
pub mod reorgs;
pub mod salvage;
mod schema;
pub mod tidying;
pub mod waiting;

use std::path::Path;

use raclette_chain::{
    codec::{self, DecodeError},
    hash::NetworkId,
    transaction::SignedTransaction,
};
use raclette_service::sqlite::{self, parts};
use sqlx::{SqliteConnection, SqlitePool};

pub use raclette_service::sqlite::{StoreError, close};

/// Opens the file: the one connection that writes, and the pool that reads.
///
/// # Errors
/// See [`StoreError`].
pub async fn open(path: &Path) -> Result<(SqliteConnection, SqlitePool), StoreError> {
    let (mut writer, readers) = sqlite::open(path, schema::FORMATS).await?;
    mail::fill_counterparts(&mut writer).await?;
    Ok((writer, readers))
}

/// Begins the writer's transaction.
///
/// Not one of sqlx's: when the disk is full, SQLite may end a transaction by itself; sqlx would go on counting it as open,
/// and refuse to begin another on this connection for ever.
///
/// # Errors
/// When SQLite fails.
pub async fn begin(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    execute(connection, "begin immediate").await
}

/// Commits the writer's transaction: what it wrote is on the disk then.
///
/// # Errors
/// When SQLite fails; then [`roll_back`].
pub async fn commit(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    execute(connection, "commit").await
}

/// Takes back what the writer's transaction wrote, after a failure.
pub async fn roll_back(connection: &mut SqliteConnection) {
    if let Err(error) = execute(connection, "rollback").await {
        // Usually SQLite has done so itself. If it has not, the next transaction cannot begin, and says so.
        tracing::debug!(%error, "nothing was rolled back");
    }
}

/// From here on, what is written can be taken back without giving up the whole transaction. Savepoints of this program do
/// not nest.
///
/// # Errors
/// When SQLite fails.
pub async fn set_savepoint(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    execute(connection, "savepoint branch").await
}

/// Takes back what was written since the savepoint, which is gone then.
///
/// # Errors
/// When SQLite fails.
pub async fn return_to_savepoint(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    execute(connection, "rollback to branch").await?;
    release_savepoint(connection).await
}

/// Gives the savepoint up: what was written since then belongs to the transaction.
///
/// # Errors
/// When SQLite fails.
pub async fn release_savepoint(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    execute(connection, "release branch").await
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// A record that the chain's codec cannot read.
fn undecodable(error: &DecodeError) -> StoreError {
    StoreError::damaged("a stored record", error)
}

/// A stored transaction, which must be the one its id names.
fn transaction(id: &[u8], body: &[u8], network: &NetworkId) -> Result<SignedTransaction, StoreError> {
    let transaction = codec::decode_transaction(body, network).map_err(|error| undecodable(&error))?;
    if transaction.id().as_bytes().as_slice() == id {
        Ok(transaction)
    } else {
        Err(StoreError::damaged("a stored transaction", &"it is not the one its id names"))
    }
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
