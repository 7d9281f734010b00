//! What happens in a service, told one by one (`GET /events`).
//!
//! Events are numbered in the order in which they were committed, without gaps, so that whoever reads them knows where it
//! stands. What each type tells is one struct.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema, schema::OneOfBuilder},
};

use crate::{example, schema};

/// The most events in a page.
pub const MAX_EVENTS: u32 = 1_000;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// The network has its genesis block.
    Genesis,
    /// A pending transaction came, went, or was confirmed.
    Transaction,
    /// A block was stored.
    Block,
    /// Another branch of the chain is active.
    Reorg,
    /// A member came or went.
    Member,
    /// Something for the owner arrived. The owner's.
    Message,
    /// A request waits in the queue, has arrived, or was given up. The owner's.
    Delivery,
    /// A step of mining. The owner's.
    Mining,
}

impl EventType {
    /// Every type, those for everybody first.
    pub const ALL: [Self; 8] = [
        Self::Genesis,
        Self::Transaction,
        Self::Block,
        Self::Reorg,
        Self::Member,
        Self::Message,
        Self::Delivery,
        Self::Mining,
    ];

    /// The name used in JSON, such as `block`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Transaction => "transaction",
            Self::Block => "block",
            Self::Reorg => "reorg",
            Self::Member => "member",
            Self::Message => "message",
            Self::Delivery => "delivery",
            Self::Mining => "mining",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether only the owner of the service is told.
    #[must_use]
    pub const fn is_owners(self) -> bool {
        match self {
            Self::Genesis | Self::Transaction | Self::Block | Self::Reorg | Self::Member => false,
            Self::Message | Self::Delivery | Self::Mining => true,
        }
    }
}

/// What happened: the type, and what it tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum EventBody {
    /// The network has its genesis block.
    Genesis(GenesisEvent),
    /// A pending transaction came, went, or was confirmed.
    Transaction(TransactionEvent),
    /// A block was stored.
    Block(BlockEvent),
    /// Another branch of the chain is active.
    Reorg(ReorgEvent),
    /// A member came or went.
    Member(MemberEvent),
    /// Something for the owner arrived.
    Message(MessageEvent),
    /// A request waits in the queue, has arrived, or was given up.
    Delivery(DeliveryEvent),
    /// A step of mining.
    Mining(MiningEvent),
}

impl EventBody {
    /// The type.
    #[must_use]
    pub const fn kind(&self) -> EventType {
        match self {
            Self::Genesis(_) => EventType::Genesis,
            Self::Transaction(_) => EventType::Transaction,
            Self::Block(_) => EventType::Block,
            Self::Reorg(_) => EventType::Reorg,
            Self::Member(_) => EventType::Member,
            Self::Message(_) => EventType::Message,
            Self::Delivery(_) => EventType::Delivery,
            Self::Mining(_) => EventType::Mining,
        }
    }

