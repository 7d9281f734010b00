//! What the network is, how it begins, whether its peers agree, and what happened to them.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use raclette_api::{
    agreement::Agreement,
    network::{GenesisAccepted, GenesisReport, NetworkInfo},
    timeline::{TimelineKind, TimelinePage},
};
use raclette_service::{
    answer::Paged,
    extract::{Json, Query, number_cursor},
    problem::{CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::{GenesisProblems, NoMember},
    members::{checked_limit, checked_name, created, usual_limit},
};
use crate::node::{Node, TimelineFilter};

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TimelineQuery {
    /// Only those of this kind.
    #[param(inline, nullable = false)]
    kind: Option<TimelineKind>,
    /// Only those of the member with this name.
    #[param(nullable = false, pattern = "^[a-z0-9][a-z0-9-]{0,31}$", max_length = 32)]
    name: Option<String>,
    /// How many at most.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u16,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9]{1,19}$", max_length = 19)]
    cursor: Option<String>,
}

/// Read what the network is.
///
/// What a newcomer asks first: the tracker's key, the network's id if there is one, its parameters, and who is making the
/// genesis block if it is not made yet.
#[utoipa::path(get, path = "/network", operation_id = "get_network", tag = "network", responses(
    (status = 200, description = "The network", body = NetworkInfo),
    CommonProblems,
))]
pub(super) async fn read(State(node): State<Arc<Node>>) -> Json<NetworkInfo> {
    Json(node.network_info())
}

/// Report the genesis block.
///
/// From a registered peer, signed with its key. The first report wins; whoever comes later gets the winner's.
#[utoipa::path(post, path = "/genesis", operation_id = "report_genesis", tag = "network", request_body = GenesisReport, responses(
    (status = 201, description = "The network begins with it", body = GenesisAccepted),
    (status = 200, description = "This very genesis block was reported before", body = GenesisAccepted),
    GenesisProblems,
    CommonProblems,
    NoMember,
))]
pub(super) async fn report_genesis(
    State(node): State<Arc<Node>>,
    Json(report): Json<GenesisReport>,
) -> Result<(StatusCode, Json<GenesisAccepted>), Problem> {
    let done = node.report_genesis(&report).await?;
    Ok((created(done.new), Json(done.answer)))
}

/// Ask all peers whether they agree.
///
/// They are asked now, all at once: tip, height, work, state hash and the digest of the ledger. Who differs is named, and who
/// could not be asked. Blocks and transactions on their way make peers differ for a moment.
#[utoipa::path(get, path = "/network/agreement", operation_id = "get_agreement", tag = "network", responses(
    (status = 200, description = "Whether they agree", body = Agreement),
    CommonProblems,
))]
pub(super) async fn agreement(State(node): State<Arc<Node>>) -> Result<Json<Agreement>, Problem> {
    Ok(Json(node.agreement().await?))
}

/// List what happened to the members, from new to old.
///
/// Who joined, was suspected, went offline, returned and left, when the tracker doubted its own connection, and who has taken
/// the notice of it, and when. The last 5,000 events are kept.
#[utoipa::path(get, path = "/timeline", operation_id = "list_timeline", tag = "network", params(TimelineQuery), responses(
    (status = 200, description = "A page of the timeline", body = TimelinePage),
    CommonProblems,
))]
pub(super) async fn timeline(
    State(node): State<Arc<Node>>,
    Query(query): Query<TimelineQuery>,
) -> Result<Paged<TimelinePage>, Problem> {
    let limit = u32::from(checked_limit(query.limit)?);
    checked_name("name", query.name.as_deref())?;
    let cursor = query.cursor.as_deref().map(number_cursor).transpose()?;
    let filter = TimelineFilter { kind: query.kind, name: query.name };
    let page = node.timeline(&filter, cursor, limit).await?;
    let next = page.next_cursor.clone();
    Ok(Paged::new(page, next))
}
