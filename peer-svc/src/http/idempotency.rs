//! Requests with an `Idempotency-Key`: whether one is the first, and how one is marked that is not.

use axum::http::HeaderName;
use raclette_service::{
    extract::{IDEMPOTENCY_REPLAYED, IdempotencyKey},
    problem::Problem,
};
use serde::Serialize;

use super::App;
use crate::node::{Keyed, Noted, Taken, Turn};

/// What is to be done with a request.
pub(super) enum Asked {
    /// Do it; if it carries a key, hold the turn until it is answered.
    First(Option<Turn>),
    /// It has been done: answer again.
    Again(Noted),
}

/// Says whether a request is the first with its key. What was asked for counts as it was read: neither white space nor the
/// order of members in its JSON matter.
pub(super) async fn asked(
    app: &App,
    key: IdempotencyKey,
    route: &str,
    request: &impl Serialize,
) -> Result<Asked, Problem> {
    let Some(key) = key.0 else { return Ok(Asked::First(None)) };
    let text = serde_json::to_vec(request).map_err(Problem::internal)?;
    Ok(match app.node.take_key(Keyed::new(key, route, &text)).await? {
        Taken::First(turn) => Asked::First(Some(turn)),
        Taken::Again(noted) => Asked::Again(noted),
    })
}

/// The header of an answer that repeats the first one.
pub(super) fn replayed(again: bool) -> Option<(HeaderName, &'static str)> {
    again.then_some((IDEMPOTENCY_REPLAYED, "true"))
}

/// Something noted under a key that cannot be read.
pub(super) fn unreadable(noted: &Noted) -> Problem {
    Problem::internal(format_args!("what was noted under the key {:?} cannot be read", noted.key))
}
