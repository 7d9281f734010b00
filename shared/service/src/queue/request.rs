//! What waits in the queue.

use raclette_chain::{address::Address, time::Timestamp};

/// A request that could not be delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRequest {
    /// Whom it is for. Where that is, the [`super::Directory`] knows at the time of sending.
    pub destination: Address,
    /// The destination's name when the row was written; only shown.
    pub destination_name: String,
    /// The destination's last known base URL; only shown.
    pub url: String,
    /// The path of the request, such as `/peers`. The method is always POST.
    pub path: String,
    /// What sort of request it is, such as `notice`; a part of the row's identity.
    pub kind: String,
    /// What it is about, such as the address of the peer that a notice is about; a part of the row's identity.
    pub subject: String,
    /// A greater version replaces a smaller one. At most 2^53 - 1.
    pub version: u64,
    /// The body, JSON.
    pub body: Vec<u8>,
    /// When the row is deleted even if it never arrived; none: it waits for ever.
    pub expires_at: Option<Timestamp>,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's id. Ids are never used again, so that news about an old row cannot hit a new one.
    pub id: i64,
    /// What waits.
    pub request: QueuedRequest,
    /// How often it was tried in vain, in this version.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// When this version was put here.
    pub created_at: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// A dead letter: it was refused for good and is kept to be looked at, retried or discarded by hand.
    pub dead: bool,
}
