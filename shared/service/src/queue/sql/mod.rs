//! The table of failed requests: its schema and the statements that write it. [`select`] reads it, and
//! [`depth`] how much there is of it.
//!
//! Everything is a function over a connection: whoever calls it decides which transaction it belongs to. Where a version is
//! asked for, a row that holds another version by now is left alone, so that the outcome of an old attempt never touches
//! what replaced it while it was under way.

pub mod depth;
pub mod select;
#[cfg(test)]
mod tests;

use std::time::Duration;

use raclette_chain::{address::Address, time::Timestamp};
use sqlx::SqliteConnection;

pub use self::depth::{Depth, depths};
pub use self::select::{
    Counts, DestinationSummary, Filter, Page, StateFilter, about, counts, destinations, due, find, next_due, page,
};
use super::QueuedRequest;

/// The table and its index; each service's migrator includes it.
///
/// Ids are `autoincrement`, so that they are never used a second time. The index finds, for each destination, the row that
/// has been due for longest, however many rows wait behind it.
pub const SCHEMA: &str = "
create table failed_requests (
    id integer primary key autoincrement,
    destination text not null,
    destination_name text not null,
    url text not null,
    path text not null,
    kind text not null,
    subject text not null,
    version integer not null,
    body blob not null,
    attempts integer not null default 0,
    next_at integer not null,
    created_at integer not null,
    expires_at integer,
    last_error text,
    dead integer not null default 0,
    unique (destination, kind, subject)
) strict;
create index failed_requests_due on failed_requests (destination, next_at, id) where dead = 0;
";

/// What a later format adds: rows are found by what they are about.
pub const SCHEMA_2: &str = "create index failed_requests_subject on failed_requests (kind, subject);";

/// Longer error texts are cut: they may quote what a stranger sent.
const LONGEST_ERROR: usize = 500;

/// SQLite's integers are signed; the protocol's are below 2^53.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn shortened(error: &str) -> &str {
    error.char_indices().nth(LONGEST_ERROR).map_or(error, |(end, _)| &error[..end])
}

