//! What the owner of this peer sent and received: transactions that concern the owner, whatever became of them.

use std::{collections::HashSet, sync::Arc};

use raclette_chain::{
    address::Address,
    codec,
    hash::{NetworkId, TransactionId},
    transaction::SignedTransaction,
};
use sqlx::{AssertSqlSafe, QueryBuilder, SqliteConnection, SqliteExecutor};

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
    /// The recipient's receipt: when its peer got the transaction, and its signature in base64.
    pub receipt: Option<(u64, String)>,
}

/// In which order items are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// What was exchanged with one counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// The other side.
    pub counterpart: Address,
    /// How many items there are.
    pub count: u64,
    /// How many of them the owner sent.
    pub sent: u64,
    /// The number of the newest item.
    pub newest: i64,
    /// When this peer saw the newest item first, in milliseconds since 1970.
    pub last: u64,
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
        let mut sql = QueryBuilder::new("insert into mail (txid, sent, received, counterpart, body) ");
        sql.push_values(transactions, |mut values, transaction| {
            values
                .push_bind(transaction.id().as_bytes().to_vec())
                .push_bind(transaction.sender() == *owner)
                .push_bind(to_sql(received))
                .push_bind(counterpart(transaction, owner).as_bytes().to_vec())
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

/// The other side of what the owner sent or received.
fn counterpart(transaction: &SignedTransaction, owner: &Address) -> Address {
    let sender = transaction.sender();
    if sender == *owner { transaction.transaction().recipient } else { sender }
}

/// Notes the other side of what older programs stored without it.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn fill_counterparts(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    loop {
        let rows: Vec<(i64, bool, Vec<u8>)> =
            sqlx::query_as("select id, sent, body from mail where counterpart is null limit 500")
                .fetch_all(&mut *connection)
                .await?;
        if rows.is_empty() {
            return Ok(());
        }
        for (id, sent, body) in rows {
            // No address depends on the network.
            let transaction =
                codec::decode_transaction(&body, &NetworkId::ZERO).map_err(|error| super::undecodable(&error))?;
            let other = if sent { transaction.transaction().recipient } else { transaction.sender() };
            let update = sqlx::query("update mail set counterpart = ? where id = ?");
            update.bind(other.as_bytes().as_slice()).bind(id).execute(&mut *connection).await?;
        }
    }
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

/// Notes the recipient's receipt, and that its peer has the transaction; whether that was not known before.
///
/// # Errors
/// When SQLite fails.
pub async fn receipted(
    connection: &mut SqliteConnection,
    id: &TransactionId,
    received: u64,
    signature: &str,
    when: u64,
) -> Result<bool, StoreError> {
    sqlx::query("update mail set receipt_time = ?, receipt = ? where txid = ?")
        .bind(to_sql(received))
        .bind(signature)
        .bind(id.as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    let noted = sqlx::query("update mail set delivered = ? where txid = ? and delivered is null")
        .bind(to_sql(when))
        .bind(id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(noted.rows_affected() > 0)
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

/// The columns of [`Row`].
const COLUMNS: &str = "id, txid, body, sent, received, delivered, replaced_by, receipt_time, receipt";

/// What [`COLUMNS`] hold.
type Row = (i64, Vec<u8>, Vec<u8>, bool, i64, Option<i64>, Option<Vec<u8>>, Option<i64>, Option<String>);

fn decode(row: Row, network: &NetworkId) -> Result<Item, StoreError> {
    let (id, txid, body, sent, received, delivered, replaced_by, receipt_time, receipt) = row;
    let transaction = Arc::new(super::transaction(&txid, &body, network)?);
    let delivered = delivered.map(from_sql).transpose()?;
    let replaced_by =
        replaced_by.map(|bytes| bytes32("a transaction id", &bytes).map(TransactionId::from_bytes)).transpose()?;
    let receipt = receipt_time.map(from_sql).transpose()?.zip(receipt);
    Ok(Item { id, transaction, sent, received: from_sql(received)?, delivered, replaced_by, receipt })
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
    let statement = format!("select {COLUMNS} from mail where id < ? order by id desc limit ?");
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(statement)).bind(before).bind(limit).fetch_all(executor).await?;
    rows.into_iter().map(|row| decode(row, network)).collect()
}

/// Reads items of one conversation, newest first, that are older than item `cursor`; or oldest first, that are newer.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn conversation(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
    counterpart: &Address,
    order: Order,
    cursor: i64,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let place = match order {
        Order::NewestFirst => "id < ? order by id desc",
        Order::OldestFirst => "id > ? order by id",
    };
    let statement = format!("select {COLUMNS} from mail where counterpart = ? and {place} limit ?");
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(statement))
        .bind(counterpart.as_bytes().as_slice())
        .bind(cursor)
        .bind(limit)
        .fetch_all(executor)
        .await?;
    rows.into_iter().map(|row| decode(row, network)).collect()
}

/// Counts what was exchanged with each counterpart whose newest item is older than item `before`, the newest first.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn conversations(
    executor: impl SqliteExecutor<'_>,
    before: i64,
    limit: u32,
) -> Result<Vec<Exchanged>, StoreError> {
    // SQLite takes a bare column from the row that has the maximum.
    let rows: Vec<(Vec<u8>, i64, i64, i64, i64)> = sqlx::query_as(
        "select counterpart, count(*), sum(sent), max(id), received from mail group by counterpart \
         having max(id) < ? order by max(id) desc limit ?",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|(counterpart, count, sent, newest, last)| {
            let counterpart = Address::from_bytes(bytes32("an address", &counterpart)?);
            Ok(Exchanged { counterpart, count: from_sql(count)?, sent: from_sql(sent)?, newest, last: from_sql(last)? })
        })
        .collect()
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
    let statement = format!("select {COLUMNS} from mail where txid = ?");
    let id = id.as_bytes().as_slice();
    let row: Option<Row> = sqlx::query_as(AssertSqlSafe(statement)).bind(id).fetch_optional(executor).await?;
    row.map(|row| decode(row, network)).transpose()
}

/// Reads sent transactions behind item `after` for which there is no receipt, oldest first.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn without_receipt(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
    after: i64,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let statement =
        format!("select {COLUMNS} from mail where sent = 1 and receipt is null and id > ? order by id limit ?");
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(statement)).bind(after).bind(limit).fetch_all(executor).await?;
    rows.into_iter().map(|row| decode(row, network)).collect()
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
