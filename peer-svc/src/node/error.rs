//! What can go wrong in the node, without any word of HTTP.

use raclette_chain::{
    amount::Amount,
    hash::{BlockHash, TransactionId},
    ledger::LedgerError,
    message::SealError,
    rules::{BlockError, TransactionError},
};

use crate::store::StoreError;

/// Why the node did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NodeError {
    /// It does not belong to a network yet, or is still fetching the history.
    #[error("this peer is not ready: it waits for {waiting_for}")]
    NotReady {
        /// What it waits for.
        waiting_for: &'static str,
    },
    /// The tracker's request to look for a member is not for this peer, or not for now.
    #[error("the request to look for a member is refused: {reason}")]
    ProbeRefused {
        /// Why.
        reason: String,
    },
    /// It is about to stop.
    #[error("this peer is shutting down")]
    ShuttingDown,
    /// The disk is full; reading goes on.
    #[error("the disk is full: nothing can be stored until there is room")]
    StorageFull,
    /// The database failed; the reason is for the log.
    #[error("the database failed: {0}")]
    Storage(String),
    /// The file is not what this peer wrote.
    #[error("{0}")]
    Damaged(String),
    /// The block is not valid.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// The block was found invalid before, or stands on one that was.
    #[error("block {hash} was refused before, or stands on a block that was")]
    KnownInvalid {
        /// The block.
        hash: BlockHash,
    },
    /// The ledger does not take the transaction.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// The owner has not the money.
    #[error(
        "expected a confirmed balance of at least {needed}, found {confirmed} confirmed, of which {pending_out} is \
         already on its way out; {pending_in} is on its way in"
    )]
    InsufficientFunds {
        /// Amount and fee.
        needed: Amount,
        /// What the chain says.
        confirmed: Amount,
        /// What is pending and leaves.
        pending_out: Amount,
        /// What is pending and will come.
        pending_in: Amount,
    },
    /// Only the peers of a transaction's sender and recipient have its receipt, and the sender's only when it has come.
    #[error("there is no receipt of transaction {id} here: its recipient's peer gives it, and its sender's keeps it")]
    NoReceipt {
        /// The transaction.
        id: TransactionId,
    },
    /// The transaction has come, and its message has not.
    #[error("the message of transaction {id} has not come yet")]
    MessageMissing {
        /// The transaction.
        id: TransactionId,
    },
    /// Nobody here knows this name.
    #[error("no member is called {name:?}")]
    UnknownRecipient {
        /// The name.
        name: String,
    },
    /// A message needs the recipient's key, and only members' keys are known.
    #[error("the key of {address} is not known, so no message can be sealed for it")]
    RecipientKeyUnknown {
        /// The recipient.
        address: String,
    },
    /// A transaction names its sender's key, and only members' keys are known.
    #[error("the key of {sender} is not known here")]
    SenderKeyUnknown {
        /// The sender.
        sender: String,
    },
    /// The message cannot be sealed.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// No such transaction.
    #[error("no transaction {id} is known here")]
    UnknownTransaction {
        /// Its id.
        id: TransactionId,
    },
    /// The key stands for another request.
    #[error("the key {key:?} came with another request before")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The first request with this key is still under way.
    #[error("a request with the key {key:?} is being answered")]
    KeyInUse {
        /// The key.
        key: String,
    },
    /// The genesis block is another network's.
    #[error("this peer belongs to network {ours}, the tracker's is {theirs}")]
    OtherNetwork {
        /// Ours.
        ours: String,
        /// The other.
        theirs: String,
    },
}

impl From<TransactionError> for NodeError {
    fn from(error: TransactionError) -> Self {
        Self::Ledger(LedgerError::Rule(error))
    }
}

impl From<StoreError> for NodeError {
    fn from(error: StoreError) -> Self {
        if error.is_full() {
            Self::StorageFull
        } else if error.is_damaged() {
            Self::Damaged(error.to_string())
        } else {
            Self::Storage(error.to_string())
        }
    }
}

impl From<sqlx::Error> for NodeError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}
