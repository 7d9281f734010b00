//! How many requests wait for each destination, and since when.

use raclette_chain::{address::Address, time::Timestamp};
use sqlx::SqliteConnection;

use super::select::timestamp;

/// The index that answers it without reading a row, however many there are and however long; each service's migrator
/// includes it.
pub const INDEX: &str =
    "create index failed_requests_depth on failed_requests (destination, destination_name, dead, created_at);";

/// What waits for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The destination.
    pub destination: Address,
    /// Its name; may be empty.
    pub name: String,
    /// Rows that wait or are being sent.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// Since when the oldest of those that wait does.
    pub oldest: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Found {
    destination: String,
    name: String,
    waiting: i64,
    dead: i64,
    oldest: Option<i64>,
}

/// Every destination that has rows.
///
/// # Errors
/// Those of the database.
pub async fn depths(connection: &mut SqliteConnection) -> Result<Vec<Depth>, sqlx::Error> {
    let found: Vec<Found> = sqlx::query_as(
        "select destination, max(destination_name) as name, count(*) filter (where dead = 0) as waiting,
            count(*) filter (where dead = 1) as dead, min(created_at) filter (where dead = 0) as oldest
        from failed_requests indexed by failed_requests_depth group by destination",
    )
    .fetch_all(connection)
    .await?;
    found.into_iter().map(depth).collect()
}

fn depth(found: Found) -> Result<Depth, sqlx::Error> {
    let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
    let destination = found
        .destination
        .parse()
        .map_err(|error| sqlx::Error::ColumnDecode { index: String::from("destination"), source: Box::new(error) })?;
    Ok(Depth {
        destination,
        name: found.name,
        waiting: count(found.waiting),
        dead: count(found.dead),
        oldest: found.oldest.map(timestamp),
    })
}
