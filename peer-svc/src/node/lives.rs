//! The lives of transactions: since when one was pending, which blocks held it, and how it left.
//!
//! Waiting and being confirmed follow from the rows of ledger and blocks. Only what does not is written down, in the commit
//! that did it.

use std::sync::Arc;

use raclette_chain::{
    accounts::Account,
    amount::Amount,
    hash::{BlockHash, TransactionId},
    ledger::LedgerError,
    transaction::SignedTransaction,
};

use super::{Node, NodeError, State, TransactionPlace};
use crate::store::{
    self,
    events::{Event, Kind, Reason},
};

/// Why a transaction left the ledger, or did not get in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left<'a> {
    /// This one has its sequence number and pays more.
    Replaced(TransactionId),
    /// It had to make room: for this one, or since too many wait for an earlier one.
    Evicted(Option<TransactionId>),
    /// It is too old, or its last valid height is below the next one.
    Expired {
        /// The height of the next block.
        next_height: u32,
    },
    /// A rule or a policy keeps it out; the transaction that has its place, if one does.
    Refused(&'a LedgerError, Option<TransactionId>),
}

impl Left<'_> {
    /// The event to be stored of this transaction.
    pub(super) fn event(self, transaction: &SignedTransaction, time: u64) -> Event {
        let (kind, other, reason) = match self {
            Self::Replaced(by) => (Kind::Replaced, Some(by), None),
            Self::Evicted(by) => (Kind::Evicted, by, None),
            Self::Expired { next_height } => (Kind::Expired, None, Some(expiry(transaction, next_height))),
            Self::Refused(error, by) => (Kind::Refused, by, Some(reason(error))),
        };
        Event { id: transaction.id(), time, kind, lost: None, since: None, other, reason, reorg: None }
    }
}

/// Why a transaction cannot be pending any more: its sequence number is used, or what is left does not cover it.
pub(super) fn overtaken(transaction: &SignedTransaction, account: &Account, outgoing: Amount) -> LedgerError {
    let (expected, found) = (account.next_sequence, transaction.transaction().sequence);
    if found < expected {
        return LedgerError::SequenceUsed { expected, found };
    }
    let needed = transaction.cost().and_then(|cost| cost.checked_add(outgoing)).unwrap_or(Amount::MAX);
    LedgerError::InsufficientFunds { confirmed: account.balance, pending: outgoing, needed }
}

/// What an error says, to be stored.
pub(super) fn reason(error: &LedgerError) -> Reason {
    Reason { rule: error.code().to_owned(), detail: error.to_string() }
}

fn expiry(transaction: &SignedTransaction, next_height: u32) -> Reason {
    let valid_until = transaction.transaction().valid_until;
    if valid_until != 0 && valid_until < next_height {
        let detail = format!("its last valid height is {valid_until}, and the next block has height {next_height}");
        Reason { rule: String::from("expired"), detail }
    } else {
        Reason { rule: String::from("too_old"), detail: String::from("it was made more than 14 days ago") }
    }
}

/// One event in the life of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When, in milliseconds since 1970; none if that was not noted.
    pub time: Option<u64>,
    /// What happened.
    pub what: What,
}

/// What happens to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It came into the ledger.
    Pending,
    /// A block of the active branch held it.
    Confirmed {
        /// The block.
        block: BlockHash,
        /// Its height.
        height: Option<u32>,
    },
    /// That block lost, and it went back into the ledger.
    Returned {
        /// The block that lost.
        block: Option<BlockHash>,
    },
    /// That block lost, and the winning branch holds it too.
    Moved {
        /// The block that lost.
        block: Option<BlockHash>,
    },
    /// Another one took its place.
    Replaced {
        /// Which.
        by: Option<TransactionId>,
    },
    /// It had to make room.
    Evicted {
        /// For which.
        by: Option<TransactionId>,
    },
    /// It became too old.
    Expired {
        /// By which limit.
        reason: Option<Reason>,
    },
    /// A rule or a policy keeps it out.
    Refused {
        /// Which.
        reason: Option<Reason>,
        /// The transaction that has its place, if one does.
        by: Option<TransactionId>,
    },
}

impl Node {
    /// Everything that happened to a transaction at this peer, in order. A transaction that is gone is known as long as its
    /// last event is kept.
    ///
    /// # Errors
    /// [`NodeError::UnknownTransaction`], or the file cannot be read.
    pub async fn life(
        &self,
        id: &TransactionId,
    ) -> Result<(Arc<SignedTransaction>, TransactionPlace, Vec<Moment>), NodeError> {
        let (transaction, place) = self.transaction(id).await?;
        let state = self.state()?;
        let mut life = Vec::new();
        for event in store::events::of_transaction(&self.readers, id).await? {
            add_event(&mut life, event, &state);
        }
        match &place {
            TransactionPlace::Pending => begin(&mut life, self.received(id).await?),
            TransactionPlace::Confirmed { block, height, .. } => {
                begin(&mut life, store::places::received(&self.readers, id).await?);
                let time = store::blocks::connected(&self.readers, block).await?;
                life.push(Moment { time, what: What::Confirmed { block: *block, height: Some(*height) } });
            }
            TransactionPlace::Dropped => {}
        }
        Ok((transaction, place, life))
    }
}

/// It came into the ledger, unless that is what happened last.
fn begin(life: &mut Vec<Moment>, time: Option<u64>) {
    let returned = life.last().is_some_and(|last| matches!(last.what, What::Returned { .. }));
    if time.is_some() && !returned {
        life.push(Moment { time, what: What::Pending });
    }
}

/// An event, and what it tells of the time before.
fn add_event(life: &mut Vec<Moment>, event: Event, state: &State) {
    begin(life, event.lost.map_or(event.since, |lost| lost.since));
    if let Some(lost) = event.lost {
        let height = state.index.get(&lost.hash).map(|entry| entry.header.height);
        life.push(Moment { time: lost.connected, what: What::Confirmed { block: lost.hash, height } });
    }
    let block = event.lost.map(|lost| lost.hash);
    let what = match event.kind {
        Kind::Returned => What::Returned { block },
        Kind::Moved => What::Moved { block },
        Kind::Replaced => What::Replaced { by: event.other },
        Kind::Evicted => What::Evicted { by: event.other },
        Kind::Expired => What::Expired { reason: event.reason },
        Kind::Refused => What::Refused { reason: event.reason, by: event.other },
    };
    life.push(Moment { time: Some(event.time), what });
}
