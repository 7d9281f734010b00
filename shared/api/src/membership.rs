//! Who belongs to a network: registrations ([`Registration`]), records of peers, farewells ([`Leave`]), and proof that a
//! peer lives at an address ([`ChallengeAnswer`]).

mod challenge;
mod leave;
mod probe;
mod registration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use challenge::ChallengeAnswer;
pub use leave::Leave;
pub use probe::{CheckedProbe, LONGEST_PROBE_MS, NewProbe, ProbeAnswer, ProbeRequest};
pub use registration::{NewRegistration, Registration};

use crate::{example, network::NetworkInfo, notice::Notice, schema};

/// Whether a peer can be reached, as the tracker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// It answered in the last round.
    Online,
    /// It did not answer, but not often enough to be called offline.
    Suspect,
    /// It does not answer.
    Offline,
    /// It said that it leaves.
    Left,
}

impl PeerState {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Suspect => "suspect",
            Self::Offline => "offline",
            Self::Left => "left",
        }
    }
}

/// What is known of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct PeerRecord {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// Its public key: enough to send it something, even while it is offline.
    #[schema(value_type = schema::PublicKey)]
    pub public_key: String,
    /// Whether it can be reached.
    pub state: PeerState,
    /// The epoch of its last registration.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// The version of this record: of two records with the same epoch, the one with the higher version counts.
    #[schema(value_type = schema::Counter)]
    pub version: u64,
    /// When it last gave a sign of life.
    #[schema(value_type = schema::Time)]
    pub last_seen: u64,
    /// Its registration, with its host and port. Absent while it is offline or has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Registration)]
    pub registration: Option<Registration>,
}

/// A page of peers (`GET /peers`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct PeerPage {
    /// The peers, in the order of their names; with `since`, in the order of their versions.
    #[schema(max_items = 1000)]
    pub peers: Vec<PeerRecord>,
    /// The highest version of any membership record.
    #[schema(value_type = schema::Counter)]
    pub membership_version: u64,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "carol")]
    pub next_cursor: Option<String>,
    /// The same as a notice that the tracker has signed, so that a peer can believe what it says of who went. Only in
    /// the tracker's answers to `since`, and only if there is something newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Notice)]
    pub notice: Option<Notice>,
}

/// What a registered peer has to do about the genesis block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegisterStatus {
    /// Nothing: the network exists.
    Member,
    /// Make it, and report it with `POST /genesis`.
    CreateGenesis,
    /// Wait: another peer is making it. Register again after `retry_after_ms`.
    GenesisPending,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct RegisterResponse {
    /// What to do about the genesis block.
    pub status: RegisterStatus,
    /// The network.
    pub network: NetworkInfo,
    /// The epoch that is registered now.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// All peers, the new one included.
    #[schema(max_items = 100_000)]
    pub peers: Vec<PeerRecord>,
    /// After how many milliseconds to register again, if the genesis block is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 600_000, example = 1000)]
    pub retry_after_ms: Option<u64>,
}
