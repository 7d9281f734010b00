//! Single values.

use raclette_api::network::GenesisMessage;
use raclette_chain::genesis::Genesis;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::StoreError;

/// Keys of single values.
pub mod key {
    /// The genesis block, as the JSON message.
    pub const GENESIS: &str = "genesis";
    /// The public key of the tracker this peer registered with first, in PEM.
    pub const TRACKER_KEY: &str = "tracker_key";
    /// The epoch of the last registration.
    pub const EPOCH: &str = "epoch";
    /// The checksum of accounts and blocks.
    pub const CHECKSUM: &str = "checksum";
    /// Nothing; written to find out whether the disk has room.
    pub const ROOM: &str = "room";
}

/// Reads a value.
///
/// # Errors
/// When SQLite fails, or the value is not text.
pub async fn get(executor: impl SqliteExecutor<'_>, key: &str) -> Result<Option<String>, StoreError> {
    let value: Option<Vec<u8>> =
        sqlx::query_scalar("select value from meta where key = ?").bind(key).fetch_optional(executor).await?;
    value.map(|bytes| String::from_utf8(bytes).map_err(|error| StoreError::damaged(key, &error))).transpose()
}

/// Reads the genesis block, if this peer belongs to a network.
///
/// # Errors
/// When SQLite fails, or it is damaged.
pub async fn genesis(executor: impl SqliteExecutor<'_>) -> Result<Option<Genesis>, StoreError> {
    let Some(json) = get(executor, key::GENESIS).await? else { return Ok(None) };
    let damaged = |error: &dyn std::fmt::Display| StoreError::damaged("the genesis block", &error.to_string());
    let message: GenesisMessage = serde_json::from_str(&json).map_err(|error| damaged(&error))?;
    Genesis::try_from(&message).map(Some).map_err(|error| damaged(&error))
}

/// Writes a value.
///
/// # Errors
/// When SQLite fails.
pub async fn set(connection: &mut SqliteConnection, key: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query("insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value")
        .bind(key)
        .bind(value.as_bytes())
        .execute(connection)
        .await?;
    Ok(())
}
