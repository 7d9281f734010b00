//! Who belongs to the network.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use raclette_api::{
    JOIN_TOKEN_HEADER, encoding,
    membership::{Leave, PeerPage, PeerState, RegisterResponse, Registration},
};
use raclette_service::{
    answer::Paged,
    extract::{Json, Query},
    problem::{Code, CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    App,
    error::{NoMember, RegisterProblems},
};
use crate::node::{Listing, Node};

/// Which members to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those in this state.
    #[param(inline, nullable = false)]
    state: Option<PeerState>,
    /// How many at most.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u16,
    /// Only those that changed after this version, in the order of their versions and with a signed notice. If the page is
    /// full, ask again with the version of its last one.
    #[param(nullable = false, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    since: Option<u64>,
    /// Only the one with this name.
    #[param(nullable = false, pattern = "^[a-z0-9][a-z0-9-]{0,31}$", max_length = 32)]
    name: Option<String>,
    /// `next_cursor` of the page before: the name behind which this one begins.
    #[param(nullable = false, pattern = "^[a-z0-9][a-z0-9-]{0,31}$", max_length = 32)]
    cursor: Option<String>,
}

pub(super) fn usual_limit() -> u16 {
    100
}

/// 201 for what is new, else 200.
pub(super) fn created(new: bool) -> StatusCode {
    if new { StatusCode::CREATED } else { StatusCode::OK }
}

/// Register.
///
/// The registration is signed with the peer's key and binds the network and this tracker. Before the address in it is
/// believed, the tracker calls `GET /challenge` there. All others are told. Register again after each start, and whenever
/// the address changes, with a higher epoch. The same registration may be repeated.
#[utoipa::path(post, path = "/register", operation_id = "register", tag = "network", request_body = Registration,
    params(("Raclette-Join-Token" = Option<String>, Header, nullable = false, max_length = 256,
        description = "What the network asks newcomers for, if it does", example = "a-token-from-the-operator")),
    responses(
        (status = 201, description = "It is new here", body = RegisterResponse),
        (status = 200, description = "It was known, and is updated", body = RegisterResponse),
        RegisterProblems,
        CommonProblems,
    ))]
pub(super) async fn register(
    State(app): State<App>,
    headers: HeaderMap,
    Json(registration): Json<Registration>,
) -> Result<(StatusCode, Json<RegisterResponse>), Problem> {
    let join_token = headers.get(JOIN_TOKEN_HEADER).map(|value| value.as_bytes());
    let done = app.node.register(registration, join_token).await.map_err(|error| app.explained(error))?;
    Ok((created(done.new), Json(done.answer)))
}

/// Leave the network.
///
/// Signed with the peer's key, for the epoch of its last registration. All others are told.
#[utoipa::path(post, path = "/leave", operation_id = "leave", tag = "network", request_body = Leave, responses(
    (status = 204, description = "It has left"),
    RegisterProblems,
    CommonProblems,
    NoMember,
))]
pub(super) async fn leave(State(node): State<Arc<Node>>, Json(leave): Json<Leave>) -> Result<StatusCode, Problem> {
    node.leave(&leave).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the members.
///
/// In the order of their names. Only those that are online or suspect have a registration with their host and port. Who is
/// listed must fit all that is asked for.
#[utoipa::path(get, path = "/peers", operation_id = "list_peers", tag = "network", params(ListQuery), responses(
    (status = 200, description = "A page of members", body = PeerPage),
    CommonProblems,
))]
pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Query(query): Query<ListQuery>,
) -> Result<Paged<PeerPage>, Problem> {
    let limit = checked_limit(query.limit)?;
    let page = node.peers(&query.listing()?, usize::from(limit))?;
    let next = page.next_cursor.clone();
    Ok(Paged::new(page, next))
}

impl ListQuery {
    fn listing(self) -> Result<Listing, Problem> {
        let Self { state, since, name, cursor, limit: _ } = self;
        let since = since.map(|since| encoding::integer("since", since)).transpose().map_err(Problem::parameter)?;
        checked_name("name", name.as_deref())?;
        checked_name("cursor", cursor.as_deref())?;
        Ok(Listing { since, name, after: cursor, state })
    }
}

/// A parameter that is the name of a member.
pub(super) fn checked_name(parameter: &str, name: Option<&str>) -> Result<(), Problem> {
    name.map_or(Ok(()), |name| encoding::name(parameter, name).map(drop)).map_err(Problem::parameter)
}

/// A page has 1 to 1,000 entries.
pub(super) fn checked_limit(limit: u16) -> Result<u16, Problem> {
    if (1..=1_000).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Code::InvalidParameter, format!("limit: expected 1 to 1000, found {limit}"))
        .expected("1 to 1000")
        .seen(limit)
        .field("limit", "expected 1 to 1000"))
}
