//! Blocks on every branch, and where the transactions of the active ones stand.

use std::collections::HashMap;

use raclette_chain::{
    accounts::Undo,
    audit::StoredBlock,
    block::{Block, Checked},
    codec,
    hash::{BlockHash, NetworkId, StateHash, TransactionId},
    header::Header,
    transaction::SignedTransaction,
};
use sqlx::{QueryBuilder, SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32, from_sql, parts, to_sql, undecodable};

/// What the index needs to know of a stored block.
#[derive(Debug)]
pub struct Stored {
    /// The header.
    pub header: Header,
    /// The state hash after it, if it has ever been connected.
    pub state_hash: Option<StateHash>,
    /// Whether it is on the active branch.
    pub active: bool,
    /// Whether it broke a rule.
    pub invalid: bool,
}

/// Stores a block that is on no branch yet.
///
/// # Errors
/// When SQLite fails.
pub async fn insert(
    connection: &mut SqliteConnection,
    block: &Block<Checked>,
    received: u64,
    unrelayed: bool,
) -> Result<(), StoreError> {
    sqlx::query("insert into blocks (hash, height, header, body, received, unrelayed) values (?, ?, ?, ?, ?, ?)")
        .bind(block.hash().as_bytes().as_slice())
        .bind(i64::from(block.header().height))
        .bind(block.header().bytes().as_slice())
        .bind(codec::encode_body(block))
        .bind(to_sql(received))
        .bind(unrelayed)
        .execute(connection)
        .await?;
    Ok(())
}

/// Hash, height, header, state hash, active, invalid.
type IndexRow = (Vec<u8>, i64, Vec<u8>, Option<Vec<u8>>, bool, bool);

/// Reads what the index needs of all blocks, parents before children.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn all(executor: impl SqliteExecutor<'_>) -> Result<Vec<Stored>, StoreError> {
    let rows: Vec<IndexRow> =
        sqlx::query_as("select hash, height, header, state_hash, active, invalid from blocks order by height, id")
            .fetch_all(executor)
            .await?;
    rows.into_iter()
        .map(|(hash, height, header, state_hash, active, invalid)| {
            let header = codec::decode_header(&header).map_err(|error| undecodable(&error))?;
            if header.hash().as_bytes().as_slice() != hash || i64::from(header.height) != height {
                return Err(StoreError::damaged("a block header", &"its hash or height is another"));
            }
            let state_hash =
                state_hash.map(|bytes| bytes32("a state hash", &bytes).map(StateHash::from_bytes)).transpose()?;
            Ok(Stored { header, state_hash, active, invalid })
        })
        .collect()
}

