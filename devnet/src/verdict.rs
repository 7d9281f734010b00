//! Whether a network that was disturbed kept its promises: twenty invariants, checked from a [`History`], which clients and
//! observers wrote while it ran, and the [`Evidence`], which its services held when all was calm again.
//!
//! This is separate from whatever disturbs and from whatever runs, and knows none of the services' code: it adds up money,
//! follows branches and compares lists by itself. A request that was not answered is *unknown*: it may have been done or not,
//! and neither is held against anybody. [`check`] is the list.
//!
//! - `chain`: money, blocks and tips (1 to 6). `delivery`: what was acknowledged (7 to 11, 15). `membership`: who was
//!   listed (12 to 14). `liveness`: how soon all was well again, and at what cost (16 to 20).

mod chain;
mod delivery;
mod evidence;
mod history;
mod liveness;
mod membership;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::{
    evidence::{
        Block, Evidence, Integrity, Mail, Member, MemberState, Node, Payment, QueueRow, Resources, StoredBlock,
    },
    history::{Again, History, Interval, Mined, Observation, Outcome, Sent, Settled, Told},
};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant it breaks, from 1 to 20.
    pub invariant: u8,
    /// Where and how.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = INVARIANTS.iter().find(|(number, ..)| *number == self.invariant).map_or("", |(_, name, _)| name);
        write!(f, "{}. {name}: {}", self.invariant, self.what)
    }
}

type Check = fn(&History, &Evidence) -> Vec<String>;

/// The invariants: number, name, check.
pub const INVARIANTS: [(u8, &str, Check); 20] = [
    (1, "money is neither made nor lost", chain::conservation),
    (2, "nothing is spent twice", chain::no_double_spend),
    (3, "the same block means the same state", chain::same_state),
    (4, "every active block is valid", chain::validity),
    (5, "a node's work never falls", chain::monotone_work),
    (6, "the tip is the best block that the node has", chain::best_tip),
    (7, "no acknowledged transaction is lost", delivery::transactions_kept),
    (8, "no acknowledged block is lost", delivery::blocks_kept),
    (9, "what was not answered is done or not, never half", delivery::unknown_is_atomic),
    (10, "what comes again has its effect once", delivery::idempotence),
    (11, "nothing vanishes from a queue", delivery::outbox),
    (12, "nobody lists a member that is gone", membership::no_zombie),
    (13, "nobody alive is deleted while the tracker is cut off", membership::no_false_kill),
    (14, "lists change on the tracker's word only", membership::authorised),
    (15, "a message is what was sent, and only its recipient reads it", delivery::messages),
    (16, "files are sound", liveness::files),
    (17, "all agree again", liveness::agreement),
    (18, "queues are empty again", liveness::empty_queues),
    (19, "news spreads again", liveness::spreading),
    (20, "nothing grows, panics or ends by itself", liveness::resources),
];

/// Checks everything; what does not hold.
#[must_use]
pub fn check(history: &History, evidence: &Evidence) -> Vec<Violation> {
    INVARIANTS
        .iter()
        .flat_map(|(invariant, _, check)| {
            check(history, evidence).into_iter().map(|what| Violation { invariant: *invariant, what })
        })
        .collect()
}
