//! The owner's transactions that left the ledger without a block, and are offered again, by sequence number.

use std::{collections::BTreeMap, sync::Arc};

use raclette_chain::{codec, hash::NetworkId, transaction::SignedTransaction};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::{StoreError, to_sql, undecodable};

/// Stores one; another with the same sequence number is replaced.
///
/// # Errors
/// When SQLite fails.
pub async fn put(connection: &mut SqliteConnection, transaction: &SignedTransaction) -> Result<(), StoreError> {
    sqlx::query("insert or replace into waiting (sequence, body) values (?, ?)")
        .bind(to_sql(transaction.transaction().sequence))
        .bind(codec::encode_transaction(transaction))
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes the one with this sequence number, if there is one.
///
/// # Errors
/// When SQLite fails.
pub async fn delete(connection: &mut SqliteConnection, sequence: u64) -> Result<(), StoreError> {
    sqlx::query("delete from waiting where sequence = ?").bind(to_sql(sequence)).execute(connection).await?;
    Ok(())
}

/// Reads all of them.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn all(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
) -> Result<BTreeMap<u64, Arc<SignedTransaction>>, StoreError> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar("select body from waiting").fetch_all(executor).await?;
    bodies
        .into_iter()
        .map(|body| {
            let transaction = codec::decode_transaction(&body, network).map_err(|error| undecodable(&error))?;
            Ok((transaction.transaction().sequence, Arc::new(transaction)))
        })
        .collect()
}
