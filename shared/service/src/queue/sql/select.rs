//! The statements that read the table of failed requests.

use raclette_chain::{address::Address, time::Timestamp};
use sqlx::{FromRow as _, Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{QueuedRequest, integer};
use crate::queue::Row;

/// How many rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows that wait or are being sent.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Which rows to list by their state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateFilter {
    /// Those that wait or are being sent.
    Waiting,
    /// Those with these ids: which rows are being sent only the drain knows.
    Sending(Vec<i64>),
    /// Dead letters.
    Dead,
}

/// Which rows to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only those for this destination.
    pub destination: Option<Address>,
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those in this state.
    pub state: Option<StateFilter>,
}

/// What waits for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSummary {
    /// The destination.
    pub destination: Address,
    /// Its name when its rows were written.
    pub name: String,
    /// How many rows.
    pub counts: Counts,
    /// How often the row that was tried most often was tried.
    pub attempts: u32,
    /// Since when the oldest row has been there.
    pub oldest: Timestamp,
    /// When the first of them is due; none if all are dead letters.
    pub next_at: Option<Timestamp>,
    /// Why the last attempt with the row that was tried most often failed.
    pub last_error: Option<String>,
}

/// A part of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The rows, oldest first.
    pub rows: Vec<Row>,
    /// Where the next page begins; none behind the last.
    pub next_cursor: Option<i64>,
}

const COLUMNS: &str = "id, destination, destination_name, url, path, kind, subject, version, body, attempts, next_at, \
                       created_at, expires_at, last_error, dead";

/// All destinations that have rows which are not dead, each found by one step in the index.
const DESTINATIONS: &str = "
    with recursive destinations (address) as (
        select min(destination) from failed_requests where dead = 0
        union all
        select (select min(destination) from failed_requests where dead = 0 and destination > address)
        from destinations where address is not null)";

impl sqlx::FromRow<'_, SqliteRow> for Row {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let destination = parsed(row, "destination", |text: String| text.parse::<Address>())?;
        let expires_at = row.try_get::<Option<i64>, _>("expires_at")?;
        Ok(Self {
            id: row.try_get("id")?,
            request: QueuedRequest {
                destination,
                destination_name: row.try_get("destination_name")?,
                url: row.try_get("url")?,
                path: row.try_get("path")?,
                kind: row.try_get("kind")?,
                subject: row.try_get("subject")?,
                version: parsed(row, "version", |version: i64| u64::try_from(version))?,
                body: row.try_get("body")?,
                expires_at: expires_at.map(timestamp),
            },
            attempts: parsed(row, "attempts", |attempts: i64| u32::try_from(attempts))?,
            next_at: timestamp(row.try_get("next_at")?),
            created_at: timestamp(row.try_get("created_at")?),
            last_error: row.try_get("last_error")?,
            dead: row.try_get("dead")?,
        })
    }
}

/// A time as it was stored; one that was written by another hand and is out of range becomes the nearest that is not.
pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::new(u64::try_from(milliseconds).unwrap_or(0)).unwrap_or(Timestamp::MAX)
}

/// Reads a column and turns it into what it means.
fn parsed<'r, S, T, E>(
    row: &'r SqliteRow,
    column: &str,
    parse: impl FnOnce(S) -> Result<T, E>,
) -> Result<T, sqlx::Error>
where
    S: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    E: std::error::Error + Send + Sync + 'static,
{
    parse(row.try_get(column)?)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) })
}

/// A list of addresses as one bound value: a JSON array, which SQLite reads with `json_each`.
fn list(addresses: &[Address]) -> String {
    let quoted: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    format!("[{}]", quoted.join(","))
}

