//! What the simulated services say to each other, and how a network carries it.

use std::time::Duration;

use raclette_api::{
    membership::{PeerRecord, Registration},
    notice::NoticeChange,
};
use serde::{Deserialize, Serialize};

/// A service: the tracker is 0, peers are numbered from 1.
pub(crate) type Host = usize;
/// The tracker.
pub(crate) const TRACKER: Host = 0;

/// A request or an answer. What is signed in earnest is true by definition here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Message {
    /// A peer registers.
    Register(Box<Registration>),
    /// It is taken; the whole list.
    Registered(Vec<PeerRecord>),
    /// It is not taken.
    Refused,
    /// Whether the peer lives.
    Alive,
    /// It does, in this epoch.
    Epoch(u64),
    /// Look whether another peer lives.
    LookFor { whom: Host, within_ms: u64 },
    /// What came back, if anything did.
    Found(Option<u64>),
    /// Who came and who went.
    Notice { issued: u64, changes: Vec<NoticeChange> },
    /// The notice is taken.
    Taken,
    /// In which epoch the tracker knows the member with this name to be online.
    Listed(String),
    /// What changed after a version.
    Since(u64),
    /// That, and the highest version.
    Changes { issued: u64, version: u64, changes: Vec<NoticeChange> },
}

/// A network.
pub(crate) trait Wire: Clone + Send + Sync + 'static {
    /// Sends a request and waits for the answer; none if there is none within this time.
    fn call(
        &self,
        from: Host,
        to: Host,
        message: Message,
        within: Duration,
    ) -> impl Future<Output = Option<Message>> + Send;
}