/// Lets a request wait. A newer version takes the place of the one that waits, also of a dead letter, and starts afresh;
/// the same or an older version is ignored. `error` says why a first, direct attempt failed, if there was one.
///
/// # Errors
/// Those of the database.
pub async fn put(
    connection: &mut SqliteConnection,
    request: &QueuedRequest,
    now: Timestamp,
    next_at: Timestamp,
    error: Option<&str>,
) -> Result<u64, sqlx::Error> {
    let statement = "
        insert into failed_requests (destination, destination_name, url, path, kind, subject, version, body, attempts,
            next_at, created_at, expires_at, last_error)
        values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
        on conflict (destination, kind, subject) do update set
            destination_name = excluded.destination_name, url = excluded.url, path = excluded.path,
            version = excluded.version, body = excluded.body, attempts = excluded.attempts, next_at = excluded.next_at,
            created_at = excluded.created_at, expires_at = excluded.expires_at, last_error = excluded.last_error, dead = 0
        where excluded.version > failed_requests.version";
    let done = sqlx::query(statement)
        .bind(request.destination.to_string())
        .bind(&request.destination_name)
        .bind(&request.url)
        .bind(&request.path)
        .bind(&request.kind)
        .bind(&request.subject)
        .bind(integer(request.version))
        .bind(&request.body)
        .bind(i64::from(error.is_some()))
        .bind(integer(next_at.milliseconds()))
        .bind(integer(now.milliseconds()))
        .bind(request.expires_at.map(|time| integer(time.milliseconds())))
        .bind(error.map(shortened))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes a row whose version, or a newer one, arrived without the queue.
///
/// # Errors
/// Those of the database.
pub async fn supersede(
    connection: &mut SqliteConnection,
    destination: &Address,
    kind: &str,
    subject: &str,
    version: u64,
) -> Result<u64, sqlx::Error> {
    let statement =
        "delete from failed_requests where destination = ?1 and kind = ?2 and subject = ?3 and version <= ?4";
    let done = sqlx::query(statement)
        .bind(destination.to_string())
        .bind(kind)
        .bind(subject)
        .bind(integer(version))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes a row that was delivered in this version.
///
/// # Errors
/// Those of the database.
pub async fn finish(connection: &mut SqliteConnection, id: i64, version: u64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("delete from failed_requests where id = ?1 and version = ?2")
        .bind(id)
        .bind(integer(version))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Notes a failed attempt with this version and when the next one is due.
///
/// # Errors
/// Those of the database.
pub async fn postpone(
    connection: &mut SqliteConnection,
    id: i64,
    version: u64,
    error: &str,
    next_at: Timestamp,
) -> Result<u64, sqlx::Error> {
    let statement = "
        update failed_requests set attempts = attempts + 1, last_error = ?3, next_at = ?4
        where id = ?1 and version = ?2";
    let done = sqlx::query(statement)
        .bind(id)
        .bind(integer(version))
        .bind(shortened(error))
        .bind(integer(next_at.milliseconds()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Makes a row a dead letter, if it still holds this version.
///
/// # Errors
/// Those of the database.
pub async fn bury(connection: &mut SqliteConnection, id: i64, version: u64, error: &str) -> Result<u64, sqlx::Error> {
    let statement = "
        update failed_requests set attempts = attempts + 1, last_error = ?3, dead = 1
        where id = ?1 and version = ?2";
    let done =
        sqlx::query(statement).bind(id).bind(integer(version)).bind(shortened(error)).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Makes all that waits for a destination due, and notes its base URL if one is given. Dead letters stay dead.
///
/// # Errors
/// Those of the database.
pub async fn wake(
    connection: &mut SqliteConnection,
    destination: &Address,
    url: Option<&str>,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    let statement = "
        update failed_requests set next_at = min(next_at, ?2), url = coalesce(?3, url)
        where destination = ?1 and dead = 0";
    let done = sqlx::query(statement)
        .bind(destination.to_string())
        .bind(integer(now.milliseconds()))
        .bind(url)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Makes one row due, also a dead letter.
///
/// # Errors
/// Those of the database.
pub async fn retry(connection: &mut SqliteConnection, id: i64, now: Timestamp) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("update failed_requests set dead = 0, next_at = min(next_at, ?2) where id = ?1")
        .bind(id)
        .bind(integer(now.milliseconds()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes one row.
///
/// # Errors
/// Those of the database.
pub async fn discard(connection: &mut SqliteConnection, id: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("delete from failed_requests where id = ?1").bind(id).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Deletes all that waits for a destination, dead letters too.
///
/// # Errors
/// Those of the database.
pub async fn remove_destination(connection: &mut SqliteConnection, destination: &Address) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("delete from failed_requests where destination = ?1")
        .bind(destination.to_string())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes the older rows of this kind for a destination: something newer of this kind takes their place, whatever they are
/// about.
///
/// # Errors
/// Those of the database.
pub async fn outdate(
    connection: &mut SqliteConnection,
    destination: &Address,
    kind: &str,
    before: u64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("delete from failed_requests where destination = ?1 and kind = ?2 and version < ?3")
        .bind(destination.to_string())
        .bind(kind)
        .bind(integer(before))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Whether anything of a kind is in the table at all: whoever has much to [`settle`] asks first.
///
/// # Errors
/// Those of the database.
pub async fn has_any(connection: &mut SqliteConnection, kind: &str) -> Result<bool, sqlx::Error> {
    let any = sqlx::query("select 1 from failed_requests where kind = ?1 limit 1").bind(kind);
    Ok(any.fetch_optional(connection).await?.is_some())
}

/// Deletes all rows of a kind about these subjects, whomever they are for: nobody has to be told any more.
///
/// # Errors
/// Those of the database.
pub async fn settle(connection: &mut SqliteConnection, kind: &str, subjects: &[String]) -> Result<u64, sqlx::Error> {
    if subjects.is_empty() {
        return Ok(0);
    }
    let statement = "delete from failed_requests where kind = ?1 and subject in (select value from json_each(?2))";
    let list = serde_json::Value::from(subjects).to_string();
    let done = sqlx::query(statement).bind(kind).bind(list).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Deletes what has expired.
///
/// # Errors
/// Those of the database.
pub async fn expire(connection: &mut SqliteConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let done = sqlx::query("delete from failed_requests where expires_at <= ?1")
        .bind(integer(now.milliseconds()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Keeps, for each destination, only the newest `most` of the rows that may expire. Rows that wait for ever are not counted.
///
/// # Errors
/// Those of the database.
pub async fn trim(connection: &mut SqliteConnection, most: u32) -> Result<u64, sqlx::Error> {
    let statement = "
        delete from failed_requests where id in (
            select id from (
                select id, row_number() over (partition by destination order by created_at desc, id desc) as place
                from failed_requests where expires_at is not null)
            where place > ?1)";
    let done = sqlx::query(statement).bind(i64::from(most)).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Brings rows closer that are due later than `cap` from now. A service calls it at its start, so that rows written while
/// the clock stood in the future don't wait until then.
///
/// # Errors
/// Those of the database.
pub async fn clamp_at_start(
    connection: &mut SqliteConnection,
    now: Timestamp,
    cap: Duration,
) -> Result<u64, sqlx::Error> {
    let latest = integer(now.saturating_add(cap).milliseconds());
    let done = sqlx::query("update failed_requests set next_at = ?1 where next_at > ?1 and dead = 0")
        .bind(latest)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
