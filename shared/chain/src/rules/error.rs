//! What a rule says when it is broken: a stable code, and both sides of the comparison.

use std::fmt;

use crate::{
    amount::Amount,
    hash::{BlockHash, MerkleRoot, TransactionId},
    keys::SignatureError,
    target::CompactTarget,
    time::Timestamp,
};

/// Both sides of the comparison that a rule makes, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// What the rule demands.
    pub expected: String,
    /// What there was.
    pub found: String,
}

impl Sides {
    pub(crate) fn new(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { expected: expected.to_string(), found: found.to_string() }
    }
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// Why a transaction can stand in no block, or not in this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionError {
    /// Amount and fee together pass the largest amount.
    CostTooLarge {
        /// The amount.
        amount: Amount,
        /// The fee.
        fee: Amount,
    },
    /// The fee is below the network's minimum.
    FeeTooLow {
        /// The network's minimum.
        minimum: Amount,
        /// The fee.
        found: Amount,
    },
    /// The last height at which it is valid has passed.
    Expired {
        /// The height of the block.
        height: u32,
        /// The transaction's last height.
        valid_until: u32,
    },
    /// Digest and length of the message contradict each other: zeros go with 0 only.
    MessageContradiction {
        /// The signed length.
        length: u32,
    },
    /// The signed length of the message is above the network's limit.
    MessageTooLong {
        /// The network's limit.
        limit: u32,
        /// The signed length.
        found: u32,
    },
    /// The message that came along is not the one that was signed.
    WrongMessage {
        /// Of which part.
        what: &'static str,
        /// What the transaction says of it.
        expected: String,
        /// What the message says.
        found: String,
    },
    /// The signature does not hold.
    Signature(SignatureError),
    /// The sequence number is not the sender's next one.
    WrongSequence {
        /// The sender's next sequence number.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// The sender has not enough.
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

impl TransactionError {
    /// Both sides of the comparison.
    #[must_use]
    pub fn sides(&self) -> Sides {
        match self {
            Self::CostTooLarge { amount, fee } => Sides::new(
                format_args!("amount + fee of at most {}", Amount::MAX),
                u128::from(amount.units()) + u128::from(fee.units()),
            ),
            Self::FeeTooLow { minimum, found } => Sides::new(format_args!("a fee of at least {minimum}"), found),
            Self::Expired { height, valid_until } => {
                Sides::new(format_args!("a last valid height of 0 or at least {height}"), valid_until)
            }
            Self::MessageContradiction { length: 0 } => {
                Sides::new("no message digest with a message length of 0", "a digest")
            }
            Self::MessageContradiction { length } => {
                Sides::new(format_args!("a message digest with a message length of {length}"), "none")
            }
            Self::MessageTooLong { limit, found } => {
                Sides::new(format_args!("a sealed message of at most {limit} bytes"), found)
            }
            Self::WrongMessage { what, expected, found } => {
                Sides::new(format_args!("a sealed message with {what} {expected}, as the transaction says"), found)
            }
            Self::Signature(SignatureError::WrongLength { expected, found }) => {
                Sides::new(format_args!("a signature of {expected} bytes, as the sender's key has"), found)
            }
            Self::Signature(SignatureError::NotBelowModulus) => {
                Sides::new("a signature that is, as a number, below the modulus of the sender's key", "one that is not")
            }
            Self::Signature(SignatureError::DoesNotVerify) => Sides::new(
                "a signature of the sender's key over these bytes (RSASSA-PSS, SHA-256, salt of 32 bytes)",
                "one that is not",
            ),
            Self::WrongSequence { expected, found } => Sides::new(format_args!("sequence number {expected}"), found),
            Self::InsufficientFunds { cost, balance } => {
                Sides::new(format_args!("a balance of at least {cost} (amount and fee)"), balance)
            }
        }
    }
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sides().fmt(f)
    }
}

impl std::error::Error for TransactionError {}

/// Why a block is not valid, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockError {
    /// Another version of blocks.
    UnknownVersion {
        /// The version this code knows.
        expected: u32,
        /// The block's.
        found: u32,
    },
    /// It does not name the parent it was checked against.
    WrongPrevious {
        /// The parent's hash.
        expected: BlockHash,
        /// The header's.
        found: BlockHash,
    },
    /// Its height is not one above its parent's.
    WrongHeight {
        /// One above the parent.
        expected: u32,
        /// The header's.
        found: u32,
    },
    /// Its time is not above the median of the last eleven blocks.
    TimeTooOld {
        /// The median.
        median: Timestamp,
        /// The header's.
        found: Timestamp,
    },
    /// Its time is too far ahead of now. Not invalid: it may become good.
    TimeTooNew {
        /// The latest time accepted now.
        latest: Timestamp,
        /// The header's.
        found: Timestamp,
    },
    /// Its target is not the one that follows from its parent and its time.
    WrongTarget {
        /// What follows.
        expected: CompactTarget,
        /// The header's.
        found: CompactTarget,
    },
    /// Its hash is above its target.
    NotEnoughWork {
        /// The target, in hex.
        target: String,
        /// The block's hash.
        hash: BlockHash,
    },
    /// Too many transactions.
    TooManyTransactions {
        /// The network's limit.
        limit: u32,
        /// The number found.
        found: usize,
    },
    /// Too many bytes.
    TooLarge {
        /// The network's limit.
        limit: u32,
        /// The size found.
        found: usize,
    },
    /// The transactions are not the ones that the header commits to. The header's block may still be good.
    WrongMerkleRoot {
        /// The header's.
        expected: MerkleRoot,
        /// What the transactions give.
        found: MerkleRoot,
    },
    /// A transaction stands in it twice.
    DuplicateTransaction {
        /// The transaction.
        id: TransactionId,
        /// Where it stands for the second time, the first transaction behind the reward being 0.
        position: usize,
    },
    /// A transaction breaks a rule.
    Transaction {
        /// Where it stands, the first transaction behind the reward being 0.
        position: usize,
        /// Which rule, and how.
        error: TransactionError,
    },
    /// The reward is not exactly subsidy and fees.
    WrongReward {
        /// Subsidy and fees.
        expected: Amount,
        /// The block's.
        found: Amount,
    },
    /// Adding up passes the largest amount.
    Overflow,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Transaction { position, .. } = self {
            write!(f, "transaction {position}: ")?;
        }
        self.sides().fmt(f)
    }
}

