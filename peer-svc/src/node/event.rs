//! What happened in the node, for whoever listens.

use std::sync::Arc;

use raclette_chain::{
    address::Address,
    block::{Block, Checked},
    hash::BlockHash,
    message::SealedMessage,
    transaction::SignedTransaction,
};
use raclette_service::request_id::RequestId;

/// Where a transaction or a block came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The owner, this peer's miner, or somebody who is no member.
    Local,
    /// A member that says so of itself: a hint about who has it already, nothing more.
    Member(Address),
}

/// Something that is now stored.
#[derive(Debug, Clone)]
pub enum Event {
    /// A transaction came into the ledger.
    Transaction {
        /// The transaction.
        transaction: Arc<SignedTransaction>,
        /// Its message, if it came along.
        message: Option<Arc<SealedMessage>>,
        /// Where it came from.
        origin: Origin,
        /// Whether this peer has to send it to the others.
        relay: bool,
        /// The request that brought it or had it made, if there was one.
        request: Option<RequestId>,
    },
    /// A block is stored, on whatever branch.
    Block {
        /// The block.
        block: Arc<Block<Checked>>,
        /// Where it came from.
        origin: Origin,
        /// Whether this peer has to send it to the others.
        relay: bool,
        /// The request that brought it or had it mined, if there was one.
        request: Option<RequestId>,
    },
    /// There is a new tip.
    Tip {
        /// The tip before.
        old: BlockHash,
        /// The new one.
        new: BlockHash,
        /// How many blocks had to be taken off.
        disconnected: usize,
        /// How many transactions went back into the ledger.
        returned: usize,
    },
    /// A transaction for the owner has arrived.
    Received {
        /// The transaction.
        transaction: Arc<SignedTransaction>,
    },
    /// Rows were put into the queue of failed requests.
    Queued,
    /// The recipient's peer has a transaction of the owner.
    Delivered {
        /// The transaction.
        id: raclette_chain::hash::TransactionId,
    },
}
