//! What follows from an event: what is to be stored, whom the others have to hear of, and what the timeline shows.

use std::sync::Arc;

use raclette_api::timeline::TimelineKind;
use raclette_chain::{address::Address, time::Timestamp};

use super::Member;

/// What follows from an event.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Members with a new version, as they are now: to be stored, and all others have to hear of them.
    pub changed: Vec<Arc<Member>>,
    /// Members with a new version of which nobody has to be told: the list has it for whoever asks.
    pub listed: Vec<Listed>,
    /// Members of whom only [`Member::last_seen`] has changed.
    pub seen: Vec<Address>,
    /// Members that came online, or answer again: what waits for them is due.
    pub returned: Vec<Address>,
    /// Members to forget, with what is remembered of them for a while.
    pub removed: Vec<Tombstone>,
    /// What the timeline shows.
    pub happened: Vec<Happening>,
}

/// A member with a new version of which nobody has to be told.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The member.
    pub member: Arc<Member>,
    /// Its version before. If the others have not been told that one yet, they have to be told this one.
    pub previous: u64,
}

/// What is remembered of a key whose name was freed, so that its old registrations do not bring it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// The address of the key.
    pub address: Address,
    /// The epoch of its last registration.
    pub epoch: u64,
    /// When it is forgotten.
    pub until: Timestamp,
}

impl Tombstone {
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// What.
    pub kind: TimelineKind,
    /// To whom; none if to the tracker itself.
    pub member: Option<Subject>,
    /// The version of the notice that tells it to the others, if they are told.
    pub version: Option<u64>,
}

/// The member to whom something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Address,
    /// Its epoch.
    pub epoch: u64,
}

impl Happening {
    pub(super) fn of_tracker(kind: TimelineKind) -> Self {
        Self { kind, member: None, version: None }
    }

    /// Something that only the timeline tells.
    pub(super) fn of(kind: TimelineKind, member: &Member) -> Self {
        let member = Subject { name: member.name.clone(), address: member.address(), epoch: member.epoch() };
        Self { kind, member: Some(member), version: None }
    }

    /// Something that came with a new version of the member.
    pub(super) fn told(kind: TimelineKind, member: &Member) -> Self {
        Self { version: Some(member.version), ..Self::of(kind, member) }
    }
}
