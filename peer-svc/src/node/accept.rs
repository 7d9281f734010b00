//! How a block is accepted: one straight list of steps.

use std::sync::Arc;

use raclette_chain::{hash::BlockHash, index::Index, rules, time::Timestamp};
use raclette_service::{crash_point::crash_point, planted::bug, request_id::RequestId};
use sqlx::SqliteConnection;

use super::{
    BlockOutcome, Event, NodeError, Origin, State, VerifiedBlock,
    branch::{self, Newcomer},
    draft::Draft,
    told,
};
use crate::store::{self, StoreError, blocks::Arrival};

/// Accepts a block whose body and signatures have been verified.
///
/// The outer error is the store's, and fails the batch; the inner one is about the block, and has changed nothing.
pub(super) async fn accept_block(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    block: VerifiedBlock,
    origin: Origin,
    request: Option<RequestId>,
) -> Result<Result<BlockOutcome, NodeError>, StoreError> {
    let Some(state) = draft.state.as_mut() else {
        return Ok(Err(NodeError::NotReady { waiting_for: "the network's genesis block" }));
    };
    let block = block.into_block();
    let hash = block.hash();
    // 1. What is known stays as it was judged.
    if let Some(entry) = state.index.get(&hash) {
        return Ok(if entry.invalid { Err(NodeError::KnownInvalid { hash }) } else { Ok(BlockOutcome::Known) });
    }
    // 2. Without its parent it cannot be judged.
    let Some(parent) = state.index.parent(&block.header().previous) else {
        return Ok(Ok(BlockOutcome::Orphan));
    };
    if state.index.get(&block.header().previous).is_some_and(|entry| entry.invalid) {
        return Ok(Err(NodeError::KnownInvalid { hash }));
    }
    // 3. The header, on top of its parent. The body's own rules have been checked.
    let now = Timestamp::new(draft.now).unwrap_or(Timestamp::MAX);
    if let Err(error) = rules::check_header(block.header(), &parent, &state.rules, now) {
        return Ok(Err(error.into()));
    }
    // 4. It is stored, on whatever branch; where it extends the active one, in the next step.
    let extends = block.header().previous == state.tip().hash;
    let block = Arc::new(block.assume_checked());
    let relay = origin == Origin::Local;
    let arrival = Arrival { received: draft.now, unrelayed: relay };
    if !extends {
        store::blocks::insert(connection, &block, arrival).await?;
        crash_point("block", "stored");
    }
    state.index.insert(*block.header());
    draft.blocks([hash]);
    // 5. If its branch wins, it becomes the active one.
    let told_before = draft.told.len();
    let newcomer = Newcomer { block: &block, unstored: extends.then_some(arrival) };
    let outcome = activate_best(connection, draft, newcomer).await?;
    if let Ok(outcome) = &outcome {
        draft.tell_at(told_before, &told::block(&block, *outcome));
        draft.events.push(Event::Block { block, origin, relay, request });
    }
    Ok(outcome)
}

/// Follows the best branch. A branch that turns out invalid is marked, and the next best is tried.
async fn activate_best(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    mut newcomer: Newcomer<'_>,
) -> Result<Result<BlockOutcome, NodeError>, StoreError> {
    let mut refusal = None;
    let hash = newcomer.block.hash();
    let mut candidate = hash;
    loop {
        let Some(state) = draft.state.as_ref() else {
            return Ok(Err(NodeError::NotReady { waiting_for: "the network's genesis block" }));
        };
        let wins = state.index.get(&candidate).is_some_and(|entry| {
            Index::wins(entry, state.tip()) && !(bug("first_seen") && entry.work == state.tip().work)
        });
        if !wins {
            return Ok(refusal.map_or(Ok(outcome_for(state, &hash)), Err));
        }
        let path = state.index.path_to(&candidate).unwrap_or_default();
        match branch::follow(connection, draft, &path, newcomer).await? {
            Ok(()) => {
                let Some(state) = draft.state.as_ref() else { continue };
                return Ok(refusal.map_or(Ok(outcome_for(state, &hash)), Err));
            }
            Err((invalid, error)) => {
                // An invalid block is kept, too: it is refused unread when it comes again.
                if let Some(arrival) = newcomer.unstored.take() {
                    store::blocks::insert(connection, newcomer.block, arrival).await?;
                }
                let Some(state) = draft.state.as_mut() else { continue };
                let marked = state.index.mark_invalid(&invalid);
                store::blocks::mark_invalid(connection, &marked).await?;
                tracing::warn!(block = %invalid, %error, "a stored block turned out invalid");
                if marked.contains(&hash) {
                    refusal.get_or_insert(NodeError::Block(error));
                }
                candidate = state.index.best().hash;
                draft.blocks(marked);
            }
        }
    }
}

fn outcome_for(state: &State, hash: &BlockHash) -> BlockOutcome {
    if state.index.is_active(hash) { BlockOutcome::Accepted } else { BlockOutcome::Stored }
}
