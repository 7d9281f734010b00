//! Whether the peers of a network agree with each other, as its tracker sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{chain::TipMessage, example, schema};

/// In what a peer differs from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// It belongs to another network, or to none yet.
    Network,
    /// It has another tip than the best one: less work, or as much with a higher hash.
    Tip,
    /// It has the same tip as others and another state hash: its accounts differ.
    State,
    /// Its ledger of pending transactions is not the one that most have.
    Ledger,
}

/// What a peer answered, and in what it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerView {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The last block of its chain, with its height, work and state hash. Absent before there is a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TipMessage)]
    pub tip: Option<TipMessage>,
    /// How many transactions are pending there.
    #[schema(value_type = schema::Counter)]
    pub ledger_count: u64,
    /// The digest of its ledger: equal on two peers exactly if their ledgers are.
    #[schema(value_type = schema::Hash)]
    pub ledger_digest: String,
    /// In what it differs; empty if it agrees.
    #[schema(max_items = 4)]
    pub differs: Vec<Difference>,
}

/// A peer that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotAsked {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// Why not.
    #[schema(max_length = 300, example = "it is offline")]
    pub reason: String,
}

/// Whether the peers agree (`GET /network/agreement`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct Agreement {
    /// When the peers were asked.
    #[schema(value_type = schema::Time)]
    pub asked: u64,
    /// Whether all peers that answered agree in everything.
    pub agree: bool,
    /// The best tip that any of them has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TipMessage)]
    pub best: Option<TipMessage>,
    /// The names of those that differ.
    #[schema(max_items = 10_000, value_type = Vec<schema::Name>)]
    pub differing: Vec<String>,
    /// What each peer answered.
    #[schema(max_items = 10_000)]
    pub peers: Vec<PeerView>,
    /// Who could not be asked.
    #[schema(max_items = 10_000)]
    pub not_asked: Vec<NotAsked>,
}
