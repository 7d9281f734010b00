//! What the owner of this peer sent and received: transactions that concern the owner, whatever became of them.

use std::sync::Arc;

use raclette_chain::{
    codec,
    hash::{NetworkId, TransactionId},
    transaction::SignedTransaction,
};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{StoreError, from_sql, to_sql, undecodable};

/// A transaction that the owner sent or received.
#[derive(Debug, Clone)]
pub struct Item {
    /// A number that grows with every item.
    pub id: i64,
    /// The transaction.
    pub transaction: Arc<SignedTransaction>,
    /// Whether the owner sent it.
    pub sent: bool,
    /// When this peer saw it first, in milliseconds since 1970.
    pub received: u64,
    /// When the recipient's peer acknowledged it, in milliseconds since 1970.
    pub delivered: Option<u64>,
}

/// Notes a transaction that concerns the owner; one that is known stays as it is. Whether it was not known.
///
/// # Errors
/// When SQLite fails.
pub async fn insert(
    connection: &mut SqliteConnection,
    transaction: &SignedTransaction,
    sent: bool,
    received: u64,
) -> Result<bool, StoreError> {
    let done =
        sqlx::query("insert into mail (txid, sent, received, body) values (?, ?, ?, ?) on conflict (txid) do nothing")
            .bind(transaction.id().as_bytes().as_slice())
            .bind(sent)
            .bind(to_sql(received))
            .bind(codec::encode_transaction(transaction))
            .execute(connection)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that the recipient's peer has a transaction.
///
/// # Errors
/// When SQLite fails.
pub async fn delivered(connection: &mut SqliteConnection, id: &TransactionId, when: u64) -> Result<(), StoreError> {
    sqlx::query("update mail set delivered = coalesce(delivered, ?) where txid = ?")
        .bind(to_sql(when))
        .bind(id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

type Row = (i64, Vec<u8>, bool, i64, Option<i64>);

fn decode(row: Row, network: &NetworkId) -> Result<Item, StoreError> {
    let (id, body, sent, received, delivered) = row;
    let transaction = Arc::new(codec::decode_transaction(&body, network).map_err(|error| undecodable(&error))?);
    let delivered = delivered.map(from_sql).transpose()?;
    Ok(Item { id, transaction, sent, received: from_sql(received)?, delivered })
}

/// Reads items, newest first, that are older than item `before`.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn page(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
    before: i64,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let rows: Vec<Row> =
        sqlx::query_as("select id, body, sent, received, delivered from mail where id < ? order by id desc limit ?")
            .bind(before)
            .bind(limit)
            .fetch_all(executor)
            .await?;
    rows.into_iter().map(|row| decode(row, network)).collect()
}

/// Reads one item.
///
/// # Errors
/// When SQLite fails or the row is damaged.
pub async fn get(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
    id: &TransactionId,
) -> Result<Option<Item>, StoreError> {
    let row: Option<Row> = sqlx::query_as("select id, body, sent, received, delivered from mail where txid = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    row.map(|row| decode(row, network)).transpose()
}

/// Reads received transactions with a message that this peer does not have yet.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn without_message(
    executor: impl SqliteExecutor<'_> + Copy,
    network: &NetworkId,
) -> Result<Vec<Item>, StoreError> {
    let mut missing = Vec::new();
    for item in page(executor, network, i64::MAX, 1_000).await? {
        let content = item.transaction.transaction();
        if !item.sent
            && content.message_length != 0
            && super::ledger::message(executor, &content.message_digest).await?.is_none()
        {
            missing.push(item);
        }
    }
    Ok(missing)
}
