//! From one branch to another: takes blocks off and puts others on, one at a time.
//!
//! However long the branches are, only one block is in memory; what grows is the overlay of changed accounts and some
//! bytes a block. Rows are written while the blocks pass. A change of several blocks does that inside of a savepoint, so that
//! a branch that turns out invalid in its middle leaves nothing behind. The ledger follows in a second pass, once the
//! branch has passed every rule.

use std::sync::Arc;

use raclette_api::event::TransactionStep;
use raclette_chain::{
    accounts::{self, Account, Overlay},
    address::Address,
    amount::Amount,
    block::{Block, Checked},
    hash::{BlockHash, StateHash},
    index::Path,
    ledger::{Added, LedgerError},
    rules::{self, BlockError, Connected},
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::{crash_point::crash_point, planted::bug};
use sqlx::SqliteConnection;

use super::{Event, State, draft::Draft, lives::overtaken, recheck, reorg::Reorganisation, told};
use crate::store::{
    self, StoreError,
    blocks::{Arrival, Connection},
};

/// What a branch that has passed every rule does.
struct Switched {
    /// The state hash after each block that was put on.
    state_hashes: Vec<(BlockHash, StateHash)>,
    /// Every account that a block of either branch changed, as it is now.
    changed: Vec<(Address, Account)>,
}

/// The block whose coming is the reason for a change of branch. It is at hand, and need not be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newcomer<'a> {
    /// The block.
    pub(super) block: &'a Arc<Block<Checked>>,
    /// How it came, if it has no row yet: one that extends the active branch gets its row as an active block.
    pub(super) unstored: Option<Arrival>,
}

/// Makes the branch that a path leads to the active one: rows, accounts, index, ledger.
///
/// The outer error is the store's, and fails the batch; the inner one names the block of the branch that breaks a rule, and
/// nothing has changed then.
pub(super) async fn follow(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    path: &Path,
    newcomer: Newcomer<'_>,
) -> Result<Result<(), (BlockHash, BlockError)>, StoreError> {
    let Some(state) = draft.state.as_ref() else { return Ok(Ok(())) };
    // A single block is checked before its first row is written.
    let is_several = path.disconnect.len() + path.connect.len() > 1;
    if is_several {
        store::set_savepoint(connection).await?;
    }
    let mut reorg = Reorganisation::new(state, path, draft.now);
    let switched = match switch(connection, state, path, newcomer, &mut reorg).await? {
        Ok(switched) => switched,
        Err(refusal) => {
            if is_several {
                store::return_to_savepoint(connection).await?;
            }
            return Ok(Err(refusal));
        }
    };
    if is_several {
        store::release_savepoint(connection).await?;
    }
    let old = state.tip().hash;
    if let Some(state) = draft.state.as_mut() {
        for (hash, state_hash) in &switched.state_hashes {
            state.index.set_state_hash(hash, *state_hash);
        }
        state.index.follow(path);
        accounts::write(&mut state.accounts, switched.changed.iter().copied());
    }
    let told_before = draft.told.len();
    let returned = update_ledger(connection, draft, path, newcomer, &switched.changed, &mut reorg).await?;
    crash_point(place(path), "returned");
    let (connected, disconnected) = (path.connect.len(), path.disconnect.len());
    if disconnected > 0
        && let Some(state) = &draft.state
    {
        let told = told::reorg(&old, state.tip(), connected, disconnected, returned);
        draft.tell_at(told_before, &told);
    }
    reorg.note(connection, draft).await?;
    draft.accounts(switched.changed);
    draft.blocks(path.disconnect.iter().chain(&path.connect).copied());
    let new = path.connect.last().copied().unwrap_or(old);
    draft.events.push(Event::Tip { old, new, disconnected, returned });
    Ok(Ok(()))
}

/// Takes off and puts on what the path says, on an overlay, and writes the rows of the blocks.
async fn switch(
    connection: &mut SqliteConnection,
    state: &State,
    path: &Path,
    newcomer: Newcomer<'_>,
    reorg: &mut Reorganisation,
) -> Result<Result<Switched, (BlockHash, BlockError)>, StoreError> {
    let mut overlay = Overlay::new(&state.accounts);
    for hash in &path.disconnect {
        let block = read(connection, state, hash, newcomer).await?;
        recheck::take_off(&block, &store::blocks::undo(connection, hash).await?, &mut overlay, state)?;
        crash_point("reorganisation", "reverted");
        reorg.loses(connection, hash, block.header().height).await?;
        store::blocks::deactivate(connection, hash, block.header().height).await?;
        crash_point("reorganisation", "deactivated");
    }
    let mut state_hashes: Vec<(BlockHash, StateHash)> = Vec::with_capacity(path.connect.len());
    for hash in &path.connect {
        let block = read(connection, state, hash, newcomer).await?;
        let before = state_hashes
            .last()
            .map(|(_, state_hash)| *state_hash)
            .or_else(|| state.index.get(&block.header().previous).and_then(|entry| entry.state_hash))
            .ok_or_else(|| damaged(&block.header().previous, "its state hash is missing"))?;
        match rules::connect_block(&block, &mut overlay, &before, &state.rules) {
            Ok(connected) => {
                crash_point(place(path), "connected");
                write(connection, &block, &connected, newcomer, reorg.now()).await?;
                crash_point(place(path), "activated");
                state_hashes.push((*hash, connected.state_hash));
            }
            Err(error) => return Ok(Err((*hash, error))),
        }
    }
    Ok(Ok(Switched { state_hashes, changed: overlay.into_changed().into_iter().collect() }))
}

