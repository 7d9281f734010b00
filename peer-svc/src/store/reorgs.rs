//! The journal of reorganisations: which blocks lost to which, and how many transactions that touched.

use raclette_chain::hash::BlockHash;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32, from_sql, to_sql};

/// How many reorganisations are kept.
pub const KEPT: i64 = 1_000;

/// A reorganisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorg {
    /// When it happened, in milliseconds since 1970.
    pub time: u64,
    /// The last block that both branches share.
    pub ancestor: BlockHash,
    /// The height of that block.
    pub height: u32,
    /// The blocks that were taken off, from low to high.
    pub lost: Vec<BlockHash>,
    /// The blocks that took their place, from low to high.
    pub won: Vec<BlockHash>,
    /// How many transactions of the blocks that lost went back into the ledger.
    pub returned: u64,
    /// How many of them the winning branch holds too.
    pub moved: u64,
    /// How many of them a rule or a policy keeps out.
    pub refused: u64,
}

/// Notes a reorganisation, and forgets the oldest; its number in the journal.
///
/// # Errors
/// When SQLite fails.
pub async fn insert(connection: &mut SqliteConnection, reorg: &Reorg) -> Result<i64, StoreError> {
    let id = sqlx::query(
        "insert into reorgs (time, ancestor, height, depth, lost, won, returned, moved, refused) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(to_sql(reorg.time))
    .bind(reorg.ancestor.as_bytes().as_slice())
    .bind(i64::from(reorg.height))
    .bind(i64::try_from(reorg.lost.len()).unwrap_or(i64::MAX))
    .bind(joined(&reorg.lost))
    .bind(joined(&reorg.won))
    .bind(to_sql(reorg.returned))
    .bind(to_sql(reorg.moved))
    .bind(to_sql(reorg.refused))
    .execute(&mut *connection)
    .await?
    .last_insert_rowid();
    sqlx::query("delete from reorgs where id <= ?").bind(id - KEPT).execute(connection).await?;
    Ok(id)
}

fn joined(hashes: &[BlockHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn split(hashes: &[u8]) -> Result<Vec<BlockHash>, StoreError> {
    hashes.chunks(32).map(|hash| bytes32("a block hash", hash).map(BlockHash::from_bytes)).collect()
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    time: i64,
    ancestor: Vec<u8>,
    height: i64,
    lost: Vec<u8>,
    won: Vec<u8>,
    returned: i64,
    moved: i64,
    refused: i64,
}

fn decode(row: &Row) -> Result<(i64, Reorg), StoreError> {
    let reorg = Reorg {
        time: from_sql(row.time)?,
        ancestor: BlockHash::from_bytes(bytes32("a block hash", &row.ancestor)?),
        height: u32::try_from(row.height).map_err(|error| StoreError::damaged("a height", &error))?,
        lost: split(&row.lost)?,
        won: split(&row.won)?,
        returned: from_sql(row.returned)?,
        moved: from_sql(row.moved)?,
        refused: from_sql(row.refused)?,
    };
    Ok((row.id, reorg))
}

/// Reads reorganisations, newest first, that are older than number `before`.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn page(executor: impl SqliteExecutor<'_>, before: i64, limit: u32) -> Result<Vec<(i64, Reorg)>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as("select * from reorgs where id < ? order by id desc limit ?")
        .bind(before)
        .bind(limit)
        .fetch_all(executor)
        .await?;
    rows.iter().map(decode).collect()
}

/// How many reorganisations there have ever been, also those that are forgotten: they are numbered from 1.
///
/// # Errors
/// When SQLite fails.
pub async fn total(executor: impl SqliteExecutor<'_>) -> Result<u64, StoreError> {
    let total: i64 = sqlx::query_scalar("select coalesce(max(id), 0) from reorgs").fetch_one(executor).await?;
    from_sql(total)
}

/// The newest reorganisation that took off more than `depth` blocks.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn last_deeper_than(
    executor: impl SqliteExecutor<'_>,
    depth: u32,
) -> Result<Option<(i64, Reorg)>, StoreError> {
    let row: Option<Row> = sqlx::query_as("select * from reorgs where depth > ? order by id desc limit 1")
        .bind(i64::from(depth))
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(decode).transpose()
}
