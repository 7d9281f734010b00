//! Blocks on every branch.

use raclette_chain::{
    accounts::Undo,
    audit::StoredBlock,
    block::{Block, Checked},
    codec,
    hash::{BlockHash, NetworkId, StateHash},
    header::Header,
};
use sqlx::{QueryBuilder, SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32, from_sql, parts, places, to_sql, undecodable};

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

/// What is stored of a block besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When it came, in milliseconds since 1970.
    pub received: u64,
    /// Whether it is still to be sent to others.
    pub unrelayed: bool,
}

/// What a block that has passed every rule does to the accounts.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// What takes it off again.
    pub undo: &'a Undo,
    /// The state hash after it.
    pub state_hash: StateHash,
    /// When it is put on the active branch, in milliseconds since 1970.
    pub time: u64,
}

/// Stores a block that is on no branch yet.
///
/// # Errors
/// When SQLite fails.
pub async fn insert(
    connection: &mut SqliteConnection,
    block: &Block<Checked>,
    arrival: Arrival,
) -> Result<(), StoreError> {
    write(connection, block, arrival, None).await
}

/// Stores a block on the active branch, which it extends. As [`insert`] and [`activate`] do one after the other, but its
/// body, which is most of what is written, is written once.
///
/// # Errors
/// When SQLite fails.
pub async fn insert_active(
    connection: &mut SqliteConnection,
    block: &Block<Checked>,
    arrival: Arrival,
    connected: Connection<'_>,
) -> Result<(), StoreError> {
    write(connection, block, arrival, Some(connected)).await?;
    places::add(connection, block).await
}

async fn write(
    connection: &mut SqliteConnection,
    block: &Block<Checked>,
    arrival: Arrival,
    connected: Option<Connection<'_>>,
) -> Result<(), StoreError> {
    let sql =
        "insert into blocks (hash, height, header, body, received, unrelayed, active, undo, state_hash, connected)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(block.hash().as_bytes().as_slice())
        .bind(i64::from(block.header().height))
        .bind(block.header().bytes().as_slice())
        .bind(codec::encode_body(block))
        .bind(to_sql(arrival.received))
        .bind(arrival.unrelayed)
        .bind(connected.is_some())
        .bind(connected.map(|connected| codec::encode_undo(connected.undo)))
        .bind(connected.map(|connected| connected.state_hash.as_bytes().to_vec()))
        .bind(connected.map(|connected| to_sql(connected.time)))
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

/// Puts a stored block on the active branch.
///
/// # Errors
/// When SQLite fails.
pub async fn activate(
    connection: &mut SqliteConnection,
    block: &Block<Checked>,
    connected: Connection<'_>,
) -> Result<(), StoreError> {
    sqlx::query("update blocks set active = 1, undo = ?, state_hash = ?, connected = ? where hash = ?")
        .bind(codec::encode_undo(connected.undo))
        .bind(connected.state_hash.as_bytes().as_slice())
        .bind(to_sql(connected.time))
        .bind(block.hash().as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    places::add(connection, block).await
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
    places::remove(connection, height).await
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
