//! The queue over the API: one set of routes for both services. Whoever takes them puts the owner's gate before them.

use std::{fmt, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use futures_util::future::BoxFuture;
use raclette_api::{
    encoding,
    queue::{QueueDestinations, QueuePage},
    schema,
};
use raclette_chain::{address::Address, time::Timestamp};
use serde::Deserialize;
use utoipa::{IntoParams, IntoResponses, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Filter, QueueChange, QueueHandle, StateFilter};
use crate::{
    answer::Paged,
    clock::now_ms,
    extract::{Path, Query, number_cursor, page_limit},
    problem::{Code, CommonProblems, Problem, ProblemDetails},
};

/// How many entries a page has if nothing else is asked for.
const USUAL_LIMIT: u32 = 100;
/// How many entries a page has at most.
const MOST: u32 = 500;

/// What the routes need of their service.
pub trait QueueService: fmt::Debug + Send + Sync {
    /// What the drain shows of itself.
    fn handle(&self) -> &QueueHandle;

    /// The address of the member with this name.
    fn address_of(&self, name: &str) -> Option<Address>;

    /// Up to `limit` requests behind `cursor` (0: from the beginning); see [`super::view::page`].
    fn page(&self, filter: Filter, cursor: i64, limit: u32) -> BoxFuture<'_, Result<QueuePage, Problem>>;

    /// What waits for whom: up to `limit` destinations behind `after`; see [`super::view::destinations`].
    fn destinations(&self, after: Option<Address>, limit: u32) -> BoxFuture<'_, Result<QueueDestinations, Problem>>;

    /// For whom a request is, if it is in the table.
    fn destination_of(&self, id: i64) -> BoxFuture<'_, Result<Option<Address>, Problem>>;

    /// Changes the table; how many rows that touched.
    fn change(&self, change: QueueChange) -> BoxFuture<'_, Result<u64, Problem>>;
}

/// A service as the routes have it.
#[derive(Debug, Clone)]
pub struct QueueRoutes(Arc<dyn QueueService>);

impl QueueRoutes {
    /// Of this service.
    #[must_use]
    pub fn new(service: Arc<dyn QueueService>) -> Self {
        Self(service)
    }
}

impl Deref for QueueRoutes {
    type Target = dyn QueueService;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// The routes `/queue`, `/queue/{id}` and `/queue/destinations`.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    QueueRoutes: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_queue))
        .routes(routes!(list_queue_destinations))
        .routes(routes!(retry_destination))
        .routes(routes!(retry_queued))
        .routes(routes!(discard_queued))
}

/// What a route answers that looks for a member by a parameter of its query.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made: handlers answer with a Problem")]
enum UnknownMember {
    /// `unknown_peer`: nobody is called so; `not_found`: the checksum of the address is wrong
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDetails),
}

/// Which requests, by their state.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum QueueFilter {
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
struct QueueQuery {
    /// Only those in this state.
    #[param(inline, nullable = false)]
    state: Option<QueueFilter>,
    /// Only those for this member: its name or its address.
    #[param(nullable = false, pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$", max_length = 62)]
    destination: Option<String>,
    /// Only those of this kind.
    #[param(nullable = false, pattern = "^[a-z_]{1,64}$", max_length = 64, example = "notice")]
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
struct DestinationsQuery {
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
async fn list_queue(
    State(service): State<QueueRoutes>,
    Query(query): Query<QueueQuery>,
) -> Result<Paged<QueuePage>, Problem> {
    let limit = page_limit(query.limit, USUAL_LIMIT, MOST)?;
    let cursor = query.cursor.as_deref().map_or(Ok(0), number_cursor)?;
    let filter = filter(&service, &query)?;
    let page = service.page(filter, cursor, limit).await?;
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
async fn list_queue_destinations(
    State(service): State<QueueRoutes>,
    Query(query): Query<DestinationsQuery>,
) -> Result<Paged<QueueDestinations>, Problem> {
    let limit = page_limit(query.limit, USUAL_LIMIT, MOST)?;
    let after = query.cursor.as_deref().map(|text| encoding::address("cursor", text));
    let after = after.transpose().map_err(Problem::parameter)?;
    let page = service.destinations(after, limit).await?;
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
async fn retry_destination(
    State(service): State<QueueRoutes>,
    Path(text): Path<String>,
) -> Result<StatusCode, Problem> {
    let destination = destination(&service, &text)?;
    let touched = service.change(QueueChange::Wake { destination, url: None, now: now() }).await?;
    service.handle().destination_returned(destination);
    if touched == 0 {
        return Err(Problem::new(Code::NotFound, format!("Nothing waits for {text}.")));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Try a waiting or refused request again, now.
#[utoipa::path(post, path = "/queue/{id}/retry", operation_id = "retry_queued", tag = "owner",
    params(("id" = schema::Counter, Path, description = "The request's id in the queue")),
    responses((status = 204, description = "It is due now"), CommonProblems),
)]
async fn retry_queued(State(service): State<QueueRoutes>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    let destination = service.destination_of(row_id(id)).await?;
    change(&service, id, QueueChange::Retry { id: row_id(id), now: now() }).await?;
    // Whatever patience its destination has asked for ends here.
    destination.into_iter().for_each(|destination| service.handle().destination_returned(destination));
    Ok(StatusCode::NO_CONTENT)
}

/// Give up a request: it is deleted, and not tried any more.
///
/// What it would have told is compared and made up for all the same: members, ledger and chain every half a minute, and a
/// message that its recipient lacks is put into the queue again.
#[utoipa::path(delete, path = "/queue/{id}", operation_id = "discard_queued", tag = "owner",
    params(("id" = schema::Counter, Path, description = "The request's id in the queue")),
    responses((status = 204, description = "It is deleted"), CommonProblems),
)]
async fn discard_queued(State(service): State<QueueRoutes>, Path(id): Path<u64>) -> Result<StatusCode, Problem> {
    change(&service, id, QueueChange::Discard { id: row_id(id) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn filter(service: &QueueRoutes, query: &QueueQuery) -> Result<Filter, Problem> {
    let destination = query.destination.as_deref().map(|text| destination(service, text)).transpose()?;
    let state = query.state.map(|state| match state {
        QueueFilter::Waiting => StateFilter::Waiting,
        QueueFilter::Sending => StateFilter::Sending(service.handle().being_sent()),
        QueueFilter::Dead => StateFilter::Dead,
    });
    let kind = query.kind.as_deref().map(|text| encoding::kind("kind", text));
    let kind = kind.transpose().map_err(Problem::parameter)?.map(str::to_owned);
    Ok(Filter { destination, kind, state })
}

/// A member's name, or any address.
fn destination(service: &QueueRoutes, text: &str) -> Result<Address, Problem> {
    if encoding::name("destination", text).is_err() {
        return encoding::address("destination", text).map_err(Problem::parameter);
    }
    let unknown = || Problem::new(Code::UnknownPeer, format!("No member is called {text:?}."));
    service.address_of(text).ok_or_else(unknown)
}

async fn change(service: &QueueRoutes, id: u64, change: QueueChange) -> Result<(), Problem> {
    let touched = service.change(change).await?;
    service.handle().wake();
    if touched == 0 {
        return Err(Problem::new(Code::NotFound, format!("No request {id} is in the queue; it may have arrived."))
            .mend("GET /queue lists what waits"));
    }
    Ok(())
}

fn now() -> Timestamp {
    Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX)
}

/// An id above SQLite's largest was never given.
fn row_id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
