//! How far a transaction or a block has come.
//!
//! The owner's, like the queue: whom this peer reaches and whom not, and what went wrong, helps whoever wants to cut it off, and
//! is nobody else's business.

use std::collections::HashMap;

use axum::extract::State;
use raclette_api::{
    encoding::{hash, name},
    propagation::{PeerPropagation, Propagation, PropagationCounts, PropagationState},
};
use raclette_chain::{address::Address, hash::TransactionId};
use raclette_service::{
    answer::Paged,
    extract::{Path, Query},
    problem::{CommonProblems, Problem},
    queue::Row,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    App,
    blocks::{find, unknown_block},
    read,
};
use crate::node::{ItemId, Mark, Marks};

/// Which part of the list of peers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PropagationQuery {
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[a-z0-9][a-z0-9-]{0,31}$", max_length = 32)]
    cursor: Option<String>,
}

/// Tell who has a transaction.
///
/// For each other member: whether it has acknowledged it and when, whether it waits in the queue and why, or has not been sent
/// it by this peer. A recipient passes on what it gets, so that the sender itself often asks nobody else.
#[utoipa::path(get, path = "/tx/{id}/propagation", operation_id = "get_transaction_propagation", tag = "owner",
    params(("id" = raclette_api::schema::Hash, Path, description = "The transaction's id"), PropagationQuery),
    responses((status = 200, description = "Who has it", body = Propagation), CommonProblems),
)]
pub(super) async fn get_transaction_propagation(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<PropagationQuery>,
) -> Result<Paged<Propagation>, Problem> {
    let id: TransactionId = hash("id", &id).map_err(Problem::parameter)?;
    app.node.transaction(&id).await?;
    propagation(&app, ItemId::Transaction(id), id.to_string(), &query).await
}

/// Tell who has a block.
///
/// For each other member: whether it has acknowledged it and when, whether it waits in the queue and why, or has not been sent
/// it by this peer. Whoever mined a block sends it to everybody; others only tell who sent it to them.
#[utoipa::path(get, path = "/block/{id}/propagation", operation_id = "get_block_propagation", tag = "owner",
    params(("id" = String, Path, description = "64 hex digits: a hash; fewer decimal digits: a height",
        pattern = "^([0-9a-f]{64}|[0-9]{1,10})$", min_length = 1, max_length = 64, example = "1"), PropagationQuery),
    responses((status = 200, description = "Who has it", body = Propagation), CommonProblems),
)]
pub(super) async fn get_block_propagation(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<PropagationQuery>,
) -> Result<Paged<Propagation>, Problem> {
    let state = app.node.state()?;
    let hash = find(&state, &id)?.map(|entry| entry.hash).ok_or_else(|| unknown_block(&id))?;
    propagation(&app, ItemId::Block(hash), hash.to_string(), &query).await
}

async fn propagation(
    app: &App,
    item: ItemId,
    id: String,
    query: &PropagationQuery,
) -> Result<Paged<Propagation>, Problem> {
    let limit = read::limit(query.limit, 100, 500)?;
    if let Some(cursor) = &query.cursor {
        name("cursor", cursor).map_err(Problem::parameter)?;
    }
    let marks = app.node.propagation().of(&item);
    let rows = app.node.rows_about(&item).await?;
    let remembered = marks.is_some();
    let known = Known { marks: marks.unwrap_or_default(), rows: by_destination(rows) };
    let all: Vec<PeerPropagation> = app
        .node
        .members()
        .everybody()
        .into_iter()
        .map(|(name, address, online)| known.of(name, &address, online))
        .collect();
    let counts = counts(&all);
    let behind = |peer: &PeerPropagation| query.cursor.as_ref().is_none_or(|cursor| peer.name > *cursor);
    let mut peers: Vec<_> = all.into_iter().filter(behind).take(limit + 1).collect();
    let more = read::cut(&mut peers, limit);
    let next_cursor = peers.last().filter(|_| more).map(|last| last.name.clone());
    Ok(Paged::new(Propagation { id, remembered, counts, peers, next_cursor: next_cursor.clone() }, next_cursor))
}

/// What is known of an item: in memory, and in the queue.
struct Known {
    marks: Marks,
    rows: HashMap<Address, Row>,
}

fn by_destination(rows: Vec<Row>) -> HashMap<Address, Row> {
    rows.into_iter().map(|row| (row.request.destination, row)).collect()
}

impl Known {
    fn of(&self, name: String, address: &Address, online: bool) -> PeerPropagation {
        let bare = PeerPropagation {
            name,
            address: address.to_string(),
            online,
            state: PropagationState::NotAsked,
            time: None,
            attempts: None,
            next_try: None,
            reason: None,
        };
        let at = |state, time: u64| PeerPropagation { state, time: Some(time), ..bare.clone() };
        match (self.marks.get(address), self.rows.get(address)) {
            (Some((Mark::Acknowledged, time)), _) => at(PropagationState::Acknowledged, *time),
            (Some((Mark::Shown, time)), _) => at(PropagationState::Shown, *time),
            (_, Some(row)) => queued(row, at),
            (Some((Mark::Refused(why), time)), None) => {
                PeerPropagation { reason: Some(why.clone()), ..at(PropagationState::Refused, *time) }
            }
            (Some((Mark::Sending, time)), None) => at(PropagationState::Sending, *time),
            (None, None) => bare,
        }
    }
}

fn queued(row: &Row, at: impl Fn(PropagationState, u64) -> PeerPropagation) -> PeerPropagation {
    let state = if row.dead { PropagationState::Refused } else { PropagationState::Waiting };
    PeerPropagation {
        attempts: Some(row.attempts),
        next_try: Some(row.next_at.milliseconds()).filter(|_| !row.dead),
        reason: row.last_error.clone(),
        ..at(state, row.created_at.milliseconds())
    }
}

fn counts(peers: &[PeerPropagation]) -> PropagationCounts {
    let count = |states: &[PropagationState]| peers.iter().filter(|peer| states.contains(&peer.state)).count() as u64;
    PropagationCounts {
        have: count(&[PropagationState::Acknowledged, PropagationState::Shown]),
        waiting: count(&[PropagationState::Sending, PropagationState::Waiting]),
        refused: count(&[PropagationState::Refused]),
        not_asked: count(&[PropagationState::NotAsked]),
    }
}
