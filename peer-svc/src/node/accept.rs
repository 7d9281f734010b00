//! How a block is accepted: one straight list of steps.

use std::{collections::BTreeSet, sync::Arc};

use raclette_api::event::TransactionStep;
use raclette_chain::{
    accounts::{self, Overlay},
    address::Address,
    block::{Block, Checked, Unchecked},
    hash::BlockHash,
    index::{Index, Path},
    rules::{self, BlockError, Connected},
    time::Timestamp,
};
use raclette_service::crash_point::crash_point;
use sqlx::SqliteConnection;

use super::{BlockOutcome, Event, NodeError, Origin, State, draft::Draft, told};
use crate::store::{self, StoreError};

/// Accepts a block whose signatures have been verified.
///
/// The outer error is the store's, and fails the batch; the inner one is about the block, and has changed nothing.
pub(super) async fn accept_block(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    block: Block<Unchecked>,
    origin: Origin,
) -> Result<Result<BlockOutcome, NodeError>, StoreError> {
    let Some(state) = draft.state.as_mut() else {
        return Ok(Err(NodeError::NotReady { waiting_for: "the network's genesis block" }));
    };
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
    // 3. Header and body, by the rules that need no accounts.
    let now = Timestamp::new(draft.now).unwrap_or(Timestamp::MAX);
    match rules::check_header(block.header(), &parent, &state.rules, now)
        .and_then(|()| rules::check_body(&block, &state.rules))
    {
        Ok(()) => {}
        Err(BlockError::TimeTooNew { .. }) => return Ok(Ok(BlockOutcome::Later)),
        Err(error) => return Ok(Err(error.into())),
    }
    // 4. It is stored, on whatever branch.
    let block = Arc::new(block.assume_checked());
    let relay = origin == Origin::Local;
    store::blocks::insert(connection, &block, draft.now, relay).await?;
    crash_point("block", "stored");
    state.index.insert(*block.header());
    // 5. If its branch wins, it becomes the active one.
    let told_before = draft.told.len();
    let outcome = activate_best(connection, draft, &block).await?;
    if let Ok(outcome) = &outcome {
        draft.tell_at(told_before, &told::block(&block, *outcome));
        draft.events.push(Event::Block { block, origin, relay });
    }
    Ok(outcome)
}

/// Follows the best branch. A branch that turns out invalid is marked, and the next best is tried.
async fn activate_best(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    newcomer: &Arc<Block<Checked>>,
) -> Result<Result<BlockOutcome, NodeError>, StoreError> {
    let mut refusal = None;
    let mut candidate = newcomer.hash();
    loop {
        let Some(state) = draft.state.as_ref() else {
            return Ok(Err(NodeError::NotReady { waiting_for: "the network's genesis block" }));
        };
        let wins = state.index.get(&candidate).is_some_and(|entry| Index::wins(entry, state.tip()));
        if !wins {
            return Ok(refusal.map_or(Ok(outcome_for(state, &newcomer.hash())), Err));
        }
        let path = state.index.path_to(&candidate).unwrap_or_default();
        match try_branch(connection, state, &path, newcomer).await? {
            Ok(branch) => {
                switch(connection, draft, &path, branch).await?;
                candidate = newcomer.hash();
                let Some(state) = draft.state.as_ref() else { continue };
                return Ok(refusal.map_or(Ok(outcome_for(state, &candidate)), Err));
            }
            Err((hash, error)) => {
                let Some(state) = draft.state.as_mut() else { continue };
                let marked = state.index.mark_invalid(&hash);
                store::blocks::mark_invalid(connection, &marked).await?;
                tracing::warn!(block = %hash, %error, "a stored block turned out invalid");
                if marked.contains(&newcomer.hash()) {
                    refusal.get_or_insert(NodeError::Block(error));
                }
                candidate = state.index.best().hash;
            }
        }
    }
}

fn outcome_for(state: &State, hash: &BlockHash) -> BlockOutcome {
    if state.index.is_active(hash) { BlockOutcome::Accepted } else { BlockOutcome::Stored }
}

/// A branch that has passed every rule, and what it does.
struct Branch {
    connected: Vec<(Arc<Block<Checked>>, Connected)>,
    disconnected: Vec<Arc<Block<Checked>>>,
    changed: Vec<(Address, accounts::Account)>,
}

/// Takes off and puts on what the path says, on an overlay; nothing is changed yet.
async fn try_branch(
    connection: &mut SqliteConnection,
    state: &State,
    path: &Path,
    newcomer: &Arc<Block<Checked>>,
) -> Result<Result<Branch, (BlockHash, BlockError)>, StoreError> {
    let network = &state.rules.network;
    let mut overlay = Overlay::new(&state.accounts);
    let mut disconnected = Vec::with_capacity(path.disconnect.len());
    for hash in &path.disconnect {
        overlay.revert(&store::blocks::undo(connection, hash).await?);
        disconnected.push(read(connection, hash, network, newcomer).await?);
        crash_point("reorganisation", "reverted");
    }
    let mut connected = Vec::with_capacity(path.connect.len());
    for hash in &path.connect {
        let block = read(connection, hash, network, newcomer).await?;
        let before = connected
            .last()
            .map(|(_, connected): &(_, Connected)| connected.state_hash)
            .or_else(|| state.index.get(&block.header().previous).and_then(|entry| entry.state_hash))
            .ok_or_else(|| missing_state_hash(&block.header().previous))?;
        match rules::connect_block(&block, &mut overlay, &before, &state.rules) {
            Ok(result) => connected.push((block, result)),
            Err(error) => return Ok(Err((*hash, error))),
        }
        crash_point(place(path), "connected");
    }
    Ok(Ok(Branch { connected, disconnected, changed: overlay.into_changed().into_iter().collect() }))
}

