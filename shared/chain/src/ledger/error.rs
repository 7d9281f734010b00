//! Why the ledger does not take a transaction: a stable code, and both sides of the comparison.

use std::fmt;

use crate::{
    amount::Amount,
    rules::{Broken, Sides, TransactionError},
    time::Timestamp,
};

/// Why a transaction is not taken into the ledger. In a block it may be valid all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerError {
    /// It can stand in no block.
    Rule(TransactionError),
    /// It was made too far ahead of now; later it may be taken.
    FromTheFuture {
        /// The latest time accepted now.
        latest: Timestamp,
        /// The transaction's.
        found: Timestamp,
    },
    /// It was made too long ago.
    TooOld {
        /// The earliest time accepted now.
        earliest: Timestamp,
        /// The transaction's.
        found: Timestamp,
    },
    /// A block holds a transaction of the sender with this sequence number already.
    SequenceUsed {
        /// The sender's next sequence number.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// Too many transactions wait for an earlier one, of this sender or of all.
    TooEarly {
        /// The sender's next sequence number without a gap.
        expected: u64,
        /// The transaction's.
        found: u64,
        /// How many wait already.
        waiting: usize,
        /// The most that may wait.
        limit: usize,
        /// Of whom.
        of: &'static str,
    },
    /// The sender has too many pending transactions.
    TooMany {
        /// The most allowed.
        limit: usize,
        /// How many there would be.
        found: usize,
    },
    /// Another transaction has this sequence number, and pays as much or more.
    FeeTooLowToReplace {
        /// The fee of the one that is there.
        existing: Amount,
        /// The fee of the new one.
        found: Amount,
    },
    /// The confirmed balance does not cover it and what is pending before it.
    InsufficientFunds {
        /// The confirmed balance.
        confirmed: Amount,
        /// What other pending transactions of the sender cost.
        pending: Amount,
        /// All of it together.
        needed: Amount,
    },
    /// Without a fee only registered keys may send.
    FreeForMembersOnly,
    /// Too much without fee.
    TooManyFree {
        /// The most allowed.
        limit: usize,
        /// How much there would be.
        found: usize,
        /// Of what, and of whom.
        of: &'static str,
    },
    /// The ledger is full of transactions that pay as much or more.
    Full {
        /// The lowest fee that could leave.
        lowest: Amount,
        /// The fee offered.
        found: Amount,
    },
}

impl LedgerError {
    /// A name for this error that never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rule(error) => error.code(),
            Self::FromTheFuture { .. } => "from_the_future",
            Self::TooOld { .. } => "too_old",
            Self::SequenceUsed { .. } => "wrong_sequence",
            Self::TooEarly { .. } => "too_early",
            Self::TooMany { .. } => "too_many_pending",
            Self::FeeTooLowToReplace { .. } => "fee_too_low_to_replace",
            Self::InsufficientFunds { .. } => "insufficient_funds",
            Self::FreeForMembersOnly => "free_for_members_only",
            Self::TooManyFree { .. } => "too_many_free",
            Self::Full { .. } => "ledger_full",
        }
    }
}

impl LedgerError {
    /// Both sides of the comparison.
    #[must_use]
    pub fn sides(&self) -> Sides {
        match self {
            Self::Rule(error) => error.sides(),
            Self::FromTheFuture { latest, found } => {
                Sides::new(format_args!("a creation time of at most {latest}, two minutes ahead of now"), found)
            }
            Self::TooOld { earliest, found } => {
                Sides::new(format_args!("a creation time of at least {earliest}, 14 days ago"), found)
            }
            Self::SequenceUsed { expected, found } => {
                Sides::new(format_args!("sequence number {expected} or above, those below being used"), found)
            }
            Self::TooEarly { expected, found, waiting, limit, of } => Sides::new(
                format_args!("sequence number {expected} next, or fewer than {limit} that wait for earlier ones {of}"),
                format_args!("{found}, and {waiting} that wait"),
            ),
            Self::TooMany { limit, found } => {
                Sides::new(format_args!("at most {limit} pending transactions of one sender"), found)
            }
            Self::FeeTooLowToReplace { existing, found } => Sides::new(
                format_args!("a fee above {existing} to replace the pending transaction with this sequence number"),
                found,
            ),
            Self::InsufficientFunds { confirmed, pending, needed } => Sides::new(
                format_args!("a confirmed balance of at least {needed} (this and {pending} pending)"),
                confirmed,
            ),
            Self::FreeForMembersOnly => {
                Sides::new("a fee of at least 1 from a key that is not registered with the tracker", 0)
            }
            Self::TooManyFree { limit, found, of } => {
                Sides::new(format_args!("at most {limit} {of} without fee; a fee of 1 is enough"), found)
            }
            Self::Full { lowest, found } => {
                Sides::new(format_args!("a fee above {lowest}, since the ledger is full"), found)
            }
        }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sides().fmt(f)
    }
}

impl std::error::Error for LedgerError {}

impl From<TransactionError> for LedgerError {
    fn from(error: TransactionError) -> Self {
        Self::Rule(error)
    }
}

impl Broken for LedgerError {
    fn rule(&self) -> &'static str {
        self.code()
    }

    fn sides(&self) -> Sides {
        Self::sides(self)
    }
}
