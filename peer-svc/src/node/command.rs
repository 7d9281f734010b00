//! What the writer is asked to do, and how its answers wait for the commit.

use std::sync::Arc;

use raclette_api::{event::EventBody, membership::PeerRecord, receipt::Receipt};
use raclette_chain::{
    genesis::Genesis,
    hash::{BlockHash, MessageDigest, TransactionId},
    message::SealedMessage,
    transaction::SignedTransaction,
};
use raclette_service::{queue::QueueChange, request_id::RequestId};
use tokio::sync::oneshot;

use super::{BlockOutcome, KeyChange, Keyed, NodeError, Origin, TransactionOutcome, VerifiedBlock};

/// Where the outcome of a command goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, NodeError>>;

/// A transaction whose signature has been verified.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The transaction.
    pub transaction: Arc<SignedTransaction>,
    /// Its message, if it came along.
    pub message: Option<Arc<SealedMessage>>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether the sender's key is registered.
    pub registered: bool,
    /// Requests that must be in the queue as soon as the transaction is in the ledger.
    pub deliveries: Vec<QueueChange>,
    /// The owner's transaction in whose place this one was signed.
    pub replaces: Option<TransactionId>,
    /// The owner's request that it comes of, if that carries a key: noted in the same commit.
    pub keyed: Option<Keyed>,
}

/// Something to be written.
#[derive(Debug)]
pub enum Command {
    /// This peer belongs to the network that begins with this genesis block.
    Found(Box<Genesis>, Answer<()>),
    /// Transactions for the ledger, and the request that they came with; each gets an outcome of its own.
    Offers(Vec<Offer>, Option<RequestId>, Answer<Vec<Result<TransactionOutcome, NodeError>>>),
    /// A block whose body and signatures have been verified, and the request that it came with.
    Block(Box<VerifiedBlock>, Origin, Option<RequestId>, Answer<BlockOutcome>),
    /// What has been sent to everybody, and what has to wait in the queue for somebody.
    Relayed {
        /// Transactions that nobody has to be sent any more.
        transactions: Vec<TransactionId>,
        /// Blocks that nobody has to be sent any more.
        blocks: Vec<BlockHash>,
        /// Changes of the queue in the same commit.
        queue: Vec<QueueChange>,
        /// Told when it is committed.
        answer: Answer<()>,
    },
    /// Changes of the queue; the number of rows that each changed.
    Queue(Vec<QueueChange>, Answer<Vec<u64>>),
    /// The recipient's peer has a transaction of the owner.
    Delivered(TransactionId, Vec<QueueChange>, Answer<()>),
    /// The recipient's receipt of a transaction of the owner, verified.
    Receipted(TransactionId, Box<Receipt>, Answer<()>),
    /// A message that came without its transaction.
    Message(MessageDigest, Arc<SealedMessage>, Answer<()>),
    /// Takes out of the ledger what has expired; how many left.
    Expire(Answer<usize>),
    /// The owner's transaction with this sequence number is not offered again.
    WaitNoMore(u64, Answer<()>),
    /// What is known of members now, and what that changes in the queue.
    Members(Vec<PeerRecord>, Vec<QueueChange>, Answer<()>),
    /// What is known about the key of a request.
    Key(KeyChange, Answer<()>),
    /// A single value.
    Meta(&'static str, String, Answer<()>),
    /// An event of which nothing else is stored.
    Tell(Box<EventBody>, Answer<()>),
}

/// Gives an answer, or the failure of the whole batch in its place.
type Deliver = Box<dyn FnOnce(Option<&NodeError>) + Send>;

/// An answer that waits for the commit.
pub(super) struct Reply {
    deliver: Deliver,
}

impl Reply {
    pub(super) fn new<T: Send + 'static>(answer: Answer<T>, outcome: Result<T, NodeError>) -> Self {
        // Whoever asked may have gone away meanwhile; what was done stays done.
        let deliver = move |failure: Option<&NodeError>| {
            let _ = answer.send(failure.cloned().map_or(outcome, Err));
        };
        Self { deliver: Box::new(deliver) }
    }

    pub(super) fn deliver(self) {
        (self.deliver)(None);
    }

    pub(super) fn fail(self, error: &NodeError) {
        (self.deliver)(Some(error));
    }
}

/// Replies for commands that were not executed; the failure of the batch is delivered to them.
pub(super) fn refuse_all(batch: Vec<Command>) -> Vec<Reply> {
    batch
        .into_iter()
        .map(|command| match command {
            Command::Found(_, answer)
            | Command::Relayed { answer, .. }
            | Command::Delivered(_, _, answer)
            | Command::Receipted(_, _, answer)
            | Command::Message(_, _, answer)
            | Command::WaitNoMore(_, answer)
            | Command::Members(_, _, answer)
            | Command::Key(_, answer)
            | Command::Meta(_, _, answer)
            | Command::Tell(_, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Offers(_, _, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Block(_, _, _, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Expire(answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Queue(_, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
        })
        .collect()
}
