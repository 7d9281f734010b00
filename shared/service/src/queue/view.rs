//! The queue as its owner sees it, over the API of either service.

use raclette_api::queue::{QueueCounts, QueueDestination, QueueDestinations, QueueEntry, QueuePage, QueueState};
use raclette_chain::address::Address;
use sqlx::SqliteConnection;

use super::{
    Counts, Filter, QueueHandle, Row,
    sql::{self, DestinationSummary},
};

/// A page of the queue: up to `limit` rows behind `cursor` (0: from the beginning).
///
/// # Errors
/// Those of the database.
pub async fn page(
    connection: &mut SqliteConnection,
    filter: &Filter,
    cursor: i64,
    limit: u32,
    handle: &QueueHandle,
) -> Result<QueuePage, sqlx::Error> {
    let page = sql::page(connection, filter, cursor, limit).await?;
    Ok(QueuePage {
        counts: counts(sql::counts(connection).await?),
        entries: page.rows.into_iter().map(|row| entry(row, handle)).collect(),
        next_cursor: page.next_cursor.map(|id| id.to_string()),
    })
}

/// What waits for whom: up to `limit` destinations behind `after`. `reachable` says whether somebody's connection details
/// are known now.
///
/// # Errors
/// Those of the database.
pub async fn destinations(
    connection: &mut SqliteConnection,
    after: Option<&Address>,
    limit: u32,
    reachable: impl Fn(&Address) -> bool,
) -> Result<QueueDestinations, sqlx::Error> {
    let mut summaries = sql::destinations(connection, after, limit.saturating_add(1)).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = summaries.len() > limit;
    summaries.truncate(limit);
    let next_cursor = summaries.last().filter(|_| more).map(|last| last.destination.to_string());
    let destinations = summaries.into_iter().map(|summary| destination(summary, &reachable)).collect();
    Ok(QueueDestinations { destinations, next_cursor })
}

fn counts(counts: Counts) -> QueueCounts {
    QueueCounts { waiting: counts.waiting, dead: counts.dead }
}

fn known(name: String) -> Option<String> {
    Some(name).filter(|name| !name.is_empty())
}

fn entry(row: Row, handle: &QueueHandle) -> QueueEntry {
    let state = match row.dead {
        true => QueueState::Dead,
        false if handle.is_sending(row.id) => QueueState::Sending,
        false => QueueState::Waiting,
    };
    let request = row.request;
    QueueEntry {
        id: u64::try_from(row.id).unwrap_or(0),
        destination: request.destination.to_string(),
        destination_name: known(request.destination_name),
        url: format!("{}{}", request.url, request.path),
        kind: request.kind,
        subject: request.subject,
        version: request.version,
        state,
        attempts: row.attempts,
        created: row.created_at.milliseconds(),
        next_try: row.next_at.milliseconds(),
        expires: request.expires_at.map(|time| time.milliseconds()),
        last_error: row.last_error,
    }
}

fn destination(summary: DestinationSummary, reachable: impl Fn(&Address) -> bool) -> QueueDestination {
    QueueDestination {
        destination: summary.destination.to_string(),
        destination_name: known(summary.name),
        reachable: reachable(&summary.destination),
        waiting: summary.counts.waiting,
        dead: summary.counts.dead,
        attempts: summary.attempts,
        oldest: summary.oldest.milliseconds(),
        next_try: summary.next_at.map(|time| time.milliseconds()),
        last_error: summary.last_error,
    }
}
