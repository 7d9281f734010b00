//! What the services held when all was calm again.

use std::collections::{BTreeMap, BTreeSet};

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Every peer.
    pub nodes: Vec<Node>,
    /// The tracker's list.
    pub members: Vec<Member>,
    /// Every version of a member's record that the tracker ever told: address and version.
    pub told: BTreeSet<(String, u64)>,
    /// What the tracker's file says of itself, and how many panics its log tells of.
    pub tracker: (Integrity, usize),
    /// What each service used, as time went by.
    pub resources: Vec<Resources>,
}

/// One peer.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its active chain, from the first block behind the genesis block.
    pub chain: Vec<Block>,
    /// Every block that it has stored.
    pub stored: Vec<StoredBlock>,
    /// What its accounts say: balance and next sequence number.
    pub accounts: BTreeMap<String, (u64, u64)>,
    /// The ids in its ledger.
    pub ledger: BTreeSet<String>,
    /// Transactions that it says are gone for good, and why: by id.
    pub gone: BTreeMap<String, String>,
    /// What its owner sent and received.
    pub mail: Vec<Mail>,
    /// What waits, or was set aside.
    pub queue: Vec<QueueRow>,
    /// Whom it lists.
    pub members: Vec<Member>,
    /// What its audit found to be wrong.
    pub audit: Vec<String>,
    /// What its file says of itself.
    pub file: Integrity,
    /// How many panics its log tells of.
    pub panics: usize,
}

/// A block of an active chain.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// Its hash.
    pub hash: String,
    /// The hash before it.
    pub previous: String,
    /// Its height.
    pub height: u32,
    /// The state hash after it.
    pub state_hash: String,
    /// Who mined it.
    pub miner: String,
    /// What that brought.
    pub reward: u64,
    /// Its payments.
    pub payments: Vec<Payment>,
}

/// A transaction, as far as money is concerned.
#[derive(Debug, Clone, Default)]
pub struct Payment {
    /// Its id.
    pub id: String,
    /// The sender's address.
    pub sender: String,
    /// The recipient's address.
    pub recipient: String,
    /// How much.
    pub amount: u64,
    /// The fee.
    pub fee: u64,
    /// The sender's sequence number.
    pub sequence: u64,
}

/// A block in a file. All blocks of a soak have the same target, so the work behind a block is its height.
#[derive(Debug, Clone, Default)]
pub struct StoredBlock {
    /// Its hash.
    pub hash: String,
    /// Its height.
    pub height: u32,
    /// Whether it, or one before it, broke a rule.
    pub invalid: bool,
}

/// One item of the mail.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The transaction's id.
    pub id: String,
    /// Whether the owner sent it.
    pub sent: bool,
    /// The other's address: the recipient of what was sent, the sender of what was received.
    pub other: String,
    /// The text, if it could be opened.
    pub text: Option<String>,
    /// Whether the recipient's peer has acknowledged it.
    pub delivered: bool,
}

/// A row of a queue.
#[derive(Debug, Clone, Default)]
pub struct QueueRow {
    /// The destination's address.
    pub destination: String,
    /// What it is about.
    pub subject: String,
    /// Why it was set aside, if it was.
    pub dead: Option<String>,
}

/// Whether a member is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// It is listed with its connection details.
    Here,
    /// It is not.
    Gone,
}

/// A record of a list.
#[derive(Debug, Clone)]
pub struct Member {
    /// The member's address.
    pub address: String,
    /// Whether it is there.
    pub state: MemberState,
    /// Its epoch.
    pub epoch: u64,
    /// The version of the record.
    pub version: u64,
}

/// What SQLite says of a file.
#[derive(Debug, Clone, Default)]
pub struct Integrity {
    /// What `integrity_check` says other than `ok`.
    pub faults: Vec<String>,
    /// How many rows `foreign_key_check` names.
    pub foreign_keys: usize,
    /// Active blocks without the data that takes them off again.
    pub without_undo: usize,
}

/// What a service used at one moment.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Which service.
    pub service: String,
    /// Which run of it: a service that was started again begins anew.
    pub run: u32,
    /// When, in milliseconds.
    pub at: u64,
    /// Resident memory in KiB.
    pub memory: u64,
    /// Open files.
    pub files: u64,
    /// The size of the write-ahead log in KiB.
    pub wal: u64,
}