/// Reads a whole block.
///
/// # Errors
/// When SQLite fails or the row is damaged.
pub async fn get(
    executor: impl SqliteExecutor<'_>,
    hash: &BlockHash,
    network: &NetworkId,
) -> Result<Option<Block<Checked>>, StoreError> {
    let row: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as("select header, body from blocks where hash = ?")
        .bind(hash.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    row.map(|(header, body)| decode(hash, &header, &body, network)).transpose()
}

/// Reads a transaction of the active branch, with its height and position, and without the work of reading all others of its
/// block.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn transaction(
    executor: impl SqliteExecutor<'_>,
    id: &TransactionId,
    network: &NetworkId,
) -> Result<Option<(u32, usize, SignedTransaction)>, StoreError> {
    // In one statement, so that no reorganisation comes in between.
    let row: Option<(i64, i64, Option<Vec<u8>>)> = sqlx::query_as(
        "select place.height, place.position, blocks.body from transactions place
         left join blocks on blocks.height = place.height and blocks.active = 1 where place.txid = ?",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(executor)
    .await?;
    let Some((height, position, body)) = row else { return Ok(None) };
    let (height, position) = place(height, position)?;
    let found = body.map(|body| codec::decode_one_of_body(&body, position, network)).transpose();
    match found.map_err(|error| undecodable(&error))?.flatten() {
        Some(transaction) if transaction.id() == *id => Ok(Some((height, position, transaction))),
        _ => Err(StoreError::damaged(format!("transaction {id}"), &"it is not where it should be")),
    }
}

fn decode(hash: &BlockHash, header: &[u8], body: &[u8], network: &NetworkId) -> Result<Block<Checked>, StoreError> {
    let header = codec::decode_header(header).map_err(|error| undecodable(&error))?;
    let block = codec::decode_body(header, body, network).map_err(|error| undecodable(&error))?;
    let root = raclette_chain::block::merkle_root(&header, block.reward(), block.transactions(), network);
    if block.hash() != *hash || root != header.merkle_root {
        return Err(StoreError::damaged(format!("block {hash}"), &"it is not the block its hash names"));
    }
    Ok(block.assume_checked())
}

/// Header, body, state hash.
type RawRow = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

/// Reads what is stored of a block, as it lies there; nothing is looked at. What is missing is empty.
///
/// # Errors
/// When SQLite fails.
pub async fn raw(executor: impl SqliteExecutor<'_>, hash: &BlockHash) -> Result<StoredBlock, StoreError> {
    let row: Option<RawRow> = sqlx::query_as("select header, body, state_hash from blocks where hash = ?")
        .bind(hash.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    let (header, body, state_hash) = row.unwrap_or_default();
    Ok(StoredBlock { hash: *hash, header, body, state_hash })
}

/// The last block of the active branch; none if there is only the genesis block, which is in no row.
///
/// # Errors
/// When SQLite fails or the row is damaged.
pub async fn active_tip(executor: impl SqliteExecutor<'_>) -> Result<Option<BlockHash>, StoreError> {
    let hash: Option<Vec<u8>> =
        sqlx::query_scalar("select hash from blocks where active = 1 order by height desc limit 1")
            .fetch_optional(executor)
            .await?;
    hash.map(|hash| bytes32("a block hash", &hash).map(BlockHash::from_bytes)).transpose()
}

/// Reads what takes a connected block off again.
///
/// # Errors
/// When SQLite fails, or the block or its undo data are missing or damaged.
pub async fn undo(connection: &mut SqliteConnection, hash: &BlockHash) -> Result<Undo, StoreError> {
    let bytes: Option<Option<Vec<u8>>> = sqlx::query_scalar("select undo from blocks where hash = ?")
        .bind(hash.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    let bytes =
        bytes.flatten().ok_or_else(|| StoreError::damaged(format!("block {hash}"), &"its undo data are missing"))?;
    codec::decode_undo(&bytes).map_err(|error| undecodable(&error))
}

/// Puts a block on the active branch at `now`, in milliseconds since 1970. Since when each of its transactions had been
/// pending is kept from the ledger, whose rows are still there.
///
/// # Errors
/// When SQLite fails.
pub async fn activate(
    connection: &mut SqliteConnection,
    block: &Block<Checked>,
    undo: &Undo,
    state_hash: &StateHash,
    now: u64,
) -> Result<(), StoreError> {
    sqlx::query("update blocks set active = 1, undo = ?, state_hash = ?, connected = ? where hash = ?")
        .bind(codec::encode_undo(undo))
        .bind(state_hash.as_bytes().as_slice())
        .bind(to_sql(now))
        .bind(block.hash().as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    let height = i64::from(block.header().height);
    let mut position = 0_i64;
    for transactions in parts(block.transactions()) {
        let mut sql = QueryBuilder::new(
            "insert into transactions (txid, height, position, received) select v.column1, v.column2, v.column3, ledger.received \
             from (",
        );
        sql.push_values(transactions, |mut row, transaction| {
            row.push_bind(transaction.id().as_bytes().to_vec()).push_bind(height).push_bind(position);
            position += 1;
        });
        sql.push(") v left join ledger on ledger.txid = v.column1");
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Takes a block off the active branch.
///
/// # Errors
/// When SQLite fails.
pub async fn deactivate(connection: &mut SqliteConnection, hash: &BlockHash, height: u32) -> Result<(), StoreError> {
    sqlx::query("update blocks set active = 0 where hash = ?")
        .bind(hash.as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from transactions where height = ?").bind(i64::from(height)).execute(connection).await?;
    Ok(())
}

/// When a block was put on the active branch the last time, in milliseconds since 1970.
///
/// # Errors
/// When SQLite fails.
pub async fn connected(executor: impl SqliteExecutor<'_>, hash: &BlockHash) -> Result<Option<u64>, StoreError> {
    let connected: Option<Option<i64>> = sqlx::query_scalar("select connected from blocks where hash = ?")
        .bind(hash.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    connected.flatten().map(from_sql).transpose()
}

/// Since when the transactions of the active block at a height had been pending here before, in milliseconds since 1970;
/// those that never were are left out.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn pending_since(
    executor: impl SqliteExecutor<'_>,
    height: u32,
) -> Result<HashMap<TransactionId, u64>, StoreError> {
    let rows: Vec<(Vec<u8>, i64)> =
        sqlx::query_as("select txid, received from transactions where height = ? and received is not null")
            .bind(i64::from(height))
            .fetch_all(executor)
            .await?;
    rows.into_iter()
        .map(|(txid, received)| {
            Ok((TransactionId::from_bytes(bytes32("a transaction id", &txid)?), from_sql(received)?))
        })
        .collect()
}

/// Since when a confirmed transaction had been pending here before, in milliseconds since 1970.
///
/// # Errors
/// When SQLite fails.
pub async fn received(executor: impl SqliteExecutor<'_>, id: &TransactionId) -> Result<Option<u64>, StoreError> {
    let received: Option<Option<i64>> = sqlx::query_scalar("select received from transactions where txid = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    received.flatten().map(from_sql).transpose()
}

/// Remembers that blocks broke a rule.
///
/// # Errors
/// When SQLite fails.
pub async fn mark_invalid(connection: &mut SqliteConnection, hashes: &[BlockHash]) -> Result<(), StoreError> {
    update(connection, "update blocks set invalid = 1 where hash in (", hashes).await
}

/// Executes a statement that ends in a list of hashes, for all of them.
async fn update(
    connection: &mut SqliteConnection,
    statement: &'static str,
    hashes: &[BlockHash],
) -> Result<(), StoreError> {
    for hashes in parts(hashes) {
        let mut sql = QueryBuilder::new(statement);
        let mut list = sql.separated(", ");
        for hash in hashes {
            list.push_bind(hash.as_bytes().as_slice());
        }
        sql.push(")");
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// The blocks that are still to be sent to others.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn unrelayed(executor: impl SqliteExecutor<'_>) -> Result<Vec<BlockHash>, StoreError> {
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("select hash from blocks where unrelayed = 1 order by id").fetch_all(executor).await?;
    rows.iter().map(|hash| bytes32("a block hash", hash).map(BlockHash::from_bytes)).collect()
}

/// Notes that blocks have been sent, or are in the queue, for everybody.
///
/// # Errors
/// When SQLite fails.
pub async fn relayed(connection: &mut SqliteConnection, hashes: &[BlockHash]) -> Result<(), StoreError> {
    update(connection, "update blocks set unrelayed = 0 where hash in (", hashes).await
}

/// Where a transaction stands on the active branch: height and position.
///
/// # Errors
/// When SQLite fails.
pub async fn position(
    executor: impl SqliteExecutor<'_>,
    id: &TransactionId,
) -> Result<Option<(u32, usize)>, StoreError> {
    let row: Option<(i64, i64)> = sqlx::query_as("select height, position from transactions where txid = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    row.map(|(height, position)| place(height, position)).transpose()
}

fn place(height: i64, position: i64) -> Result<(u32, usize), StoreError> {
    let height = u32::try_from(height).map_err(|error| StoreError::damaged("a height", &error))?;
    let position = usize::try_from(from_sql(position)?).map_err(|error| StoreError::damaged("a position", &error))?;
    Ok((height, position))
}
