//! What happened: the life of a transaction, the journal of reorganisations, and the audit of the whole chain.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{example, schema};

/// What happens to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LifeEventKind {
    /// It came into the ledger.
    Pending,
    /// A block of the chain holds it.
    Confirmed,
    /// Its block lost to another branch, and it went back into the ledger.
    Returned,
    /// Its block lost to another branch, which holds it too.
    Moved,
    /// Another transaction of its sender with the same sequence number and a higher fee took its place.
    Replaced,
    /// The ledger was full, and it had to make room for one that pays more.
    Evicted,
    /// It became too old, or its last valid height has passed.
    Expired,
    /// A rule or a policy keeps it out.
    Refused,
}

/// One event in the life of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LifeEvent {
    /// What happened.
    pub event: LifeEventKind,
    /// When, at this peer. Absent if that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub time: Option<u64>,
    /// The height of the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub height: Option<u32>,
    /// The block that holds it, or that lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub block: Option<String>,
    /// The transaction that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub by: Option<String>,
    /// The rule or policy that keeps it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 64, example = "wrong_sequence")]
    pub rule: Option<String>,
    /// Both sides of its comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        max_length = 2000,
        example = "expected sequence number 4 or above, those below being used, found 3"
    )]
    pub detail: Option<String>,
}

/// A block, by height and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockReference {
    /// Its height.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// Its hash.
    #[schema(value_type = schema::Hash)]
    pub hash: String,
}

/// A transaction of a block that lost, and why it did not return to the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotReturned {
    /// The transaction's id.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// The rule or policy that keeps it out.
    #[schema(max_length = 64, example = "wrong_sequence")]
    pub rule: String,
    /// Both sides of its comparison.
    #[schema(max_length = 2000, example = "expected sequence number 4 or above, those below being used, found 3")]
    pub detail: String,
    /// The transaction of the winning branch that has its place, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub by: Option<String>,
}

/// A reorganisation: one branch lost to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct Reorganisation {
    /// Its number in the journal.
    #[schema(value_type = schema::Counter)]
    pub id: u64,
    /// When it happened.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The last block that both branches share.
    pub ancestor: BlockReference,
    /// How many blocks lost.
    #[schema(value_type = schema::Height)]
    pub depth: u32,
    /// Whether it was so deep (more than six blocks) that it raised an alarm.
    pub alarm: bool,
    /// The first 100 blocks that lost, from low to high.
    #[schema(max_items = 100)]
    pub lost: Vec<BlockReference>,
    /// How many blocks took their place.
    #[schema(value_type = schema::Height)]
    pub won_count: u32,
    /// The first 100 of them, from low to high.
    #[schema(max_items = 100)]
    pub won: Vec<BlockReference>,
    /// How many transactions of the blocks that lost returned to the ledger.
    #[schema(value_type = schema::Counter)]
    pub returned_count: u64,
    /// The first 100 of them that are still remembered.
    #[schema(max_items = 100, value_type = Vec<schema::Hash>)]
    pub returned: Vec<String>,
    /// How many are in the winning branch too.
    #[schema(value_type = schema::Counter)]
    pub moved_count: u64,
    /// The first 100 of them that are still remembered.
    #[schema(max_items = 100, value_type = Vec<schema::Hash>)]
    pub moved: Vec<String>,
    /// How many did not return.
    #[schema(value_type = schema::Counter)]
    pub not_returned_count: u64,
    /// The first 100 of them that are still remembered, and why.
    #[schema(max_items = 100)]
    pub not_returned: Vec<NotReturned>,
}

/// A page of the journal of reorganisations, newest first (`GET /reorgs`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct ReorganisationPage {
    /// The reorganisations of this page.
    #[schema(max_items = 100)]
    pub reorgs: Vec<Reorganisation>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "17")]
    pub next_cursor: Option<String>,
}

/// A reorganisation of more than six blocks in the last 24 hours: what seemed settled was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReorganisationAlarm {
    /// Its number in the journal (`GET /reorgs`).
    #[schema(value_type = schema::Counter)]
    pub id: u64,
    /// When it happened.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// How many blocks lost.
    #[schema(value_type = schema::Height)]
    pub depth: u32,
}

/// The first block in which an audit found something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BadBlock {
    /// Its height.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// Its hash, as the active branch has it.
    #[schema(value_type = schema::Hash)]
    pub hash: String,
    /// The rule that it breaks; `damaged` if its stored bytes are no block.
    #[schema(max_length = 64, example = "wrong_merkle_root")]
    pub rule: String,
    /// What the rule asks for.
    #[schema(max_length = 2000, example = "the Merkle root in the header")]
    pub expected: String,
    /// What is there.
    #[schema(max_length = 2000, example = "another one over the stored transactions")]
    pub seen: String,
}

/// An account that is not what the chain says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountDifference {
    /// The account.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The balance that follows from the chain.
    #[schema(value_type = schema::Amount)]
    pub balance: u64,
    /// The next sequence number that follows from the chain.
    #[schema(value_type = schema::Counter)]
    pub next_sequence: u64,
    /// The balance that was found.
    #[schema(value_type = schema::Amount)]
    pub seen_balance: u64,
    /// The next sequence number that was found.
    #[schema(value_type = schema::Counter)]
    pub seen_next_sequence: u64,
}

/// Accounts compared with those that follow from the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountsCompared {
    /// How many differ.
    #[schema(value_type = schema::Counter)]
    pub differences: u64,
    /// The first 20 of them, by address.
    #[schema(max_items = 20)]
    pub first: Vec<AccountDifference>,
    /// Why they could not be read, if they could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "a balance: -3 is negative")]
    pub unreadable: Option<String>,
}

/// What an audit of the whole chain found (`GET /audit`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct AuditReport {
    /// Whether everything is as it should be.
    pub sound: bool,
    /// The last block that was checked.
    pub tip: BlockReference,
    /// How many blocks were checked, the genesis block not counted.
    #[schema(value_type = schema::Counter)]
    pub blocks: u64,
    /// How many transactions were checked, rewards not counted.
    #[schema(value_type = schema::Counter)]
    pub transactions: u64,
    /// The first block with something wrong. The audit ends there, and what follows is compared no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BadBlock)]
    pub bad_block: Option<BadBlock>,
    /// The money that the blocks issued.
    #[schema(value_type = schema::Amount)]
    pub issued: u64,
    /// The sum of the balances that follow from the blocks.
    #[schema(value_type = schema::Amount)]
    pub balances: u64,
    /// How many accounts there are.
    #[schema(value_type = schema::Counter)]
    pub accounts: u64,
    /// The state hash after the last block, computed by the audit.
    #[schema(value_type = schema::Hash)]
    pub state_hash: String,
    /// The one that the peer works with.
    #[schema(value_type = schema::Hash)]
    pub node_state_hash: String,
    /// The accounts in the file. Absent if the audit ended at a bad block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AccountsCompared)]
    pub stored_accounts: Option<AccountsCompared>,
    /// The accounts that the peer works with. Absent if the audit ended at a bad block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AccountsCompared)]
    pub working_accounts: Option<AccountsCompared>,
    /// How long it took, in milliseconds.
    #[schema(value_type = schema::Counter)]
    pub milliseconds: u64,
}

/// How far an audit is (`GET /audit` while another one runs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct AuditProgress {
    /// How many blocks have been checked.
    #[schema(value_type = schema::Counter)]
    pub blocks: u64,
    /// How many there are.
    #[schema(value_type = schema::Counter)]
    pub of: u64,
}
