//! What a tracker has seen happen to its members, and who has heard of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{example, schema};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// A peer registered for the first time.
    Joined,
    /// A peer that was there registered again: it was started anew, or its address has changed.
    Registered,
    /// A peer failed a round of probes.
    Suspected,
    /// A suspected peer gave a sign of life before it was called offline.
    Recovered,
    /// A peer was called offline.
    Offline,
    /// A peer that was offline or had left is back.
    Returned,
    /// A peer said farewell.
    Left,
    /// The operator freed the name of a peer that was gone.
    NameFreed,
    /// So many peers failed at once, and nobody could confirm it, that the tracker suspects its own connection.
    SelfPreservationBegan,
    /// The tracker trusts its own connection again.
    SelfPreservationEnded,
}

impl TimelineKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Joined,
        Self::Registered,
        Self::Suspected,
        Self::Recovered,
        Self::Offline,
        Self::Returned,
        Self::Left,
        Self::NameFreed,
        Self::SelfPreservationBegan,
        Self::SelfPreservationEnded,
    ];

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Registered => "registered",
            Self::Suspected => "suspected",
            Self::Recovered => "recovered",
            Self::Offline => "offline",
            Self::Returned => "returned",
            Self::Left => "left",
            Self::NameFreed => "name_freed",
            Self::SelfPreservationBegan => "self_preservation_began",
            Self::SelfPreservationEnded => "self_preservation_ended",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A peer that has taken the notice of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acknowledgement {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// When it took the notice.
    #[schema(value_type = schema::Time)]
    pub time: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct TimelineEvent {
    /// Its number: later events have higher ones.
    #[schema(value_type = schema::Counter)]
    pub id: u64,
    /// When it happened, by the tracker's clock.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// What happened.
    pub kind: TimelineKind,
    /// The name of the peer it happened to; absent if it happened to the tracker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub name: Option<String>,
    /// The address of that peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Address)]
    pub address: Option<String>,
    /// The epoch of that peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Counter)]
    pub epoch: Option<u64>,
    /// The version of the notice that tells it to the others; absent if they are not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Counter)]
    pub version: Option<u64>,
    /// Who has taken that notice. Whoever was told something newer about the same peer instead is not listed.
    #[schema(max_items = 10_000)]
    pub acknowledged: Vec<Acknowledgement>,
}

/// A page of the timeline, from new to old (`GET /timeline`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct TimelinePage {
    /// The events.
    #[schema(max_items = 1000)]
    pub events: Vec<TimelineEvent>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 20, example = "17")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_name_that_it_has_in_json() {
        for kind in TimelineKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(TimelineKind::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(TimelineKind::from_name("exploded"), None);
    }
}
