//! The queue of requests that have not arrived yet.

use axum::{extract::State, http::StatusCode};
use raclette_api::{
    encoding,
    queue::{QueueCounts, QueueEntry, QueuePage, QueueState},
};
use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::{
    answer::Paged,
    clock::now_ms,
    extract::{Path, Query},
    problem::{Code, CommonProblems, Problem},
    queue::{Filter, QueueChange, QueueHandle, Row, StateFilter, sql},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{App, read};
use crate::node::NodeError;

/// Which rows, by their state.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum QueueFilter {
    /// Those that wait or are being sent.
    Waiting,
    /// Those that were refused for good.
    Dead,
}

/// Which part of the queue.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QueueQuery {
    /// Only rows in this state.
    #[param(inline, nullable = false)]
    state: Option<QueueFilter>,
    /// Only rows for this member: its name or its address.
    #[param(nullable = false, pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$", max_length = 62)]
    destination: Option<String>,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9]{1,19}$", max_length = 19)]
    cursor: Option<String>,
}

/// List requests that have not arrived yet, the oldest first.
#[utoipa::path(get, path = "/queue", operation_id = "list_queue", tag = "owner", params(QueueQuery), responses(
    (status = 200, description = "A page of the queue", body = QueuePage),
    CommonProblems,
))]
pub(super) async fn list_queue(
    State(app): State<App>,
    Query(query): Query<QueueQuery>,
) -> Result<Paged<QueuePage>, Problem> {
    let limit = read::limit(query.limit, 100, 500)?;
    let cursor = read::number_cursor(query.cursor.as_deref())?.unwrap_or(0);
    let filter = filter(&app, &query)?;
    let mut connection = app.node.readers().acquire().await.map_err(NodeError::from)?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let page = sql::page(&mut connection, &filter, cursor, limit).await.map_err(NodeError::from)?;
    let counts = sql::counts(&mut connection).await.map_err(NodeError::from)?;
    let next_cursor = page.next_cursor.map(|id| id.to_string());
    let page = QueuePage {
        counts: QueueCounts { waiting: counts.waiting, dead: counts.dead },
        entries: page.rows.into_iter().map(|row| entry(row, &app.queue)).collect(),
        next_cursor: next_cursor.clone(),
    };
    Ok(Paged::new(page, next_cursor))
}

fn filter(app: &App, query: &QueueQuery) -> Result<Filter, Problem> {
    let destination = query.destination.as_deref().map(|text| destination(app, text)).transpose()?;
    let state = query.state.map(|state| match state {
        QueueFilter::Waiting => StateFilter::Waiting,
        QueueFilter::Dead => StateFilter::Dead,
    });
    Ok(Filter { destination, state })
}

fn destination(app: &App, text: &str) -> Result<Address, Problem> {
    if encoding::name("destination", text).is_err() {
        return encoding::address("destination", text).map_err(Problem::parameter);
    }
    let unknown = || Problem::new(Code::UnknownPeer, format!("No member is called {text:?}."));
    app.node.members().address_of(text).ok_or_else(unknown)
}

fn entry(row: Row, queue: &QueueHandle) -> QueueEntry {
    let state = match row.dead {
        true => QueueState::Dead,
        false if queue.is_sending(row.id) => QueueState::Sending,
        false => QueueState::Waiting,
    };
    QueueEntry {
        id: u64::try_from(row.id).unwrap_or(0),
        destination: row.request.destination.to_string(),
        destination_name: Some(row.request.destination_name).filter(|name| !name.is_empty()),
        url: format!("{}{}", row.request.url, row.request.path),
        kind: row.request.kind,
        subject: row.request.subject,
        version: row.request.version,
        state,
        attempts: row.attempts,
        created: row.created_at.milliseconds(),
        next_try: row.next_at.milliseconds(),
        last_error: row.last_error,
    }
}

/// Try a waiting or refused request again, now.
#[utoipa::path(post, path = "/queue/{id}/retry", operation_id = "retry_queued", tag = "owner",
    params(("id" = raclette_api::schema::Counter, Path, description = "The request's id in the queue")),
    responses((status = 204, description = "It is due now"), CommonProblems),
)]
pub(super) async fn retry_queued(State(app): State<App>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    change(&app, id, |id| QueueChange::Retry { id, now }).await
}

/// Give up a request: it is deleted and never arrives.
#[utoipa::path(delete, path = "/queue/{id}", operation_id = "discard_queued", tag = "owner",
    params(("id" = raclette_api::schema::Counter, Path, description = "The request's id in the queue")),
    responses((status = 204, description = "It is deleted"), CommonProblems),
)]
pub(super) async fn discard_queued(State(app): State<App>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    change(&app, id, |id| QueueChange::Discard { id }).await
}

async fn change(app: &App, id: u64, change: impl FnOnce(i64) -> QueueChange) -> Result<StatusCode, Problem> {
    // An id above SQLite's largest was never given.
    let row = i64::try_from(id).unwrap_or(i64::MAX);
    let touched: u64 = app.node.change_queue(vec![change(row)]).await?.into_iter().sum();
    app.queue.wake();
    if touched == 0 {
        return Err(Problem::new(Code::NotFound, format!("No request {id} is in the queue; it may have arrived.")));
    }
    Ok(StatusCode::NO_CONTENT)
}
