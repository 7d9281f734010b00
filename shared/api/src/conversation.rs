//! What the owner exchanged with each counterpart, in both directions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{example, schema, wallet::MessageEntry};

/// What the owner exchanged with one counterpart, as a line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct Conversation {
    /// The counterpart's address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The counterpart's name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub name: Option<String>,
    /// How many entries there are.
    #[schema(value_type = schema::Counter)]
    pub count: u64,
    /// How many of them the owner sent.
    #[schema(value_type = schema::Counter)]
    pub sent: u64,
    /// How many of them wait in the ledger for a block.
    #[schema(value_type = schema::Counter)]
    pub pending: u64,
    /// When this peer saw the newest of them first.
    #[schema(value_type = schema::Time)]
    pub last: u64,
}

/// A page of all conversations, the one with the newest entry first (`GET /conversations`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct ConversationList {
    /// The conversations.
    #[schema(max_items = 500)]
    pub conversations: Vec<Conversation>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "41")]
    pub next_cursor: Option<String>,
}

/// A page of one conversation (`GET /conversations/{name}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct ConversationPage {
    /// The counterpart's address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The counterpart's name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub name: Option<String>,
    /// What was sent and received: messages, money, or both.
    #[schema(max_items = 500)]
    pub messages: Vec<MessageEntry>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "41")]
    pub next_cursor: Option<String>,
}