impl std::error::Error for BlockError {}

impl BlockError {
    /// Both sides of the comparison.
    #[must_use]
    pub fn sides(&self) -> Sides {
        match self {
            Self::UnknownVersion { expected, found } => Sides::new(format_args!("block version {expected}"), found),
            Self::WrongPrevious { expected, found } => Sides::new(format_args!("previous block {expected}"), found),
            Self::WrongHeight { expected, found } => Sides::new(format_args!("height {expected}"), found),
            Self::TimeTooOld { median, found } => {
                Sides::new(format_args!("a time above {median}, the median of the last 11 blocks"), found)
            }
            Self::TimeTooNew { latest, found } => {
                Sides::new(format_args!("a time of at most {latest}, two minutes ahead of now"), found)
            }
            Self::WrongTarget { expected, found } => Sides::new(format_args!("target {expected}"), found),
            Self::NotEnoughWork { target, hash } => Sides::new(format_args!("a hash of at most {target}"), hash),
            Self::TooManyTransactions { limit, found } => {
                Sides::new(format_args!("at most {limit} transactions"), found)
            }
            Self::TooLarge { limit, found } => Sides::new(format_args!("a block of at most {limit} bytes"), found),
            Self::WrongMerkleRoot { expected, found } => Sides::new(
                format_args!("Merkle root {expected}"),
                format_args!("{found} over the transactions that came with it"),
            ),
            Self::DuplicateTransaction { id, position } => {
                Sides::new("every transaction once", format_args!("{id} again at position {position}"))
            }
            Self::Transaction { error, .. } => error.sides(),
            Self::WrongReward { expected, found } => {
                Sides::new(format_args!("a reward of {expected} (subsidy and fees)"), found)
            }
            Self::Overflow => Sides::new(format_args!("sums of at most {}", Amount::MAX), "more"),
        }
    }

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