/// The rows that are due, at most one for each destination and `limit` in all, those that have been due for longest first.
/// Destinations in `excluding` are left out.
///
/// # Errors
/// Those of the database.
pub async fn due(
    connection: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
    excluding: &[Address],
) -> Result<Vec<Row>, sqlx::Error> {
    let statement = format!(
        "{DESTINATIONS}
        select {COLUMNS} from failed_requests where id in (
            select (select id from failed_requests where dead = 0 and destination = address and next_at <= ?1
                    order by next_at, id limit 1)
            from destinations where address not in (select value from json_each(?2)))
        order by next_at, id limit ?3"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(integer(now.milliseconds()))
        .bind(list(excluding))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await
}

/// When the next row is due, those of the destinations in `excluding` left out; none if nothing else waits.
///
/// # Errors
/// Those of the database.
pub async fn next_due(
    connection: &mut SqliteConnection,
    excluding: &[Address],
) -> Result<Option<Timestamp>, sqlx::Error> {
    let statement = format!(
        "{DESTINATIONS}
        select min((select min(next_at) from failed_requests where dead = 0 and destination = address))
        from destinations where address not in (select value from json_each(?1))"
    );
    let earliest: Option<i64> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(list(excluding)).fetch_one(connection).await?;
    Ok(earliest.map(timestamp))
}

/// One row, if it is still there.
///
/// # Errors
/// Those of the database.
pub async fn find(connection: &mut SqliteConnection, id: i64) -> Result<Option<Row>, sqlx::Error> {
    let statement = format!("select {COLUMNS} from failed_requests where id = ?1");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(Row::from_row).transpose()
}

/// A part of the list: up to `limit` rows behind `cursor` (0: from the beginning).
///
/// # Errors
/// Those of the database.
pub async fn page(
    connection: &mut SqliteConnection,
    filter: &Filter,
    cursor: i64,
    limit: u32,
) -> Result<Page, sqlx::Error> {
    let statement = format!(
        "select {COLUMNS} from failed_requests
        where id > ?1 and (?2 is null or destination = ?2) and (?3 is null or dead = ?3) and (?4 is null or kind = ?4)
            and (?5 is null or id in (select value from json_each(?5)))
        order by id limit ?6"
    );
    let sending = match &filter.state {
        Some(StateFilter::Sending(ids)) => Some(serde_json::Value::from(ids.as_slice()).to_string()),
        Some(StateFilter::Waiting | StateFilter::Dead) | None => None,
    };
    let mut rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(cursor)
        .bind(filter.destination.map(|address| address.to_string()))
        .bind(filter.state.as_ref().map(|state| *state == StateFilter::Dead))
        .bind(filter.kind.as_deref())
        .bind(sending)
        .bind(i64::from(limit) + 1)
        .fetch_all(connection)
        .await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = if more { rows.last().map(|row| row.id) } else { None };
    Ok(Page { rows, next_cursor })
}

/// What waits for whom: up to `limit` destinations behind `after`, in the order of their addresses.
///
/// # Errors
/// Those of the database.
pub async fn destinations(
    connection: &mut SqliteConnection,
    after: Option<&Address>,
    limit: u32,
) -> Result<Vec<DestinationSummary>, sqlx::Error> {
    let statement = "
        select destination, max(destination_name) as name, count(*) filter (where dead = 0) as waiting,
            count(*) filter (where dead = 1) as refused, max(attempts) as attempts, min(created_at) as oldest,
            min(next_at) filter (where dead = 0) as next_at,
            (select last_error from failed_requests as one where one.destination = failed_requests.destination
                order by attempts desc, id limit 1) as last_error
        from failed_requests where destination > ?1 group by destination order by destination limit ?2";
    let rows = sqlx::query(statement)
        .bind(after.map(Address::to_string).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(summary).collect()
}

fn summary(row: &SqliteRow) -> Result<DestinationSummary, sqlx::Error> {
    let count = |number: i64| u64::try_from(number);
    Ok(DestinationSummary {
        destination: parsed(row, "destination", |text: String| text.parse::<Address>())?,
        name: row.try_get("name")?,
        counts: Counts { waiting: parsed(row, "waiting", count)?, dead: parsed(row, "refused", count)? },
        attempts: parsed(row, "attempts", |attempts: i64| u32::try_from(attempts))?,
        oldest: timestamp(row.try_get("oldest")?),
        next_at: row.try_get::<Option<i64>, _>("next_at")?.map(timestamp),
        last_error: row.try_get("last_error")?,
    })
}

/// The rows of these kinds about a subject, whomever they are for.
///
/// # Errors
/// Those of the database.
pub async fn about(connection: &mut SqliteConnection, kinds: &[&str], subject: &str) -> Result<Vec<Row>, sqlx::Error> {
    let statement = format!(
        "select {COLUMNS} from failed_requests
        where kind in (select value from json_each(?1)) and subject = ?2 order by id"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(serde_json::Value::from(kinds).to_string())
        .bind(subject)
        .fetch_all(connection)
        .await
}

/// How many rows there are.
///
/// # Errors
/// Those of the database.
pub async fn counts(connection: &mut SqliteConnection) -> Result<Counts, sqlx::Error> {
    let (waiting, dead): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where dead = 0), count(*) filter (where dead = 1) from failed_requests",
    )
    .fetch_one(connection)
    .await?;
    Ok(Counts { waiting: u64::try_from(waiting).unwrap_or(0), dead: u64::try_from(dead).unwrap_or(0) })
}
