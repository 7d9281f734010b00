//! Pending transactions, and sealed messages.

use std::sync::Arc;

use raclette_chain::{
    codec,
    hash::{MessageDigest, NetworkId, TransactionId},
    message::SealedMessage,
    transaction::SignedTransaction,
};
use sqlx::{QueryBuilder, SqliteConnection, SqliteExecutor};

use super::{StoreError, parts, to_sql, undecodable};

/// A pending transaction to be stored.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// The transaction.
    pub transaction: Arc<SignedTransaction>,
    /// When it came, in milliseconds since 1970.
    pub received: u64,
    /// Whether it is still to be sent to others.
    pub unrelayed: bool,
}

/// Stores pending transactions.
///
/// # Errors
/// When SQLite fails.
pub async fn insert(connection: &mut SqliteConnection, rows: &[NewRow]) -> Result<(), StoreError> {
    for rows in parts(rows) {
        let mut sql = QueryBuilder::new("insert into ledger (txid, received, unrelayed, body) ");
        sql.push_values(rows, |mut values, row| {
            values
                .push_bind(row.transaction.id().as_bytes().to_vec())
                .push_bind(to_sql(row.received))
                .push_bind(row.unrelayed)
                .push_bind(codec::encode_transaction(&row.transaction));
        });
        sql.push(" on conflict (txid) do nothing");
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Deletes pending transactions.
///
/// # Errors
/// When SQLite fails.
pub async fn delete(connection: &mut SqliteConnection, ids: &[TransactionId]) -> Result<(), StoreError> {
    for_each_chunk(connection, "delete from ledger where txid in (", ids).await
}

/// Notes that transactions have been sent, or are in the queue, for everybody.
///
/// # Errors
/// When SQLite fails.
pub async fn relayed(connection: &mut SqliteConnection, ids: &[TransactionId]) -> Result<(), StoreError> {
    for_each_chunk(connection, "update ledger set unrelayed = 0 where txid in (", ids).await
}

/// Executes a statement that ends in a list of ids, for all of them.
async fn for_each_chunk(
    connection: &mut SqliteConnection,
    statement: &'static str,
    ids: &[TransactionId],
) -> Result<(), StoreError> {
    for ids in parts(ids) {
        let mut sql = QueryBuilder::new(statement);
        let mut list = sql.separated(", ");
        for id in ids {
            list.push_bind(id.as_bytes().to_vec());
        }
        sql.push(")");
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Reads all pending transactions in the order in which they came.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn all(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
) -> Result<Vec<Arc<SignedTransaction>>, StoreError> {
    let rows = sqlx::query_as(
        "select txid, body from ledger where txid not in (select txid from recent_transactions) order by id",
    )
    .fetch_all(executor)
    .await?;
    decode(&rows, network)
}

/// Reads the pending transactions that are still to be sent to others, in the order in which they came.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn unrelayed(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
) -> Result<Vec<Arc<SignedTransaction>>, StoreError> {
    let rows = sqlx::query_as(
        "select txid, body from ledger
             where unrelayed = 1 and txid not in (select txid from recent_transactions) order by id",
    )
    .fetch_all(executor)
    .await?;
    decode(&rows, network)
}

fn decode(rows: &[(Vec<u8>, Vec<u8>)], network: &NetworkId) -> Result<Vec<Arc<SignedTransaction>>, StoreError> {
    rows.iter().map(|(id, body)| super::transaction(id, body, network).map(Arc::new)).collect()
}

/// When a pending transaction came, in milliseconds since 1970.
///
/// # Errors
/// When SQLite fails.
pub async fn received(executor: impl SqliteExecutor<'_>, id: &TransactionId) -> Result<Option<u64>, StoreError> {
    let received: Option<i64> = sqlx::query_scalar("select received from ledger where txid = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    received.map(super::from_sql).transpose()
}

/// Stores sealed messages.
///
/// # Errors
/// When SQLite fails.
pub async fn insert_messages(
    connection: &mut SqliteConnection,
    messages: &[(MessageDigest, Arc<SealedMessage>)],
) -> Result<(), StoreError> {
    for rows in parts(messages) {
        let mut sql = QueryBuilder::new("insert into messages (digest, sealed) ");
        sql.push_values(rows, |mut values, (digest, message)| {
            values.push_bind(digest.as_bytes().to_vec()).push_bind(codec::encode_message(message));
        });
        sql.push(" on conflict (digest) do nothing");
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Reads a sealed message.
///
/// # Errors
/// When SQLite fails or the row is damaged.
pub async fn message(
    executor: impl SqliteExecutor<'_>,
    digest: &MessageDigest,
    network: &NetworkId,
) -> Result<Option<SealedMessage>, StoreError> {
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("select sealed from messages where digest = ?")
        .bind(digest.as_bytes().as_slice())
        .fetch_optional(executor)
        .await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let message = codec::decode_message(&sealed).map_err(|error| undecodable(&error))?;
    if message.digest(network).0 != *digest {
        return Err(StoreError::damaged(format!("message {digest}"), &"it is another"));
    }
    Ok(Some(message))
}
