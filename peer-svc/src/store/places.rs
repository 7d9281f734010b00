//! Where the transactions of the active branch stand.
//!
//! Ids are random: each that goes into a large index changes a page of its own. So a block notes its transactions in
//! `recent_transactions`, which only grows at its end; they go into the index of `transactions` many at once and sorted
//! (`merge`), and the ledger's rows of what has been confirmed are deleted with that. Whoever looks for a transaction
//! looks at both tables, and a row of the ledger counts as pending unless it is among the recent ones.

use std::collections::HashMap;

use raclette_chain::{
    block::{Block, Checked},
    codec,
    hash::{NetworkId, TransactionId},
    transaction::SignedTransaction,
};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32, from_sql, undecodable};

/// Notes where the transactions of a block stand that is put on the active branch.
///
/// # Errors
/// When SQLite fails.
pub(super) async fn add(connection: &mut SqliteConnection, block: &Block<Checked>) -> Result<(), StoreError> {
    // All ids in one value: to bind three for each transaction takes several times as long as the insertion.
    let ids: Vec<u8> = block.transactions().iter().flat_map(|transaction| *transaction.id().as_bytes()).collect();
    sqlx::query(
        "with recursive place (position) as (
             select 0 where length(?2) > 0 union all select position + 1 from place where 32 * (position + 1) < length(?2))
         insert into recent_transactions (height, position, txid)
         select ?1, position, substr(?2, 1 + 32 * position, 32) from place",
    )
    .bind(i64::from(block.header().height))
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets where the transactions of the active block at a height stand.
///
/// # Errors
/// When SQLite fails.
pub(super) async fn remove(connection: &mut SqliteConnection, height: u32) -> Result<(), StoreError> {
    for sql in ["delete from recent_transactions where height = ?", "delete from transactions where height = ?"] {
        sqlx::query(sql).bind(i64::from(height)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// How many transactions wait for the index.
///
/// # Errors
/// When SQLite fails.
pub(super) async fn recent(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("select count(*) from recent_transactions").fetch_one(connection).await?)
}

/// Moves what is recent into the index, and deletes the ledger's rows of it. Since when each transaction had been pending
/// is kept from there. To be called inside of a transaction.
///
/// # Errors
/// When SQLite fails.
pub(super) async fn merge(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for sql in [
        "insert into transactions (txid, height, position, received)
         select recent.txid, recent.height, recent.position, ledger.received
         from recent_transactions recent left join ledger on ledger.txid = recent.txid order by recent.txid",
        "delete from ledger where txid in (select txid from recent_transactions)",
        "delete from recent_transactions",
    ] {
        sqlx::query(sql).execute(&mut *connection).await?;
    }
    Ok(())
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
        "with place as (
             select height, position from transactions where txid = ?1
             union all select height, position from recent_transactions where txid = ?1 limit 1)
         select place.height, place.position, blocks.body from place
         left join blocks on blocks.height = place.height and blocks.active = 1",
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

/// Where a transaction stands on the active branch: height and position.
///
/// # Errors
/// When SQLite fails.
pub async fn position(
    executor: impl SqliteExecutor<'_>,
    id: &TransactionId,
) -> Result<Option<(u32, usize)>, StoreError> {
    let row: Option<(i64, i64)> = sqlx::query_as(
        "select height, position from transactions where txid = ?1
         union all select height, position from recent_transactions where txid = ?1 limit 1",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(executor)
    .await?;
    row.map(|(height, position)| place(height, position)).transpose()
}

/// Since when a confirmed transaction had been pending here before, in milliseconds since 1970.
///
/// # Errors
/// When SQLite fails.
pub async fn received(executor: impl SqliteExecutor<'_>, id: &TransactionId) -> Result<Option<u64>, StoreError> {
    let received: Option<Option<i64>> = sqlx::query_scalar(
        "select received from transactions where txid = ?1
         union all select ledger.received from recent_transactions recent join ledger on ledger.txid = recent.txid
         where recent.txid = ?1 limit 1",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(executor)
    .await?;
    received.flatten().map(from_sql).transpose()
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
    let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
        "select txid, received from transactions where height = ?1 and received is not null
         union all select recent.txid, ledger.received from recent_transactions recent
         join ledger on ledger.txid = recent.txid where recent.height = ?1",
    )
    .bind(i64::from(height))
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|(txid, received)| {
            Ok((TransactionId::from_bytes(bytes32("a transaction id", &txid)?), from_sql(received)?))
        })
        .collect()
}

fn place(height: i64, position: i64) -> Result<(u32, usize), StoreError> {
    let height = u32::try_from(height).map_err(|error| StoreError::damaged("a height", &error))?;
    let position = usize::try_from(from_sql(position)?).map_err(|error| StoreError::damaged("a position", &error))?;
    Ok((height, position))
}
