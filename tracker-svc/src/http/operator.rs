//! For the operator: the queue, names, and the tracker's doubt in itself.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use raclette_api::queue::QueuePage;
use raclette_chain::address::Address;
use raclette_service::{
    answer::Paged,
    extract::{Path, Query},
    problem::{Code, CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{NameProblems, OverrideProblems},
    members::{checked_limit, usual_limit},
};
use crate::node::{Node, QueueFilter};

/// The states by which the queue can be listed.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateQuery {
    /// Those that wait or are being sent.
    Waiting,
    /// Those that were refused for good.
    Dead,
}

/// Which requests to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QueueQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<StateQuery>,
    /// Only those for the member with this address.
    destination: Option<String>,
    /// How many at most.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u16,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(max_length = 20)]
    cursor: Option<String>,
}

/// Free a name.
///
/// Only while its owner is offline or has left. The next who registers under it keeps it.
#[utoipa::path(delete, path = "/names/{name}", operation_id = "free_name", tag = "owner",
    params(("name" = String, Path, description = "The name", pattern = "^[a-z0-9][a-z0-9-]{0,31}$", example = "dave")),
    responses((status = 204, description = "The name is free"), NameProblems, CommonProblems))]
pub(super) async fn free_name(State(node): State<Arc<Node>>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    node.free_name(name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End self-preservation.
///
/// The tracker reports nobody offline while so many members fail at once that it doubts its own connection. If you know that
/// the connection is fine, this makes it believe its probes until they give no more reason for doubt.
#[utoipa::path(delete, path = "/self-preservation", operation_id = "override_self_preservation", tag = "owner",
    responses((status = 204, description = "It believes its probes"), OverrideProblems, CommonProblems))]
pub(super) async fn override_self_preservation(State(node): State<Arc<Node>>) -> Result<StatusCode, Problem> {
    node.override_self_preservation().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the requests that did not arrive yet.
#[utoipa::path(get, path = "/queue", operation_id = "list_queue", tag = "owner", params(QueueQuery), responses(
    (status = 200, description = "A page of the queue", body = QueuePage),
    CommonProblems,
))]
pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Query(query): Query<QueueQuery>,
) -> Result<Paged<QueuePage>, Problem> {
    let limit = u32::from(checked_limit(query.limit)?);
    let destination = query.destination.as_deref().map(|text| parsed::<Address>("destination", text)).transpose()?;
    let cursor = query.cursor.as_deref().map_or(Ok(0), |text| parsed::<i64>("cursor", text))?;
    let dead = query.state.map(|state| matches!(state, StateQuery::Dead));
    let page = node.queue_page(&QueueFilter { destination, dead }, cursor, limit).await?;
    let next = page.next_cursor.clone();
    Ok(Paged::new(page, next))
}

/// Try a request again now, even one that was refused for good.
#[utoipa::path(post, path = "/queue/{id}/retry", operation_id = "retry_queued", tag = "owner",
    params(("id" = i64, Path, description = "The request's id", minimum = 1, example = 17)),
    responses((status = 202, description = "It is tried now"), CommonProblems))]
pub(super) async fn retry(State(node): State<Arc<Node>>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    node.retry_request(id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Give a request up.
#[utoipa::path(delete, path = "/queue/{id}", operation_id = "discard_queued", tag = "owner",
    params(("id" = i64, Path, description = "The request's id", minimum = 1, example = 17)),
    responses((status = 204, description = "It is gone"), CommonProblems))]
pub(super) async fn discard(State(node): State<Arc<Node>>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    node.discard_request(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: &str,
) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| {
        Problem::new(Code::InvalidParameter, format!("{field}: {error}")).field(field, error.to_string())
    })
}
