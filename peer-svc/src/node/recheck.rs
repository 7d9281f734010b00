//! Checking again what the file says, where it can be recomputed.

use std::sync::Arc;

use raclette_chain::{
    accounts::{Account, Overlay, Undo},
    address::Address,
    block::Block,
    hash::{BlockHash, StateHash},
    rules::{self, BlockError, Rules},
    transaction::SignedTransaction,
};
use sqlx::SqlitePool;

use super::State;
use crate::store::{self, StoreError};

/// How many blocks below the tip are checked anew by every rule at a start.
const LAST_BLOCKS: u32 = 6;

/// Takes a block off accounts by its stored undo data, and makes sure that these are right: put on again, the block must
/// lead to the very accounts and the state hash that were there.
pub(super) fn take_off<Any>(
    block: &Block<Any>,
    undo: &Undo,
    overlay: &mut Overlay<'_>,
    state: &State,
) -> Result<(), StoreError> {
    let damaged = |reason: String| StoreError::Damaged { what: format!("block {}", block.hash()), reason };
    let hash_of = |hash: &BlockHash| state.index.get(hash).and_then(|entry| entry.state_hash);
    let before: StateHash = hash_of(&block.header().previous)
        .ok_or_else(|| damaged(String::from("the state hash before it is missing")))?;
    let after: Vec<(Address, Account)> = undo.0.iter().map(|(address, _)| (*address, overlay.get(address))).collect();
    overlay.revert(undo);
    let connected = rules::connect_block(block, overlay, &before, &state.rules)
        .map_err(|error| damaged(format!("it does not fit the accounts before it: {error}")))?;
    if Some(connected.state_hash) != hash_of(&block.hash()) || connected.changes.0 != after {
        return Err(damaged(String::from("its undo data do not lead back to it")));
    }
    overlay.revert(undo);
    Ok(())
}

/// Checks the last blocks of the active branch by every rule, from their stored bytes.
///
/// # Errors
/// What does not fit is damaged.
pub(super) async fn last_blocks(state: &State, readers: &SqlitePool) -> Result<(), StoreError> {
    let mut stored = Vec::new();
    let mut cursor = state.tip();
    while cursor.header.height > state.tip().header.height.saturating_sub(LAST_BLOCKS) {
        let missing = || StoreError::Damaged { what: format!("block {}", cursor.hash), reason: "it is missing".into() };
        let block = store::blocks::get(readers, &cursor.hash, &state.rules.network).await?.ok_or_else(missing)?;
        let undo = store::blocks::undo(&mut *readers.acquire().await?, &cursor.hash).await?;
        stored.push((block, undo));
        cursor = state.index.get(&cursor.header.previous).ok_or_else(missing)?;
    }
    let state = state.clone();
    elsewhere(move || {
        let mut overlay = Overlay::new(&state.accounts);
        for (block, undo) in &stored {
            check(block, &state).map_err(|error| StoreError::damaged(format!("block {}", block.hash()), &error))?;
            take_off(block, undo, &mut overlay, &state)?;
        }
        Ok(())
    })
    .await
}

/// The rules that need no accounts. The block's time was not in the future once, whatever the clock says now.
fn check<Any>(block: &Block<Any>, state: &State) -> Result<(), BlockError> {
    if let Some(parent) = state.index.parent(&block.header().previous) {
        rules::check_header(block.header(), &parent, &state.rules, block.header().time)?;
    }
    rules::check_body(block, &state.rules)?;
    rules::check_signatures(block, &state.rules, |_| false)
}

/// Verifies the signatures of stored transactions: their ids do not cover them.
///
/// # Errors
/// The first that does not hold.
pub(super) async fn signatures(transactions: Vec<Arc<SignedTransaction>>, rules: Arc<Rules>) -> Result<(), StoreError> {
    elsewhere(move || {
        transactions.iter().try_for_each(|transaction| {
            let what = || format!("transaction {}", transaction.id());
            transaction.verify(&rules.network).map_err(|error| StoreError::damaged(what(), &error))
        })
    })
    .await
}

/// Computes away from the async threads.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::damaged("a check", &error))?
}