/// Writes the row of a block that has been connected.
async fn write(
    connection: &mut SqliteConnection,
    block: &Block<Checked>,
    connected: &Connected,
    newcomer: Newcomer<'_>,
    time: u64,
) -> Result<(), StoreError> {
    let row = Connection { undo: &connected.undo, state_hash: connected.state_hash, time };
    match newcomer.unstored.filter(|_| block.hash() == newcomer.block.hash()) {
        Some(arrival) => store::blocks::insert_active(connection, block, arrival, row).await,
        None => store::blocks::activate(connection, block, row).await,
    }
}

/// Brings the ledger in step with the new branch: what it confirms leaves, what the losing one had confirmed comes back and
/// is checked again. Returns how many came back.
async fn update_ledger(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    path: &Path,
    newcomer: Newcomer<'_>,
    changed: &[(Address, Account)],
    reorg: &mut Reorganisation,
) -> Result<usize, StoreError> {
    let Some(mut state) = draft.state.take() else { return Ok(0) };
    for hash in &path.connect {
        let block = read(connection, &state, hash, newcomer).await?;
        confirm(draft, &mut state, &block);
        if !path.disconnect.is_empty() {
            reorg.wins(&block);
        }
    }
    // Pending transactions first make way for what is confirmed now, or can no longer be paid. Whoever sent something in
    // either branch is among the changed accounts.
    let mut looked = !path.disconnect.is_empty();
    for (address, account) in changed {
        for removed in state.ledger.refresh(address, account) {
            if !looked {
                // A branch that only grows is mostly one block, and what it overtakes is rare.
                reorg.wins(newcomer.block);
                looked = true;
            }
            let winner = reorg.winner(&removed.transaction);
            draft.left(&mut state, &removed, winner);
        }
    }
    let mut returned = 0;
    for hash in path.disconnect.iter().rev() {
        let block = read(connection, &state, hash, newcomer).await?;
        returned += take_back(draft, &mut state, &block, reorg);
    }
    let now = Timestamp::new(draft.now).unwrap_or(Timestamp::MAX);
    for removed in state.ledger.expire(state.next_height(), now) {
        draft.left(&mut state, &removed, None);
    }
    let used = state.account(&draft.owner).next_sequence;
    draft.wait_no_more_below(&mut state, used);
    draft.state = Some(state);
    Ok(returned)
}

/// Takes what a block confirms out of the ledger.
fn confirm(draft: &mut Draft, state: &mut State, block: &Block<Checked>) {
    let were_pending = state.ledger.remove_all(block.transactions().iter().map(SignedTransaction::id));
    draft.confirmed(block);
    for transaction in block.transactions() {
        // What was pending here is in the owner's mail since then. Its row goes when the index takes it up.
        if were_pending.contains(&transaction.id()) {
            draft.no_longer_news(transaction.id());
        } else if draft.concerns_owner(transaction) {
            draft.mail(&Arc::new(transaction.clone()));
        }
    }
}

/// Offers the transactions of a losing block to the ledger again. Returns how many it took.
fn take_back(draft: &mut Draft, state: &mut State, block: &Block<Checked>, reorg: &mut Reorganisation) -> usize {
    let now = Timestamp::new(draft.now).unwrap_or(Timestamp::MAX);
    let mut returned = 0;
    if bug("nothing_returns") {
        return returned;
    }
    for transaction in block.transactions() {
        let account = state.account(&transaction.sender());
        let transaction = Arc::new(transaction.clone());
        if transaction.transaction().sequence < account.next_sequence {
            // Its row in the ledger, if it had one, has only waited for the index.
            draft.leaves_ledger(transaction.id());
            if reorg.winner(&transaction).is_some_and(|winner| winner != transaction.id()) {
                draft.void(transaction.id());
            }
            reorg.stays_out(block, &transaction, &overtaken(&transaction, &account, Amount::ZERO));
            continue;
        }
        let context = super::state::state_context(&state.rules, &state.index, now, true);
        match state.ledger.add(Arc::clone(&transaction), &account, &context) {
            Ok(added @ Added::Accepted { .. }) => {
                draft.made_way(state, &added, transaction.id());
                draft.pending(&transaction, TransactionStep::Returned, false);
                reorg.returns(block, &transaction);
                returned += 1;
            }
            Ok(Added::Known) => {}
            Err(error) => {
                tracing::info!(id = %transaction.id(), %error, "a transaction of a losing block is not taken again");
                draft.not_pending(&transaction, TransactionStep::Dropped);
                if matches!(error, LedgerError::InsufficientFunds { .. }) {
                    // It is not offered again, and the owner's next one takes its number.
                    draft.void(transaction.id());
                } else {
                    draft.wait(state, &transaction);
                }
                reorg.stays_out(block, &transaction, &error);
            }
        }
    }
    returned
}

/// The place of the crash points on a path.
fn place(path: &Path) -> &'static str {
    if path.disconnect.is_empty() { "block" } else { "reorganisation" }
}

async fn read(
    connection: &mut SqliteConnection,
    state: &State,
    hash: &BlockHash,
    newcomer: Newcomer<'_>,
) -> Result<Arc<Block<Checked>>, StoreError> {
    if *hash == newcomer.block.hash() {
        return Ok(Arc::clone(newcomer.block));
    }
    let block = store::blocks::get(connection, hash, &state.rules.network).await?;
    Ok(Arc::new(block.ok_or_else(|| damaged(hash, "its body is missing"))?))
}

fn damaged(hash: &BlockHash, reason: &str) -> StoreError {
    StoreError::damaged(format!("block {hash}"), &reason)
}
