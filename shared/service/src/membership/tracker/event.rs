//! What the register hears, and why it may not take it.

use raclette_chain::address::Address;

use super::{MemberState, Newcomer, Probe};

/// What the register hears.
#[derive(Debug, Clone)]
pub enum Event {
    /// A registration whose signature holds, from a peer that answered a challenge at the address in it.
    Registered(Newcomer),
    /// A farewell whose signature holds.
    Left {
        /// Who leaves.
        address: Address,
        /// The epoch it leaves.
        epoch: u64,
    },
    /// Any other request of a member whose signature holds.
    SignOfLife {
        /// Whose.
        address: Address,
    },
    /// A round of probes is over.
    RoundEnded(Vec<Probe>),
    /// The operator frees a name.
    NameFreed {
        /// The name.
        name: String,
    },
    /// The operator says that the tracker's connection is fine: those that are silent are gone.
    SelfPreservationOverridden,
}

/// Why the register does not take an event. It has not changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name belongs to another key.
    #[error("the name {name} belongs to {owner}, which is {}", .state.as_str())]
    NameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        owner: Address,
        /// Whether the owner is there.
        state: MemberState,
    },
    /// The key is registered under another name.
    #[error("this key is registered as {name}")]
    KeyHasName {
        /// That name.
        name: String,
    },
    /// A newer epoch is known, or this one with another registration.
    #[error("epoch {found} is not above {current}")]
    StaleEpoch {
        /// The epoch known.
        current: u64,
        /// The epoch given.
        found: u64,
    },
    /// Nobody with this address ever registered.
    #[error("{address} is not registered here")]
    UnknownAddress {
        /// The address.
        address: Address,
    },
    /// Nobody has this name.
    #[error("nobody is registered as {name}")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// A name cannot be freed while its owner is there.
    #[error("{name} is {}", .state.as_str())]
    StillThere {
        /// The name.
        name: String,
        /// The owner's state.
        state: MemberState,
    },
    /// The tracker does not doubt itself.
    #[error("the tracker does not doubt its own connection: there is nothing to override")]
    NoSelfPreservation,
}
