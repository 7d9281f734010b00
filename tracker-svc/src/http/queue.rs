//! For the operator: the queue of requests that did not arrive yet.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use raclette_api::{
    encoding,
    queue::{QueueDestinations, QueuePage},
    schema,
};
use raclette_chain::address::Address;
use raclette_service::{
    answer::Paged,
    extract::{Path, Query, number_cursor},
    problem::{Code, CommonProblems, Problem},
    queue::{Filter, StateFilter},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::WrongDestination,
    members::{checked_limit, usual_limit},
};
use crate::node::Node;

/// The states by which the queue can be listed.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateQuery {
    /// Those that wait or are being sent.
    Waiting,
    /// Those that are being sent right now.
    Sending,
    /// Those that were refused for good.
    Dead,
}

/// Which requests to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QueueQuery {
    /// Only those in this state.
    #[param(inline, nullable = false)]
    state: Option<StateQuery>,
    /// Only those for this member: its name or its address.
    #[param(nullable = false, pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$", max_length = 62)]
    destination: Option<String>,
    /// Only those of this kind.
    #[param(nullable = false, pattern = "^[a-z_]{1,64}$", max_length = 64, example = "notice")]
    kind: Option<String>,
    /// How many at most.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u16,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9]{1,19}$", max_length = 19)]
    cursor: Option<String>,
}

/// Which destinations to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DestinationsQuery {
    /// How many at most.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u16,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^rac1[02-9ac-hj-np-z]{58}$", max_length = 62)]
    cursor: Option<String>,
}

/// List the requests that did not arrive yet.
#[utoipa::path(get, path = "/queue", operation_id = "list_queue", tag = "owner", params(QueueQuery), responses(
    (status = 200, description = "A page of the queue", body = QueuePage),
    CommonProblems,
    WrongDestination,
))]
pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Query(query): Query<QueueQuery>,
) -> Result<Paged<QueuePage>, Problem> {
    let limit = u32::from(checked_limit(query.limit)?);
    let cursor = query.cursor.as_deref().map_or(Ok(0), number_cursor)?;
    let page = node.queue_page(&query.filter(&node)?, cursor, limit).await?;
    let next = page.next_cursor.clone();
    Ok(Paged::new(page, next))
}

/// Tell what waits for whom.
///
/// One entry for each member for which something is in the queue.
#[utoipa::path(get, path = "/queue/destinations", operation_id = "list_queue_destinations", tag = "owner",
    params(DestinationsQuery), responses(
    (status = 200, description = "A page of destinations", body = QueueDestinations),
    CommonProblems,
    WrongDestination,
))]
pub(super) async fn destinations(
    State(node): State<Arc<Node>>,
    Query(query): Query<DestinationsQuery>,
) -> Result<Paged<QueueDestinations>, Problem> {
    let limit = u32::from(checked_limit(query.limit)?);
    let after = query.cursor.as_deref().map(|text| encoding::address("cursor", text));
    let after = after.transpose().map_err(Problem::parameter)?;
    let page = node.queue_destinations(after.as_ref(), limit).await?;
    let next = page.next_cursor.clone();
    Ok(Paged::new(page, next))
}

/// Try all that waits for a member again now.
///
/// What it refused for good is left alone: retry that one by one.
#[utoipa::path(post, path = "/queue/destinations/{destination}/retry", operation_id = "retry_destination", tag = "owner",
    params(("destination" = String, Path, description = "The member's name or address", max_length = 62,
        pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$", example = "bob")),
    responses((status = 202, description = "It is tried now"), CommonProblems))]
pub(super) async fn retry_destination(
    State(node): State<Arc<Node>>,
    Path(destination): Path<String>,
) -> Result<StatusCode, Problem> {
    match node.retry_destination(address(&node, &destination)?).await? {
        0 => Err(Problem::new(Code::NotFound, format!("Nothing waits for {destination}."))),
        _ => Ok(StatusCode::ACCEPTED),
    }
}

/// Try a request again now, even one that was refused for good.
#[utoipa::path(post, path = "/queue/{id}/retry", operation_id = "retry_queued", tag = "owner",
    params(("id" = schema::Counter, Path, description = "The request's id", example = 17)),
    responses((status = 202, description = "It is tried now"), CommonProblems))]
pub(super) async fn retry(State(node): State<Arc<Node>>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    node.retry_request(id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Give a request up.
#[utoipa::path(delete, path = "/queue/{id}", operation_id = "discard_queued", tag = "owner",
    params(("id" = schema::Counter, Path, description = "The request's id", example = 17)),
    responses((status = 204, description = "It is gone"), CommonProblems))]
pub(super) async fn discard(State(node): State<Arc<Node>>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    node.discard_request(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl QueueQuery {
    fn filter(&self, node: &Node) -> Result<Filter, Problem> {
        let state = self.state.map(|state| match state {
            StateQuery::Waiting => StateFilter::Waiting,
            StateQuery::Sending => StateFilter::Sending(node.queue().being_sent()),
            StateQuery::Dead => StateFilter::Dead,
        });
        let destination = self.destination.as_deref().map(|text| address(node, text)).transpose()?;
        let kind = self.kind.as_deref().map(|text| encoding::kind("kind", text));
        let kind = kind.transpose().map_err(Problem::parameter)?.map(str::to_owned);
        Ok(Filter { destination, kind, state })
    }
}

/// A member's name, or any address.
fn address(node: &Node, text: &str) -> Result<Address, Problem> {
    if encoding::name("destination", text).is_err() {
        return encoding::address("destination", text).map_err(Problem::parameter);
    }
    let unknown = || Problem::new(Code::UnknownPeer, format!("No member is called {text:?}."));
    node.address_of(text).ok_or_else(unknown)
}
