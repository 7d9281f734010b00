//! What the network is, and how it begins.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use raclette_api::network::{GenesisAccepted, GenesisReport, NetworkInfo};
use raclette_service::{
    extract::Json,
    problem::{CommonProblems, Problem},
};

use super::{error::GenesisProblems, members::created};
use crate::node::Node;

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
))]
pub(super) async fn report_genesis(
    State(node): State<Arc<Node>>,
    Json(report): Json<GenesisReport>,
) -> Result<(StatusCode, Json<GenesisAccepted>), Problem> {
    let done = node.report_genesis(&report).await?;
    Ok((created(done.new), Json(done.answer)))
}
