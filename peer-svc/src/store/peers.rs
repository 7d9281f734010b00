//! Other members, as this peer knows them.

use raclette_api::membership::PeerRecord;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::StoreError;

/// Reads all members.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn all(executor: impl SqliteExecutor<'_>) -> Result<Vec<PeerRecord>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar("select record from peers order by address").fetch_all(executor).await?;
    rows.iter()
        .map(|record| serde_json::from_str(record).map_err(|error| StoreError::damaged("a member", &error)))
        .collect()
}

/// Writes members.
///
/// # Errors
/// When SQLite fails.
pub async fn write(connection: &mut SqliteConnection, records: &[PeerRecord]) -> Result<(), StoreError> {
    for record in records {
        let json = serde_json::to_string(record).map_err(|error| StoreError::damaged("a member", &error))?;
        sqlx::query("insert into peers (address, record) values (?, ?) on conflict (address) do update set record = excluded.record")
            .bind(&record.address)
            .bind(json)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
