//! Why the ledger does not take a transaction, and the checks that need nothing but numbers.

use crate::{
    amount::Amount,
    ledger::{MAX_AGE, MAX_CREATED_AHEAD, MAX_FREE_PER_SENDER, MAX_TRANSACTIONS},
    rules::TransactionError,
    time::Timestamp,
};

/// Why a transaction is not taken into the ledger. In a block it may be valid all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It can stand in no block.
    #[error(transparent)]
    Rule(#[from] TransactionError),
    /// It was made too far ahead of now; later it may be taken.
    #[error("expected a creation time of at most {latest}, two minutes ahead of now, found {found}")]
    FromTheFuture {
        /// The latest time accepted now.
        latest: Timestamp,
        /// The transaction's.
        found: Timestamp,
    },
    /// It was made too long ago.
    #[error("expected a creation time of at least {earliest}, 14 days ago, found {found}")]
    TooOld {
        /// The earliest time accepted now.
        earliest: Timestamp,
        /// The transaction's.
        found: Timestamp,
    },
    /// A block holds a transaction of the sender with this sequence number already.
    #[error("expected sequence number {expected} or above, found {found}, which is used")]
    SequenceUsed {
        /// The sender's next sequence number.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// Too many of the sender's transactions wait for an earlier one.
    #[error("expected sequence number {expected} next, found {found}, and {limit} already wait for earlier ones")]
    TooEarly {
        /// The next sequence number without a gap.
        expected: u64,
        /// The transaction's.
        found: u64,
        /// The most that may wait.
        limit: usize,
    },
    /// The sender has too many pending transactions.
    #[error("expected at most {limit} pending transactions of one sender")]
    TooMany {
        /// The most allowed.
        limit: usize,
    },
    /// Another transaction has this sequence number, and pays as much or more.
    #[error(
        "expected a fee above {existing} to replace the pending transaction with this sequence number, found {found}"
    )]
    FeeTooLowToReplace {
        /// The fee of the one that is there.
        existing: Amount,
        /// The fee of the new one.
        found: Amount,
    },
    /// The confirmed balance does not cover it and what is pending before it.
    #[error("expected a confirmed balance of at least {needed} (this and {pending} pending), found {confirmed}")]
    InsufficientFunds {
        /// The confirmed balance.
        confirmed: Amount,
        /// What other pending transactions of the sender cost.
        pending: Amount,
        /// All of it together.
        needed: Amount,
    },
    /// Without a fee only registered keys may send.
    #[error("expected a fee of at least 1 from a key that is not registered with the tracker")]
    FreeForMembersOnly,
    /// Too many transactions without fee.
    #[error("expected at most {limit} pending transactions without fee {of}; a fee of 1 is enough")]
    TooManyFree {
        /// The most allowed.
        limit: usize,
        /// Of whom.
        of: &'static str,
    },
    /// The ledger is full of transactions that pay as much or more.
    #[error("the ledger is full: expected a fee above {lowest}, found {found}")]
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

pub(super) fn created_is_recent(created: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
    let latest = now.saturating_add(MAX_CREATED_AHEAD);
    let earliest = now.saturating_sub(MAX_AGE);
    if created > latest {
        Err(LedgerError::FromTheFuture { latest, found: created })
    } else if created < earliest {
        Err(LedgerError::TooOld { earliest, found: created })
    } else {
        Ok(())
    }
}

/// Transactions without fee fill at most a quarter of the ledger.
pub(super) fn may_be_free(registered: bool, of_sender: usize, of_all: usize) -> Result<(), LedgerError> {
    const LIMIT: usize = MAX_TRANSACTIONS / 4;
    if !registered {
        Err(LedgerError::FreeForMembersOnly)
    } else if of_sender > MAX_FREE_PER_SENDER {
        Err(LedgerError::TooManyFree { limit: MAX_FREE_PER_SENDER, of: "of one sender" })
    } else if of_all >= LIMIT {
        Err(LedgerError::TooManyFree { limit: LIMIT, of: "of all senders" })
    } else {
        Ok(())
    }
}
