//! For the operator: names, and the tracker's doubt in itself.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use raclette_service::{
    extract::Path,
    problem::{CommonProblems, Problem},
};

use super::error::{NameProblems, OverrideProblems};
use crate::node::Node;

/// Free a name.
///
/// Only while its owner is offline or has left. The next who registers under it keeps it.
#[utoipa::path(delete, path = "/names/{name}", operation_id = "free_name", tag = "owner",
    params(("name" = String, Path, description = "The name", pattern = "^[a-z0-9][a-z0-9-]{0,31}$", max_length = 32,
        example = "dave")),
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
