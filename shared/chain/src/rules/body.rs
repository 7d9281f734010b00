//! Rules about a block's body that need no accounts.

use std::collections::HashSet;

use crate::{
    block::{Block, merkle_root},
    parameters::Parameters,
    rules::{BlockError, Rules, check_transaction},
};

/// Checks that the body is the one its header commits to, and that it keeps what needs no accounts and no signatures.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_body<State>(block: &Block<State>, rules: &Rules) -> Result<(), BlockError> {
    // First, so that no other verdict about a mutated copy can ever be taken for one about the block itself.
    body_is_the_committed_one(block, rules)?;
    transactions_are_not_too_many(block, &rules.parameters)?;
    size_is_within_limit(block, &rules.parameters)?;
    transactions_are_distinct(block)?;
    transactions_are_well_formed(block, &rules.parameters)
}

fn body_is_the_committed_one<State>(block: &Block<State>, rules: &Rules) -> Result<(), BlockError> {
    let expected = block.header().merkle_root;
    let found = merkle_root(block.header(), block.reward(), block.transactions(), &rules.network);
    if found == expected { Ok(()) } else { Err(BlockError::WrongMerkleRoot { expected, found }) }
}

fn transactions_are_not_too_many<State>(block: &Block<State>, parameters: &Parameters) -> Result<(), BlockError> {
    let (limit, found) = (parameters.max_block_transactions, block.transactions().len());
    if found <= limit as usize { Ok(()) } else { Err(BlockError::TooManyTransactions { limit, found }) }
}

fn size_is_within_limit<State>(block: &Block<State>, parameters: &Parameters) -> Result<(), BlockError> {
    let (limit, found) = (parameters.max_block_bytes, block.size());
    if found <= limit as usize { Ok(()) } else { Err(BlockError::TooLarge { limit, found }) }
}

fn transactions_are_distinct<State>(block: &Block<State>) -> Result<(), BlockError> {
    let mut seen = HashSet::with_capacity(block.transactions().len());
    for (position, transaction) in block.transactions().iter().enumerate() {
        if !seen.insert(transaction.id()) {
            return Err(BlockError::DuplicateTransaction { id: transaction.id(), position });
        }
    }
    Ok(())
}

fn transactions_are_well_formed<State>(block: &Block<State>, parameters: &Parameters) -> Result<(), BlockError> {
    for (position, transaction) in block.transactions().iter().enumerate() {
        check_transaction(transaction.transaction(), block.header().height, parameters)
            .map_err(|error| BlockError::Transaction { position, error })?;
    }
    Ok(())
}
