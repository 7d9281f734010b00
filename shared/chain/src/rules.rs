//! The rules of consensus, one function each, in the order in which PROTOCOL.md lists them.
//!
//! [`check_header`] and [`check_body`] need no accounts and run before anything is remembered about a block;
//! [`connect_block`] checks what depends on the state, and applies the block. [`check_block`] is all of them. For each
//! there is a twin that explains: it calls the same functions, and tells of each rule how it fares.

mod body;
mod error;
mod header;
pub(crate) mod rule;
mod state;
mod transaction;

pub use body::{check_body, explain_body};
pub use error::{BlockError, Sides, TransactionError};
pub use header::{MAX_TIME_AHEAD, Parent, check_header, check_work, explain_header, time_is_not_ahead};
use rule::Finding;
pub use rule::{Broken, Explanation, Step, Verdict};
pub use state::{Connected, connect_block, explain_state, leave_state_out};
pub use transaction::{check_message, check_transaction, explain_transaction};

use crate::{
    accounts::Overlay,
    block::{Block, Checked, Unchecked},
    hash::{LeafHash, NetworkId, StateHash},
    message::SealedMessage,
    parameters::Parameters,
    time::Timestamp,
    transaction::SignedTransaction,
};

/// What a network's rules depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The network's id.
    pub network: NetworkId,
    /// The network's parameters.
    pub parameters: Parameters,
}

/// Checks a block by every rule, on top of its parent and the accounts after it.
///
/// `verified` tells of a leaf whether its signature has been verified before.
///
/// # Errors
/// The first rule that the block breaks.
pub fn check_block(
    block: Block<Unchecked>,
    parent: &Parent,
    overlay: &mut Overlay<'_>,
    state_before: &StateHash,
    rules: &Rules,
    now: Timestamp,
    verified: impl Fn(&LeafHash) -> bool,
) -> Result<(Block<Checked>, Connected), BlockError> {
    check_header(block.header(), parent, rules, now)?;
    check_body(&block, rules)?;
    check_signatures(&block, rules, verified)?;
    let connected = connect_block(&block, overlay, state_before, rules)?;
    Ok((block.assume_checked(), connected))
}

/// Checks the signatures of all transactions whose leaf has not been verified before.
///
/// # Errors
/// [`BlockError::Transaction`] for the first that does not verify.
pub fn check_signatures<State>(
    block: &Block<State>,
    rules: &Rules,
    verified: impl Fn(&LeafHash) -> bool,
) -> Result<(), BlockError> {
    for (position, transaction) in block.transactions().iter().enumerate() {
        if !verified(&transaction.leaf()) {
            transaction
                .verify(&rules.network)
                .map_err(|error| BlockError::Transaction { position, error: TransactionError::Signature(error) })?;
        }
    }
    Ok(())
}

/// Tells how [`check_signatures`] fares, every signature being verified anew.
pub fn explain_signatures<State>(block: &Block<State>, rules: &Rules, explanation: &mut Explanation) {
    explanation.group(&["bad_signature"], || check_signatures(block, rules, |_| false));
}

/// Tells of what is checked first when a transaction arrives, before the ledger's rules and policies: whether the message that
/// came along is its own, which is policy since a block needs none, and whether its signature holds.
pub fn explain_arrival(
    transaction: &SignedTransaction,
    message: Option<&SealedMessage>,
    rules: &Rules,
    explanation: &mut Explanation,
) {
    let finding = |result: Result<(), TransactionError>| result.map_or_else(Finding::Broken, |()| Finding::HoldsForAll);
    explanation.policy("wrong_message", || {
        finding(message.map_or(Ok(()), |message| check_message(transaction, message, rules)))
    });
    explanation
        .rule("bad_signature", || finding(transaction.verify(&rules.network).map_err(TransactionError::Signature)));
}
