//! How far a transaction or a block has come, as one peer sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{example, schema};

/// What a peer knows of another one and a transaction or block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PropagationState {
    /// It has acknowledged it.
    Acknowledged,
    /// It sent it here itself, so it has it.
    Shown,
    /// It is being sent, or is next in the lane to this peer.
    Sending,
    /// It could not be sent, and waits in the queue.
    Waiting,
    /// It was refused, for this reason. Whoever refuses has judged it, and is not asked again.
    Refused,
    /// It was not sent by this peer. Others may have done so: a recipient passes on what it gets, and whoever is offline
    /// compares when it is back.
    NotAsked,
}

/// Another peer, and whether it has a transaction or block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerPropagation {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// Whether it can be reached, as far as is known.
    pub online: bool,
    /// What is known.
    pub state: PropagationState,
    /// When it acknowledged, showed or refused it; since when it is being sent, or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub time: Option<u64>,
    /// How often it was tried, if it waits in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 4_294_967_295_u32, example = 3)]
    pub attempts: Option<u32>,
    /// When it is tried next, if it waits in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub next_try: Option<u64>,
    /// What went wrong, or why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "connection refused")]
    pub reason: Option<String>,
}

/// How many of the other peers are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct PropagationCounts {
    /// Those that have it: they acknowledged it, or sent it here.
    #[schema(value_type = schema::Counter)]
    pub have: u64,
    /// Those that it is being sent to, or for which it waits in the queue.
    #[schema(value_type = schema::Counter)]
    pub waiting: u64,
    /// Those that refused it.
    #[schema(value_type = schema::Counter)]
    pub refused: u64,
    /// Those that this peer has not sent it.
    #[schema(value_type = schema::Counter)]
    pub not_asked: u64,
}

/// How far a transaction or a block has come, as this peer sees it (`GET /tx/{id}/propagation`,
/// `GET /block/{id}/propagation`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct Propagation {
    /// The transaction's id, or the block's hash.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// Whether this peer remembers who had it. It forgets when it is started anew, and the oldest when there are too many;
    /// what waits in the queue it never forgets.
    pub remembered: bool,
    /// How many of the other peers are in which state.
    pub counts: PropagationCounts,
    /// The other peers of this page, in the order of their names.
    #[schema(max_items = 500)]
    pub peers: Vec<PeerPropagation>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 32, example = "dave")]
    pub next_cursor: Option<String>,
}
