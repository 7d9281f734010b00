//! The chain as a peer shows it: its tip, pages of blocks and headers, accounts, and the peer's status.

use raclette_chain::{
    hash::{BlockHash, StateHash},
    target::Work,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    block::{BlockMessage, HeaderMessage},
    chaos::ChaosState,
    encoding::{from_hex, hash, time},
    error::ApiError,
    example,
    history::ReorganisationAlarm,
    schema,
};

/// The last block of a peer's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Tip, examples(example::of::<Self>))]
pub struct TipMessage {
    /// Its hash.
    #[schema(value_type = schema::Hash)]
    pub hash: String,
    /// Its height.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// How many attempts the whole chain costs on average, as 64 hex digits. The chain with the most wins.
    #[schema(value_type = schema::Hash)]
    pub work: String,
    /// When it was made.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The state hash after it: equal on two peers exactly if all accounts are.
    #[schema(value_type = schema::Hash)]
    pub state_hash: String,
}

/// The last block of a peer's chain, as values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// The work of the whole chain.
    pub work: Work,
    /// When it was made.
    pub time: Timestamp,
    /// The state hash after it.
    pub state_hash: StateHash,
}

impl From<&Tip> for TipMessage {
    fn from(tip: &Tip) -> Self {
        Self {
            hash: tip.hash.to_string(),
            height: tip.height,
            work: tip.work.to_string(),
            time: tip.time.milliseconds(),
            state_hash: tip.state_hash.to_string(),
        }
    }
}

impl TryFrom<&TipMessage> for Tip {
    type Error = ApiError;

    fn try_from(message: &TipMessage) -> Result<Self, Self::Error> {
        Ok(Self {
            hash: hash("hash", &message.hash)?,
            height: message.height,
            work: Work::from_bytes(from_hex("work", &message.work)?),
            time: time("time", message.time)?,
            state_hash: hash("state_hash", &message.state_hash)?,
        })
    }
}

/// A page of the chain, from low to high (`GET /chain`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct ChainPage {
    /// The blocks.
    #[schema(max_items = 500)]
    pub blocks: Vec<BlockMessage>,
    /// The last block of the chain.
    pub tip: TipMessage,
    /// The height at which the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub next: Option<u32>,
}

/// A page of headers, from low to high (`GET /chain/headers`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct HeadersPage {
    /// The headers.
    #[schema(max_items = 2000)]
    pub headers: Vec<HeaderMessage>,
    /// The last block of the chain.
    pub tip: TipMessage,
}

/// An account (`GET /accounts/{address}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Account, examples(example::of::<Self>))]
pub struct AccountMessage {
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The name of the peer with this address, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub name: Option<String>,
    /// The confirmed money.
    #[schema(value_type = schema::Amount)]
    pub balance: u64,
    /// The sequence number that its next transaction in a block must have.
    #[schema(value_type = schema::Counter)]
    pub next_sequence: u64,
    /// What it gets from transactions that wait in the ledger.
    #[schema(value_type = schema::Amount)]
    pub pending_in: u64,
    /// What it pays, fees included, in transactions that wait in the ledger.
    #[schema(value_type = schema::Amount)]
    pub pending_out: u64,
}

/// How much a peer's ledger holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerSummary {
    /// How many transactions wait.
    #[schema(value_type = schema::Counter)]
    pub count: u64,
    /// How many bytes they have.
    #[schema(value_type = schema::Counter)]
    pub bytes: u64,
    /// A hash over all of them, equal on two peers exactly if their ledgers are.
    #[schema(value_type = schema::Hash)]
    pub digest: String,
}

/// How far a peer is with fetching the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// It does not know yet what there is to fetch.
    Starting,
    /// It fetches and verifies blocks.
    Syncing,
    /// It has what the others have.
    Synced,
}

/// How far a peer is with fetching the history, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncStatus {
    /// What it is doing.
    pub state: SyncState,
    /// The height that it has reached.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// The greatest height that it knows of.
    #[schema(value_type = schema::Height)]
    pub target_height: u32,
    /// How many transactions a second it verifies and stores. Only while it fetches blocks, and after the first seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 4_294_967_295_u32, example = 20_000)]
    pub transactions_per_second: Option<u32>,
}

impl SyncStatus {
    /// The status of a peer that does not fetch blocks.
    #[must_use]
    pub const fn at_rest(state: SyncState, height: u32) -> Self {
        Self { state, height, target_height: height, transactions_per_second: None }
    }
}

/// What a peer knows of its tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrackerStatus {
    /// Where it is.
    #[schema(max_length = 300, example = "http://127.0.0.1:7700")]
    pub url: String,
    /// Whether it answered the last time.
    pub reachable: bool,
    /// When it last answered or sent something. Absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub last_seen: Option<u64>,
}

/// How many other peers a peer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct KnownPeers {
    /// Peers whose connection details it has.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 2)]
    pub online: u32,
    /// Peers of which it has name and key only.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 0)]
    pub offline: u32,
}

/// What a peer says about itself (`GET /status`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Status, examples(example::of::<Self>))]
pub struct StatusMessage {
    /// The version of the protocol that it speaks.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// Its software.
    #[schema(max_length = 64, example = "raclette-peer/0.1.0")]
    pub software: String,
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// Its epoch.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// The network's id. Absent until it knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub network_id: Option<String>,
    /// The last block of its chain. Absent until there is a genesis block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TipMessage)]
    pub tip: Option<TipMessage>,
    /// Its ledger.
    pub ledger: LedgerSummary,
    /// Whether it is mining.
    pub mining: bool,
    /// How far it is with fetching the history.
    pub sync: SyncStatus,
    /// The highest version of any membership record that it knows.
    #[schema(value_type = schema::Counter)]
    pub membership_version: u64,
    /// Its tracker.
    pub tracker: TrackerStatus,
    /// The other peers that it knows.
    pub peers: KnownPeers,
    /// A reorganisation of more than six blocks in the last 24 hours. Absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ReorganisationAlarm)]
    pub reorganisation_alarm: Option<ReorganisationAlarm>,
    /// Faults of its links that its owner has switched on. Absent unless the peer was started with `--chaos`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ChaosState)]
    pub chaos: Option<ChaosState>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{of, with};
    use serde_json::json;

    #[test]
    fn a_tip_converts_and_its_values_have_one_spelling() {
        let message: TipMessage = serde_json::from_value(of::<TipMessage>()).unwrap();
        assert_eq!(TipMessage::from(&Tip::try_from(&message).unwrap()), message);
        for (pointer, value) in [
            ("/hash", json!("A".repeat(64))),
            ("/work", json!("800020")),
            ("/time", json!(1_u64 << 53)),
            ("/state_hash", json!("")),
        ] {
            assert_eq!(Tip::try_from(&with::<TipMessage>(pointer, value)).unwrap_err().field, pointer[1..]);
        }
    }

    #[test]
    fn what_others_may_add_to_an_answer_later_is_ignored() {
        let tip: TipMessage = with("/median_time", json!(1));
        assert_eq!(tip, serde_json::from_value(of::<TipMessage>()).unwrap());
    }
}
