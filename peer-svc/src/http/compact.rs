//! Putting a block together from what came and what the ledger has.

use std::collections::HashMap;

use raclette_api::{ApiError, block::BlockMessage};
use raclette_chain::{
    block::{Block, merkle_root},
    hash::{LeafHash, NetworkId},
    ledger::Ledger,
    message::SealedMessage,
    transaction::SignedTransaction,
};

/// A block that came, as far as it can be put together.
#[derive(Debug)]
pub(super) enum Rebuilt {
    /// All of it is there; the messages are those that came along.
    Whole {
        /// The block. Nothing about it has been checked.
        block: Block,
        /// Messages of its transactions.
        messages: Vec<(SignedTransaction, SealedMessage)>,
    },
    /// These transactions have to be sent along.
    Missing(Vec<LeafHash>),
}

/// Puts a block together. A compact one takes from the ledger what did not come with it.
///
/// # Errors
/// The first member that is malformed.
pub(super) fn rebuild(message: &BlockMessage, ledger: &Ledger, network: &NetworkId) -> Result<Rebuilt, ApiError> {
    let header = message.header()?;
    let reward = message.reward(network)?;
    let leaves = message.leaves()?;
    let came = message.transactions(network)?;
    let Some(leaves) = leaves else {
        let messages = with_messages(&came);
        let transactions = came.into_iter().map(|(transaction, _)| transaction).collect();
        return Ok(Rebuilt::Whole { block: Block::new(header, reward, transactions), messages });
    };
    let by_leaf: HashMap<LeafHash, &SignedTransaction> =
        came.iter().map(|(transaction, _)| (transaction.leaf(), transaction)).collect();
    let mut transactions = Vec::with_capacity(leaves.len().min(ledger.len() + came.len()));
    let mut missing = Vec::new();
    let mut from_ledger = false;
    for leaf in &leaves {
        if let Some(transaction) = by_leaf.get(leaf) {
            transactions.push((*transaction).clone());
        } else if let Some(transaction) = ledger.by_leaf(leaf) {
            from_ledger = true;
            transactions.push(SignedTransaction::clone(transaction));
        } else {
            missing.push(*leaf);
        }
    }
    if !missing.is_empty() {
        return Ok(Rebuilt::Missing(missing));
    }
    // A root that does not match says nothing against the block as long as a part of it was only guessed.
    if from_ledger && merkle_root(&header, &reward, &transactions, network) != header.merkle_root {
        return Ok(Rebuilt::Missing(leaves));
    }
    Ok(Rebuilt::Whole { block: Block::new(header, reward, transactions), messages: with_messages(&came) })
}

/// Those that came with their message: few, so that it does no harm to copy them.
fn with_messages(came: &[(SignedTransaction, Option<SealedMessage>)]) -> Vec<(SignedTransaction, SealedMessage)> {
    came.iter().filter_map(|(transaction, message)| Some((transaction.clone(), message.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use raclette_api::{example, network::GenesisMessage};
    use raclette_chain::{
        accounts::Account, amount::Amount, genesis::Genesis, ledger::Context, parameters::Parameters, time::Timestamp,
    };
    use std::sync::Arc;

    fn network() -> NetworkId {
        let genesis: GenesisMessage = serde_json::from_value(example::of::<GenesisMessage>()).unwrap();
        Genesis::try_from(&genesis).unwrap().network()
    }

    /// The block of the examples, which has one transaction.
    fn block() -> Block {
        let message: BlockMessage = serde_json::from_value(example::of::<BlockMessage>()).unwrap();
        message.decode(&network()).unwrap().0
    }

    fn ledger_with(transaction: &SignedTransaction) -> Ledger {
        let mut ledger = Ledger::default();
        let account = Account { balance: Amount::new(50).unwrap(), next_sequence: 0 };
        let created: Timestamp = transaction.transaction().created;
        let context = Context { parameters: &Parameters::default(), next_height: 2, now: created, registered: true };
        ledger.add(Arc::new(transaction.clone()), &account, &context).unwrap();
        ledger
    }

    #[test]
    fn what_neither_came_nor_waits_in_the_ledger_is_asked_for() {
        let compact = BlockMessage::compact(&block(), &network());
        let Rebuilt::Missing(missing) = rebuild(&compact, &Ledger::default(), &network()).unwrap() else {
            panic!("the transaction is nowhere");
        };
        assert_eq!(missing, [block().transactions()[0].leaf()]);
    }

    #[test]
    fn a_compact_block_is_completed_from_the_ledger_or_from_what_came() {
        let compact = BlockMessage::compact(&block(), &network());
        let ledger = ledger_with(&block().transactions()[0]);
        let completed =
            BlockMessage { transactions: BlockMessage::full(&block(), &network()).transactions, ..compact.clone() };
        for (message, ledger) in [(&compact, &ledger), (&completed, &Ledger::default())] {
            let Rebuilt::Whole { block: rebuilt, .. } = rebuild(message, ledger, &network()).unwrap() else {
                panic!("everything is there");
            };
            assert_eq!(rebuilt, block());
        }
    }

    #[test]
    fn a_root_that_does_not_match_what_was_guessed_asks_for_everything() {
        let mut compact = BlockMessage::compact(&block(), &network());
        compact.reward.as_mut().unwrap().amount += 1;
        compact.reward.as_mut().unwrap().id = None;
        let ledger = ledger_with(&block().transactions()[0]);
        assert!(matches!(rebuild(&compact, &ledger, &network()), Ok(Rebuilt::Missing(all)) if all.len() == 1));
        compact.transactions = BlockMessage::full(&block(), &network()).transactions;
        assert!(matches!(rebuild(&compact, &ledger, &network()), Ok(Rebuilt::Whole { .. })), "now the rules decide");
    }
}
