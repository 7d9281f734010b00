//! Rules that depend on the accounts, checked while a block is applied to them.

use crate::{
    accounts::{Account, Changes, Overlay, Recorder, Undo, state_hash},
    amount::Amount,
    block::Block,
    hash::StateHash,
    rules::{BlockError, Explanation, Rules, TransactionError},
    transaction::SignedTransaction,
};

/// What a block did to the accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// What takes it off again.
    pub undo: Undo,
    /// The accounts it changed, as they are now.
    pub changes: Changes,
    /// The state hash after it.
    pub state_hash: StateHash,
}

/// The codes of everything that [`connect_block`] checks, in the order in which PROTOCOL.md lists them.
const CODES: [&str; 4] = ["wrong_sequence", "insufficient_funds", "overflow", "wrong_reward"];

/// Tells of every rule of [`connect_block`] how it fares, by applying the block to the overlay.
pub fn explain_state<State>(
    block: &Block<State>,
    overlay: &mut Overlay<'_>,
    before: &StateHash,
    rules: &Rules,
    explanation: &mut Explanation,
) {
    explanation.group(&CODES, || connect_block(block, overlay, before, rules).map(drop));
}

/// Notes the rules of [`connect_block`] as not reached: the accounts after the parent are not known.
pub fn leave_state_out(explanation: &mut Explanation) {
    explanation.not_reached(&CODES);
}

/// Applies a block to the accounts after its parent: every transaction in order, and the reward last.
///
/// On an error the overlay is left somewhere in the middle and must be dropped.
///
/// # Errors
/// The first rule that the block breaks.
pub fn connect_block<State>(
    block: &Block<State>,
    overlay: &mut Overlay<'_>,
    before: &StateHash,
    rules: &Rules,
) -> Result<Connected, BlockError> {
    let mut recorder = Recorder::default();
    let mut fees = Amount::ZERO;
    for (position, transaction) in block.transactions().iter().enumerate() {
        sequence_is_next(transaction, overlay)
            .and_then(|()| balance_covers_cost(transaction, overlay))
            .map_err(|error| BlockError::Transaction { position, error })?;
        transfer(transaction, overlay, &mut recorder)?;
        fees = fees.checked_add(transaction.transaction().fee).ok_or(BlockError::Overflow)?;
    }
    reward_is_subsidy_and_fees(block, fees, rules)?;
    let miner = block.reward().miner;
    credit(miner, block.reward().amount, overlay, &mut recorder)?;
    let (undo, changes) = recorder.finish(overlay);
    let state_hash = state_hash(&rules.network, before, &block.hash(), &changes);
    Ok(Connected { undo, changes, state_hash })
}

fn sequence_is_next(transaction: &SignedTransaction, overlay: &Overlay<'_>) -> Result<(), TransactionError> {
    let expected = overlay.get(&transaction.sender()).next_sequence;
    let found = transaction.transaction().sequence;
    if found == expected { Ok(()) } else { Err(TransactionError::WrongSequence { expected, found }) }
}

fn balance_covers_cost(transaction: &SignedTransaction, overlay: &Overlay<'_>) -> Result<(), TransactionError> {
    let balance = overlay.get(&transaction.sender()).balance;
    let content = transaction.transaction();
    let cost = transaction.cost().ok_or(TransactionError::CostTooLarge { amount: content.amount, fee: content.fee })?;
    if cost <= balance { Ok(()) } else { Err(TransactionError::InsufficientFunds { cost, balance }) }
}

fn reward_is_subsidy_and_fees<State>(block: &Block<State>, fees: Amount, rules: &Rules) -> Result<(), BlockError> {
    let subsidy = rules.parameters.subsidy(block.header().height);
    let expected = subsidy.checked_add(fees).ok_or(BlockError::Overflow)?;
    let found = block.reward().amount;
    if found == expected { Ok(()) } else { Err(BlockError::WrongReward { expected, found }) }
}

/// Moves the money of a transaction that has passed the rules above. The fee waits for the reward.
fn transfer(
    transaction: &SignedTransaction,
    overlay: &mut Overlay<'_>,
    recorder: &mut Recorder,
) -> Result<(), BlockError> {
    let sender = transaction.sender();
    let account = overlay.get(&sender);
    recorder.before(sender, account);
    let cost = transaction.cost().ok_or(BlockError::Overflow)?;
    let balance = account.balance.checked_sub(cost).ok_or(BlockError::Overflow)?;
    let next_sequence = account.next_sequence.checked_add(1).ok_or(BlockError::Overflow)?;
    overlay.set(sender, Account { balance, next_sequence });
    credit(transaction.transaction().recipient, transaction.transaction().amount, overlay, recorder)
}

fn credit(
    address: crate::address::Address,
    amount: Amount,
    overlay: &mut Overlay<'_>,
    recorder: &mut Recorder,
) -> Result<(), BlockError> {
    let account = overlay.get(&address);
    recorder.before(address, account);
    let balance = account.balance.checked_add(amount).ok_or(BlockError::Overflow)?;
    overlay.set(address, Account { balance, ..account });
    Ok(())
}
