//! The queue of requests that have not arrived yet.

use axum::{extract::State, http::StatusCode};
use raclette_api::{
    encoding,
    queue::{QueueDestinations, QueuePage},
};
use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::{
    answer::Paged,
    clock::now_ms,
    extract::{Path, Query, number_cursor},
    problem::{Code, CommonProblems, Problem},
    queue::{Filter, QueueChange, StateFilter, sql, view},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{App, answers::UnknownMember, read};
use crate::node::NodeError;

/// Which rows, by their state.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum QueueFilter {
    /// Those that wait or are being sent.
    Waiting,
    /// Those that are being sent right now.
    Sending,
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
    /// Only rows of this kind.
    #[param(nullable = false, pattern = "^[a-z_]{1,64}$", max_length = 64, example = "delivery")]
    kind: Option<String>,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9]{1,19}$", max_length = 19)]
    cursor: Option<String>,
}

/// Which destinations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DestinationsQuery {
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^rac1[02-9ac-hj-np-z]{58}$", max_length = 62)]
    cursor: Option<String>,
}

/// List requests that have not arrived yet, the oldest first.
#[utoipa::path(get, path = "/queue", operation_id = "list_queue", tag = "owner", params(QueueQuery), responses(
    (status = 200, description = "A page of the queue", body = QueuePage),
    CommonProblems,
    UnknownMember,
))]
pub(super) async fn list_queue(
    State(app): State<App>,
    Query(query): Query<QueueQuery>,
) -> Result<Paged<QueuePage>, Problem> {
    let limit = read::limit(query.limit, 100, 500)?;
    let cursor = query.cursor.as_deref().map_or(Ok(0), number_cursor)?;
    let filter = filter(&app, &query)?;
    let mut connection = app.node.readers().acquire().await.map_err(NodeError::from)?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let page = view::page(&mut connection, &filter, cursor, limit, &app.queue).await.map_err(NodeError::from)?;
    let next_cursor = page.next_cursor.clone();
    Ok(Paged::new(page, next_cursor))
}

/// Tell what waits for whom.
///
/// One entry for each member for which something is in the queue.
#[utoipa::path(get, path = "/queue/destinations", operation_id = "list_queue_destinations", tag = "owner",
    params(DestinationsQuery), responses(
    (status = 200, description = "A page of destinations", body = QueueDestinations),
    CommonProblems,
    UnknownMember,
))]
pub(super) async fn list_queue_destinations(
    State(app): State<App>,
    Query(query): Query<DestinationsQuery>,
) -> Result<Paged<QueueDestinations>, Problem> {
    let limit = u32::try_from(read::limit(query.limit, 100, 500)?).unwrap_or(u32::MAX);
    let after = query.cursor.as_deref().map(|text| encoding::address("cursor", text));
    let after = after.transpose().map_err(Problem::parameter)?;
    let mut connection = app.node.readers().acquire().await.map_err(NodeError::from)?;
    let reachable = |address: &Address| app.node.members().neighbour(address).is_some();
    let page = view::destinations(&mut connection, after.as_ref(), limit, reachable).await.map_err(NodeError::from)?;
    let next_cursor = page.next_cursor.clone();
    Ok(Paged::new(page, next_cursor))
}

/// Try all that waits for a member again now.
///
/// What it refused for good is left alone: retry that one by one.
#[utoipa::path(post, path = "/queue/destinations/{destination}/retry", operation_id = "retry_destination", tag = "owner",
    params(("destination" = String, Path, description = "The member's name or address", max_length = 62,
        pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$", example = "bob")),
    responses((status = 204, description = "It is due now"), CommonProblems),
)]
pub(super) async fn retry_destination(State(app): State<App>, Path(text): Path<String>) -> Result<StatusCode, Problem> {
    let destination = destination(&app, &text)?;
    let wake = QueueChange::Wake { destination, url: None, now: now() };
    let touched: u64 = app.node.change_queue(vec![wake]).await?.into_iter().sum();
    app.queue.destination_returned(destination);
    if touched == 0 {
        return Err(Problem::new(Code::NotFound, format!("Nothing waits for {text}.")));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn filter(app: &App, query: &QueueQuery) -> Result<Filter, Problem> {
    let destination = query.destination.as_deref().map(|text| destination(app, text)).transpose()?;
    let state = query.state.map(|state| match state {
        QueueFilter::Waiting => StateFilter::Waiting,
        QueueFilter::Sending => StateFilter::Sending(app.queue.being_sent()),
        QueueFilter::Dead => StateFilter::Dead,
    });
    let kind = query.kind.as_deref().map(|text| encoding::kind("kind", text));
    let kind = kind.transpose().map_err(Problem::parameter)?.map(str::to_owned);
    Ok(Filter { destination, kind, state })
}

fn destination(app: &App, text: &str) -> Result<Address, Problem> {
    if encoding::name("destination", text).is_err() {
        return encoding::address("destination", text).map_err(Problem::parameter);
    }
    let unknown = || Problem::new(Code::UnknownPeer, format!("No member is called {text:?}."));
    app.node.members().address_of(text).ok_or_else(unknown)
}

fn now() -> Timestamp {
    Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX)
}

/// Try a waiting or refused request again, now.
#[utoipa::path(post, path = "/queue/{id}/retry", operation_id = "retry_queued", tag = "owner",
    params(("id" = raclette_api::schema::Counter, Path, description = "The request's id in the queue")),
    responses((status = 204, description = "It is due now"), CommonProblems),
)]
pub(super) async fn retry_queued(State(app): State<App>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    let mut connection = app.node.readers().acquire().await.map_err(NodeError::from)?;
    let row = sql::find(&mut connection, row_id(id)).await.map_err(NodeError::from)?;
    drop(connection);
    let status = change(&app, id, QueueChange::Retry { id: row_id(id), now: now() }).await?;
    // Whatever patience its destination has asked for ends here.
    row.into_iter().for_each(|row| app.queue.destination_returned(row.request.destination));
    Ok(status)
}

/// Give up a request: it is deleted, and not tried any more.
///
/// Peers compare ledger and chain all the same, and a message that its recipient lacks is put into the queue again.
#[utoipa::path(delete, path = "/queue/{id}", operation_id = "discard_queued", tag = "owner",
    params(("id" = raclette_api::schema::Counter, Path, description = "The request's id in the queue")),
    responses((status = 204, description = "It is deleted"), CommonProblems),
)]
pub(super) async fn discard_queued(State(app): State<App>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    change(&app, id, QueueChange::Discard { id: row_id(id) }).await
}

/// An id above SQLite's largest was never given.
fn row_id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

async fn change(app: &App, id: u64, change: QueueChange) -> Result<StatusCode, Problem> {
    let touched: u64 = app.node.change_queue(vec![change]).await?.into_iter().sum();
    app.queue.wake();
    if touched == 0 {
        return Err(Problem::new(Code::NotFound, format!("No request {id} is in the queue; it may have arrived.")));
    }
    Ok(StatusCode::NO_CONTENT)
}
