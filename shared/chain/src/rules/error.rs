//! What a rule says when it is broken: a stable code, and both sides of the comparison.

use crate::{
    amount::Amount,
    hash::{BlockHash, MerkleRoot, TransactionId},
    keys::SignatureError,
    target::CompactTarget,
    time::Timestamp,
};

/// Why a transaction can stand in no block, or not in this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Amount and fee together pass the largest amount.
    #[error("expected amount + fee of at most {}, found {amount} + {fee}", Amount::MAX)]
    CostTooLarge {
        /// The amount.
        amount: Amount,
        /// The fee.
        fee: Amount,
    },
    /// The fee is below the network's minimum.
    #[error("expected a fee of at least {minimum}, found {found}")]
    FeeTooLow {
        /// The network's minimum.
        minimum: Amount,
        /// The fee.
        found: Amount,
    },
    /// The last height at which it is valid has passed.
    #[error("expected a last valid height of 0 or at least {height}, found {valid_until}")]
    Expired {
        /// The height of the block.
        height: u32,
        /// The transaction's last height.
        valid_until: u32,
    },
    /// Digest and length of the message contradict each other: zeros go with 0 only.
    #[error("expected a message digest of zeros with a length of 0, and no other; found length {length}")]
    MessageContradiction {
        /// The signed length.
        length: u32,
    },
    /// The signed length of the message is above the network's limit.
    #[error("expected a sealed message of at most {limit} bytes, found {found}")]
    MessageTooLong {
        /// The network's limit.
        limit: u32,
        /// The signed length.
        found: u32,
    },
    /// The message that came along is not the one that was signed.
    #[error("the sealed message is not the one that the transaction commits to: {reason}")]
    WrongMessage {
        /// What differs.
        reason: &'static str,
    },
    /// The signature does not hold.
    #[error(transparent)]
    Signature(SignatureError),
    /// The sequence number is not the sender's next one.
    #[error("expected sequence number {expected}, found {found}")]
    WrongSequence {
        /// The sender's next sequence number.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// The sender has not enough.
    #[error("expected a balance of at least {cost} (amount and fee), found {balance}")]
    InsufficientFunds {
        /// Amount and fee.
        cost: Amount,
        /// What the sender has.
        balance: Amount,
    },
}

impl TransactionError {
    /// A name for this error that never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CostTooLarge { .. } => "cost_too_large",
            Self::FeeTooLow { .. } => "fee_too_low",
            Self::Expired { .. } => "expired",
            Self::MessageContradiction { .. } => "message_contradiction",
            Self::MessageTooLong { .. } => "message_too_long",
            Self::WrongMessage { .. } => "wrong_message",
            Self::Signature(_) => "bad_signature",
            Self::WrongSequence { .. } => "wrong_sequence",
            Self::InsufficientFunds { .. } => "insufficient_funds",
        }
    }
}

/// Why a block is not valid, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Another version of blocks.
    #[error("expected block version {expected}, found {found}")]
    UnknownVersion {
        /// The version this code knows.
        expected: u32,
        /// The block's.
        found: u32,
    },
    /// It does not name the parent it was checked against.
    #[error("expected previous block {expected}, found {found}")]
    WrongPrevious {
        /// The parent's hash.
        expected: BlockHash,
        /// The header's.
        found: BlockHash,
    },
    /// Its height is not one above its parent's.
    #[error("expected height {expected}, found {found}")]
    WrongHeight {
        /// One above the parent.
        expected: u32,
        /// The header's.
        found: u32,
    },
    /// Its time is not above the median of the last eleven blocks.
    #[error("expected a time above {median}, the median of the last 11 blocks, found {found}")]
    TimeTooOld {
        /// The median.
        median: Timestamp,
        /// The header's.
        found: Timestamp,
    },
    /// Its time is too far ahead of now. Not invalid: it may become good.
    #[error("expected a time of at most {latest}, two minutes ahead of now, found {found}")]
    TimeTooNew {
        /// The latest time accepted now.
        latest: Timestamp,
        /// The header's.
        found: Timestamp,
    },
    /// Its target is not the one that follows from its parent and its time.
    #[error("expected target {expected}, found {found}")]
    WrongTarget {
        /// What follows.
        expected: CompactTarget,
        /// The header's.
        found: CompactTarget,
    },
    /// Its hash is above its target.
    #[error("expected a hash of at most {target}, found {hash}")]
    NotEnoughWork {
        /// The target, in hex.
        target: String,
        /// The block's hash.
        hash: BlockHash,
    },
    /// Too many transactions.
    #[error("expected at most {limit} transactions, found {found}")]
    TooManyTransactions {
        /// The network's limit.
        limit: u32,
        /// The number found.
        found: usize,
    },
    /// Too many bytes.
    #[error("expected a block of at most {limit} bytes, found {found}")]
    TooLarge {
        /// The network's limit.
        limit: u32,
        /// The size found.
        found: usize,
    },
    /// The transactions are not the ones that the header commits to. The header's block may still be good.
    #[error("expected Merkle root {expected}, found {found} over the transactions that came with it")]
    WrongMerkleRoot {
        /// The header's.
        expected: MerkleRoot,
        /// What the transactions give.
        found: MerkleRoot,
    },
    /// A transaction stands in it twice.
    #[error("expected every transaction once, found {id} again at position {position}")]
    DuplicateTransaction {
        /// The transaction.
        id: TransactionId,
        /// Where it stands for the second time, the first transaction behind the reward being 0.
        position: usize,
    },
    /// A transaction breaks a rule.
    #[error("transaction {position}: {error}")]
    Transaction {
        /// Where it stands, the first transaction behind the reward being 0.
        position: usize,
        /// Which rule, and how.
        error: TransactionError,
    },
    /// The reward is not exactly subsidy and fees.
    #[error("expected a reward of {expected} (subsidy and fees), found {found}")]
    WrongReward {
        /// Subsidy and fees.
        expected: Amount,
        /// The block's.
        found: Amount,
    },
    /// Adding up passes the largest amount.
    #[error("expected sums of at most {}, found more", Amount::MAX)]
    Overflow,
}

impl BlockError {
    /// A name for this error that never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownVersion { .. } => "unknown_version",
            Self::WrongPrevious { .. } => "wrong_previous",
            Self::WrongHeight { .. } => "wrong_height",
            Self::TimeTooOld { .. } => "time_too_old",
            Self::TimeTooNew { .. } => "time_too_new",
            Self::WrongTarget { .. } => "wrong_target",
            Self::NotEnoughWork { .. } => "not_enough_work",
            Self::TooManyTransactions { .. } => "too_many_transactions",
            Self::TooLarge { .. } => "too_large",
            Self::WrongMerkleRoot { .. } => "wrong_merkle_root",
            Self::DuplicateTransaction { .. } => "duplicate_transaction",
            Self::Transaction { error, .. } => error.code(),
            Self::WrongReward { .. } => "wrong_reward",
            Self::Overflow => "overflow",
        }
    }

    /// Whether the header alone condemns the block, for ever. Only such a verdict may be remembered under the block's
    /// hash without knowing that the body was the one the header commits to.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::TimeTooNew { .. } | Self::WrongMerkleRoot { .. })
    }
}
