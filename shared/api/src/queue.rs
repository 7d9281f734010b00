//! The queue of requests that have not arrived yet, as its owner sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{example, schema};

/// What happens to a request that has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// It waits for its next attempt, or for its destination to come back.
    Waiting,
    /// It is being sent right now.
    Sending,
    /// The destination refused it for good. It is kept until somebody retries or discards it.
    Dead,
}

/// A request that has not arrived yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct QueueEntry {
    /// Its id.
    #[schema(value_type = schema::Counter)]
    pub id: u64,
    /// The address of its destination.
    #[schema(value_type = schema::Address)]
    pub destination: String,
    /// The name of its destination, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub destination_name: Option<String>,
    /// Where it goes, as last known.
    #[schema(max_length = 300, example = "http://127.0.0.1:7702/tx")]
    pub url: String,
    /// What kind of request it is.
    #[schema(max_length = 64, example = "transaction")]
    pub kind: String,
    /// What it is about: of two requests with the same destination, kind and subject only the newer is kept.
    #[schema(max_length = 128, example = "00000b6d3cd8f2a9e0f8714d8c4c6a0bb1a27c8a56e64f9fbd5ac0d23f1b7e94")]
    pub subject: String,
    /// The version of what it says.
    #[schema(value_type = schema::Counter)]
    pub version: u64,
    /// What happens to it.
    pub state: QueueState,
    /// How often it was tried.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 3)]
    pub attempts: u32,
    /// When it was put into the queue.
    #[schema(value_type = schema::Time)]
    pub created: u64,
    /// When it is tried next, at the earliest.
    #[schema(value_type = schema::Time)]
    pub next_try: u64,
    /// When it is given up even if it has not arrived; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub expires: Option<u64>,
    /// What went wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "connection refused")]
    pub last_error: Option<String>,
}

/// What waits for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct QueueDestination {
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub destination: String,
    /// Its name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub destination_name: Option<String>,
    /// Whether it is known where it can be reached. While it is not, nothing is tried.
    pub reachable: bool,
    /// How many requests wait for it or are being sent.
    #[schema(value_type = schema::Counter)]
    pub waiting: u64,
    /// How many requests it refused for good.
    #[schema(value_type = schema::Counter)]
    pub dead: u64,
    /// How often the request that was tried most often was tried.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 3)]
    pub attempts: u32,
    /// Since when the oldest request has been in the queue.
    #[schema(value_type = schema::Time)]
    pub oldest: u64,
    /// When the first of them is tried next, at the earliest; absent if it has refused them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub next_try: Option<u64>,
    /// What went wrong the last time with the request that was tried most often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "connection refused")]
    pub last_error: Option<String>,
}

/// What waits for whom (`GET /queue/destinations`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct QueueDestinations {
    /// Everybody for whom something is in the queue, in the order of their addresses.
    #[schema(max_items = 1000)]
    pub destinations: Vec<QueueDestination>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Address)]
    pub next_cursor: Option<String>,
}

/// How many requests are in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QueueCounts {
    /// Those that wait or are being sent.
    #[schema(value_type = schema::Counter)]
    pub waiting: u64,
    /// Those that were refused for good.
    #[schema(value_type = schema::Counter)]
    pub dead: u64,
}

/// A page of the queue (`GET /queue`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct QueuePage {
    /// How many requests there are in all.
    pub counts: QueueCounts,
    /// The requests of this page.
    #[schema(max_items = 500)]
    pub entries: Vec<QueueEntry>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "1042")]
    pub next_cursor: Option<String>,
}