/// The place of the crash points on a path.
fn place(path: &Path) -> &'static str {
    if path.disconnect.is_empty() { "block" } else { "reorganisation" }
}

fn missing_state_hash(hash: &BlockHash) -> StoreError {
    StoreError::Damaged { what: format!("block {hash}"), reason: "its state hash is missing".into() }
}

async fn read(
    connection: &mut SqliteConnection,
    hash: &BlockHash,
    network: &raclette_chain::hash::NetworkId,
    newcomer: &Arc<Block<Checked>>,
) -> Result<Arc<Block<Checked>>, StoreError> {
    if *hash == newcomer.hash() {
        return Ok(Arc::clone(newcomer));
    }
    let block = store::blocks::get(connection, hash, network).await?;
    let missing = || StoreError::Damaged { what: format!("block {hash}"), reason: "its body is missing".into() };
    Ok(Arc::new(block.ok_or_else(missing)?))
}

/// Makes a branch that passed every rule the active one: rows, accounts, index, ledger.
async fn switch(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    path: &Path,
    branch: Branch,
) -> Result<(), StoreError> {
    let Some(state) = draft.state.as_mut() else { return Ok(()) };
    let old = state.tip().hash;
    for block in &branch.disconnected {
        store::blocks::deactivate(connection, &block.hash(), block.header().height).await?;
        crash_point("reorganisation", "deactivated");
    }
    for (block, connected) in &branch.connected {
        store::blocks::activate(connection, block, &connected.undo, &connected.state_hash).await?;
        state.index.set_state_hash(&block.hash(), connected.state_hash);
        crash_point(place(path), "activated");
    }
    state.index.follow(path);
    accounts::write(&mut state.accounts, branch.changed.iter().copied());
    let new = state.tip().hash;
    let told_before = draft.told.len();
    let returned = return_to_ledger(draft, &branch);
    crash_point(place(path), "returned");
    let (connected, disconnected) = (branch.connected.len(), branch.disconnected.len());
    if disconnected > 0
        && let Some(state) = &draft.state
    {
        let reorg = told::reorg(&old, state.tip(), connected, disconnected, returned);
        draft.tell_at(told_before, &reorg);
    }
    draft.accounts(branch.changed);
    draft.events.push(Event::Tip { old, new, disconnected, returned });
    Ok(())
}

/// Brings the ledger in step with a new branch: what it confirms leaves, what the losing one had confirmed comes back and
/// is checked again. Returns how many came back.
fn return_to_ledger(draft: &mut Draft, branch: &Branch) -> usize {
    let Some(mut state) = draft.state.take() else { return 0 };
    let now = Timestamp::new(draft.now).unwrap_or(Timestamp::MAX);
    for (block, _) in &branch.connected {
        for transaction in block.transactions() {
            draft.confirmed(transaction, block.header().height);
            if state.ledger.remove(&transaction.id()).is_some() {
                // What was pending here is in the owner's mail since then.
                draft.leaves_ledger(transaction.id());
            } else {
                draft.mail(&Arc::new(transaction.clone()));
            }
        }
    }
    // Pending transactions first make way for what is confirmed now, or can no longer be paid.
    let mut touched: BTreeSet<Address> = branch.changed.iter().map(|(address, _)| *address).collect();
    touched.extend(branch.disconnected.iter().flat_map(|block| block.transactions().iter().map(|one| one.sender())));
    let before: Vec<_> =
        state.ledger.iter().filter(|transaction| touched.contains(&transaction.sender())).cloned().collect();
    for address in &touched {
        let account = state.account(address);
        state.ledger.refresh(address, &account);
    }
    let mut returned = 0;
    for block in branch.disconnected.iter().rev() {
        for transaction in block.transactions() {
            let transaction = Arc::new(transaction.clone());
            let account = state.account(&transaction.sender());
            if transaction.transaction().sequence < account.next_sequence {
                continue;
            }
            let context = super::state::state_context(&state.rules, &state.index, now, true);
            match state.ledger.add(Arc::clone(&transaction), &account, &context) {
                Ok(_) => {
                    draft.pending(&transaction, TransactionStep::Returned, false);
                    returned += 1;
                }
                Err(error) => {
                    tracing::info!(id = %transaction.id(), %error, "a transaction of a losing block is not taken again");
                    draft.not_pending(&transaction, TransactionStep::Dropped);
                }
            }
        }
    }
    for transaction in before {
        if state.ledger.get(&transaction.id()).is_none() {
            draft.not_pending(&transaction, TransactionStep::Dropped);
        }
    }
    for expired in state.ledger.expire(state.next_height(), now) {
        draft.not_pending(&expired, TransactionStep::Expired);
    }
    draft.state = Some(state);
    returned
}