    /// What it tells, as JSON: the member `data` of the event.
    ///
    /// # Panics
    /// Never: all members are text, numbers and truth values.
    #[must_use]
    pub fn data(&self) -> String {
        match self {
            Self::Genesis(data) => serde_json::to_string(data),
            Self::Transaction(data) => serde_json::to_string(data),
            Self::Block(data) => serde_json::to_string(data),
            Self::Reorg(data) => serde_json::to_string(data),
            Self::Member(data) => serde_json::to_string(data),
            Self::Message(data) => serde_json::to_string(data),
            Self::Delivery(data) => serde_json::to_string(data),
            Self::Mining(data) => serde_json::to_string(data),
        }
        .expect("plain structs are written without failure")
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventMessage {
    /// Its number: one more than that of the event before. Absent for what is told live only and never again (the progress
    /// of mining).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// When it was committed.
    pub time: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// One object for each type, with all its members. Derived, it would be "all of: one of these, and an object", which generators
/// of clients do not understand.
impl PartialSchema for EventMessage {
    fn schema() -> RefOr<Schema> {
        let bodies = match EventBody::schema() {
            RefOr::T(Schema::OneOf(bodies)) => bodies.items,
            other => vec![other],
        };
        let events = bodies.into_iter().fold(OneOfBuilder::new(), |events, body| events.item(numbered(body)));
        events.description(Some("Something that happened.")).examples([example::of::<Self>()]).into()
    }
}

impl ToSchema for EventMessage {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EventBody::schemas(schemas);
        schemas.push((schema::Counter::name().into_owned(), schema::Counter::schema()));
        schemas.push((schema::Time::name().into_owned(), schema::Time::schema()));
    }
}

/// The schema of a type and what it tells, with the number and the time of the event.
fn numbered(body: RefOr<Schema>) -> RefOr<Schema> {
    let RefOr::T(Schema::Object(mut object)) = body else { return body };
    let mut member = |name: &str, reference: Ref| object.properties.insert(name.to_owned(), RefOr::Ref(reference));
    member("id", Ref::from_schema_name(schema::Counter::name()));
    member("time", Ref::from_schema_name(schema::Time::name()));
    object.required.push(String::from("time"));
    RefOr::T(Schema::Object(object))
}

/// Events that a reader asked for and cannot get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct EventGap {
    /// The number that the reader asked to go on behind.
    #[schema(value_type = schema::Counter)]
    pub since: u64,
    /// The number behind which the events go on that are there.
    #[schema(value_type = schema::Counter)]
    pub resumed: u64,
    /// Why.
    pub reason: GapReason,
}

/// Why events are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// They were too old, and are no longer kept: read the present state anew.
    Pruned,
    /// Events with these numbers have not happened: the service was set up anew, or lives from a backup.
    NotYet,
}

/// A page of events, the oldest first (`GET /events` without `Accept: text/event-stream`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct EventPage {
    /// The events.
    #[schema(max_items = 1_000)]
    pub events: Vec<EventMessage>,
    /// Go on with `?since=` this number. If the next page is empty, there is nothing newer yet.
    #[schema(value_type = schema::Counter)]
    pub next: u64,
    /// Present if events between `since` and this page are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = EventGap)]
    pub gap: Option<EventGap>,
}

/// The network has its genesis block (`genesis`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GenesisEvent {
    /// The network's id.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStep {
    /// It is pending now.
    Accepted,
    /// It stands in a block of the active branch.
    Confirmed,
    /// Its block is no longer active, and it is pending again.
    Returned,
    /// Another one with the same sequence number and a higher fee took its place.
    Replaced,
    /// It had to make room in a full ledger.
    Evicted,
    /// It had waited for too long, or its last valid height has passed.
    Expired,
    /// It cannot be confirmed any more: its money or its sequence number is used.
    Dropped,
}

/// A pending transaction came, went, or was confirmed (`transaction`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionEvent {
    /// The transaction's id.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// What became of it.
    pub status: TransactionStep,
    /// The sender's address.
    #[schema(value_type = schema::Address)]
    pub sender: String,
    /// The recipient's address.
    #[schema(value_type = schema::Address)]
    pub recipient: String,
    /// The money.
    #[schema(value_type = schema::Amount)]
    pub amount: u64,
    /// The fee.
    #[schema(value_type = schema::Amount)]
    pub fee: u64,
    /// The height of its block, if it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub height: Option<u32>,
}

/// A block was stored (`block`). Its transactions follow, each with an event of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockEvent {
    /// The block's hash.
    #[schema(value_type = schema::Hash)]
    pub hash: String,
    /// The hash of the block before.
    #[schema(value_type = schema::Hash)]
    pub previous: String,
    /// Its height.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// The address of its miner.
    #[schema(value_type = schema::Address)]
    pub miner: String,
    /// How many transactions it has, the reward not counted.
    #[schema(minimum = 0, maximum = 5_000, example = 1)]
    pub transactions: u32,
    /// Whether it is part of the active branch. If not, it waits on a branch with less work.
    pub active: bool,
}

/// Another branch of the chain is active (`reorg`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReorgEvent {
    /// The tip before.
    #[schema(value_type = schema::Hash)]
    pub old_tip: String,
    /// The tip now.
    #[schema(value_type = schema::Hash)]
    pub new_tip: String,
    /// The height of the tip now.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// How many blocks were taken off.
    #[schema(value_type = schema::Counter)]
    pub disconnected: u64,
    /// How many blocks were put on.
    #[schema(value_type = schema::Counter)]
    pub connected: u64,
    /// How many transactions are pending again.
    #[schema(value_type = schema::Counter)]
    pub returned: u64,
}

