//! Rules about a block's body that need no accounts.

use std::collections::HashSet;

use crate::{
    block::{Block, merkle_root},
    parameters::Parameters,
    rules::{
        BlockError, Explanation, Rules, check_transaction,
        rule::{Finding, Rule},
        transaction,
    },
};

type BodyRule<State> = Rule<fn(&Block<State>, &Rules) -> Finding<BlockError>>;

/// The rules about a body as a whole, in order.
fn body_rules<State>() -> [BodyRule<State>; 4] {
    [
        // First, so that no other verdict about a mutated copy can ever be taken for one about the block itself.
        Rule { code: "wrong_merkle_root", check: body_is_the_committed_one },
        Rule { code: "too_many_transactions", check: transactions_are_not_too_many },
        Rule { code: "too_large", check: size_is_within_limit },
        Rule { code: "duplicate_transaction", check: transactions_are_distinct },
    ]
}

/// Checks that the body is the one its header commits to, and that it keeps what needs no accounts and no signatures.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_body<State>(block: &Block<State>, rules: &Rules) -> Result<(), BlockError> {
    body_rules().iter().try_for_each(|rule| (rule.check)(block, rules).result())?;
    transactions_are_well_formed(block, &rules.parameters)
}

/// Tells of every rule of [`check_body`] how it fares.
pub fn explain_body<State>(block: &Block<State>, rules: &Rules, explanation: &mut Explanation) {
    for rule in body_rules() {
        explanation.rule(rule.code, || (rule.check)(block, rules));
    }
    let codes: Vec<_> = transaction::RULES.iter().map(|rule| rule.code).collect();
    explanation.group(&codes, || transactions_are_well_formed(block, &rules.parameters));
}

fn body_is_the_committed_one<State>(block: &Block<State>, rules: &Rules) -> Finding<BlockError> {
    let expected = block.header().merkle_root;
    let found = merkle_root(block.header(), block.reward(), block.transactions(), &rules.network);
    Finding::new(found == expected, BlockError::WrongMerkleRoot { expected, found })
}

fn transactions_are_not_too_many<State>(block: &Block<State>, rules: &Rules) -> Finding<BlockError> {
    let (limit, found) = (rules.parameters.max_block_transactions, block.transactions().len());
    Finding::new(found <= limit as usize, BlockError::TooManyTransactions { limit, found })
}

fn size_is_within_limit<State>(block: &Block<State>, rules: &Rules) -> Finding<BlockError> {
    let (limit, found) = (rules.parameters.max_block_bytes, block.size());
    Finding::new(found <= limit as usize, BlockError::TooLarge { limit, found })
}

fn transactions_are_distinct<State>(block: &Block<State>, _: &Rules) -> Finding<BlockError> {
    let mut seen = HashSet::with_capacity(block.transactions().len());
    let again = block.transactions().iter().enumerate().find(|(_, transaction)| !seen.insert(transaction.id()));
    match again {
        None => Finding::HoldsForAll,
        Some((position, transaction)) => {
            Finding::Broken(BlockError::DuplicateTransaction { id: transaction.id(), position })
        }
    }
}

fn transactions_are_well_formed<State>(block: &Block<State>, parameters: &Parameters) -> Result<(), BlockError> {
    for (position, transaction) in block.transactions().iter().enumerate() {
        check_transaction(transaction.transaction(), block.header().height, parameters)
            .map_err(|error| BlockError::Transaction { position, error })?;
    }
    Ok(())
}
