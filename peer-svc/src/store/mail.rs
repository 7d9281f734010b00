//! What the owner of this peer sent and received: transactions that concern the owner, whatever became of them.

use std::{collections::HashSet, sync::Arc};

use raclette_chain::{
    address::Address,
    codec,
    hash::{NetworkId, TransactionId},
    transaction::SignedTransaction,
};
use sqlx::{QueryBuilder, SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32, from_sql, parts, to_sql};

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
    /// The transaction that was signed in its place.
    pub replaced_by: Option<TransactionId>,
}

/// Notes transactions that concern the owner; those that are known stay as they are. The ids of those that were not known.
///
/// # Errors
/// When SQLite fails.
pub async fn insert(
    connection: &mut SqliteConnection,
    transactions: &[Arc<SignedTransaction>],
    owner: &Address,
    received: u64,
) -> Result<HashSet<TransactionId>, StoreError> {
    let mut new = HashSet::new();
    for transactions in parts(transactions) {
        let mut sql = QueryBuilder::new("insert into mail (txid, sent, received, body) ");
        sql.push_values(transactions, |mut values, transaction| {
            values
                .push_bind(transaction.id().as_bytes().to_vec())
                .push_bind(transaction.sender() == *owner)
                .push_bind(to_sql(received))
                .push_bind(codec::encode_transaction(transaction));
        });
        sql.push(" on conflict (txid) do nothing returning txid");
        let inserted: Vec<Vec<u8>> = sql.build_query_scalar().fetch_all(&mut *connection).await?;
        for id in inserted {
            new.insert(TransactionId::from_bytes(bytes32("a transaction's id", &id)?));
        }
    }
    Ok(new)
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

/// Notes that a transaction was signed in place of another one.
///
/// # Errors
/// When SQLite fails.
pub async fn replaced(
    connection: &mut SqliteConnection,
    old: &TransactionId,
    new: &TransactionId,
) -> Result<(), StoreError> {
    sqlx::query("update mail set replaced_by = ? where txid = ?")
        .bind(new.as_bytes().as_slice())
        .bind(old.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// Id, transaction's id, transaction, sent, received, delivered, replaced by.
type Row = (i64, Vec<u8>, Vec<u8>, bool, i64, Option<i64>, Option<Vec<u8>>);

fn decode(row: Row, network: &NetworkId) -> Result<Item, StoreError> {
    let (id, txid, body, sent, received, delivered, replaced_by) = row;
    let transaction = Arc::new(super::transaction(&txid, &body, network)?);
    let delivered = delivered.map(from_sql).transpose()?;
    let replaced_by =
        replaced_by.map(|bytes| bytes32("a transaction id", &bytes).map(TransactionId::from_bytes)).transpose()?;
    Ok(Item { id, transaction, sent, received: from_sql(received)?, delivered, replaced_by })
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
    let rows: Vec<Row> = sqlx::query_as(
        "select id, txid, body, sent, received, delivered, replaced_by from mail where id < ? order by id desc limit ?",
    )
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
    let row: Option<Row> =
        sqlx::query_as("select id, txid, body, sent, received, delivered, replaced_by from mail where txid = ?")
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
            && super::ledger::message(executor, &content.message_digest, network).await?.is_none()
        {
            missing.push(item);
        }
    }
    Ok(missing)
}