/// How it is with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberStep {
    /// It can be reached: it registered, or answers again.
    Online,
    /// It does not answer.
    Offline,
    /// It said farewell.
    Left,
    /// The tracker's operator has freed its name.
    Removed,
}

/// A member came or went (`member`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberEvent {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// How it is with it now.
    pub state: MemberStep,
    /// Its epoch.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// The version of this news.
    #[schema(value_type = schema::Counter)]
    pub version: u64,
    /// Where it can be reached, while it is online.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 300, example = "http://127.0.0.1:7702")]
    pub url: Option<String>,
}

/// Something for the owner arrived (`message`). The text is not in it: `GET /messages` opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageEvent {
    /// The transaction that brought it.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// The sender's address.
    #[schema(value_type = schema::Address)]
    pub from: String,
    /// The money.
    #[schema(value_type = schema::Amount)]
    pub amount: u64,
    /// Whether a message belongs to it.
    pub has_message: bool,
}

/// What became of a request to another service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStep {
    /// It waits in the queue until it has arrived.
    Queued,
    /// It has arrived.
    Delivered,
    /// The destination refused it for good; it is kept to be looked at.
    Dead,
    /// The owner gave it up.
    Discarded,
}

/// A request waits in the queue, has arrived, or was given up (`delivery`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryEvent {
    /// What became of it.
    pub status: DeliveryStep,
    /// The address of its destination.
    #[schema(value_type = schema::Address)]
    pub destination: String,
    /// What kind of request it is.
    #[schema(max_length = 64, example = "delivery")]
    pub kind: String,
    /// What it is about, such as a transaction's id.
    #[schema(max_length = 128, example = "00000b6d3cd8f2a9e0f8714d8c4c6a0bb1a27c8a56e64f9fbd5ac0d23f1b7e94")]
    pub subject: String,
    /// What went wrong, if something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "connection refused")]
    pub error: Option<String>,
}

/// A step of mining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MiningStep {
    /// The search begins.
    Started,
    /// It goes on. Told live once a second, and not stored: it has no number.
    Progress,
    /// It waits for the block that another member says to have found.
    Paused,
    /// It found a block, which is in the chain.
    Found,
    /// Another member was faster.
    LostRace,
    /// The owner ended it, or the peer stopped.
    Cancelled,
    /// It could not go on.
    Failed,
}

/// A step of mining (`mining`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MiningEvent {
    /// The step.
    pub status: MiningStep,
    /// The job's id.
    #[schema(max_length = 64, example = "7")]
    pub job: String,
    /// The height of the block that it looks for.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// How many nonces have been tried.
    #[schema(value_type = schema::Counter)]
    pub attempts: u64,
    /// How many nonces are tried in a second.
    #[schema(minimum = 0, maximum = 1e18, example = 12_500_000.0)]
    pub rate: f64,
    /// The block that was found, by this peer or by the winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub block: Option<String>,
    /// The address of the member that was faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Address)]
    pub winner: Option<String>,
    /// Why it could not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 500, example = "the disk is full")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::of;
    use serde_json::{Value, json};

    #[test]
    fn an_event_is_its_number_its_time_its_type_and_what_it_tells() {
        let example = of::<EventMessage>();
        let members: Vec<_> = example.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["id", "time", "type", "data"]);
        let event: EventMessage = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&event.body.data()).unwrap(), example["data"]);
        assert_eq!(event.body.kind().name(), example["type"]);
        let live = EventMessage { id: None, ..event };
        assert_eq!(serde_json::to_value(&live).unwrap().get("id"), None);
    }

    #[test]
    fn every_type_has_the_name_that_stands_in_json() {
        for kind in EventType::ALL {
            assert_eq!(json!(kind), json!(kind.name()));
            assert_eq!(EventType::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventType::from_name("gap"), None);
    }
}
