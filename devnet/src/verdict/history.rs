//! What clients and observers wrote down while the network ran. Times are milliseconds since the soak began.

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What was to be sent.
    pub sent: Vec<Sent>,
    /// Which mining was answered.
    pub mined: Vec<Mined>,
    /// Transactions that were submitted again.
    pub again: Vec<Again>,
    /// What nodes said of themselves.
    pub observations: Vec<Observation>,
    /// When the tracker was cut off from all.
    pub tracker_cut_off: Vec<Interval>,
    /// When a peer could not answer: killed, suspended, or cut off itself.
    pub away: Vec<(String, Interval)>,
    /// Whom the tracker called offline, and when.
    pub told: Vec<Told>,
    /// Services that ended although nobody ended them, and how.
    pub ended: Vec<(String, String)>,
    /// How soon all was well after the healing.
    pub settled: Settled,
}

/// One order to send, with a text that no other has.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Whose peer was asked.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The text.
    pub text: String,
    /// What became of the request.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken, as the transaction with this id.
    Acknowledged(String),
    /// It was refused, with this code.
    Refused(String),
    /// There was no answer, or none that says whether it was done.
    Unknown,
}

/// A block that a peer says it has mined.
#[derive(Debug, Clone)]
pub struct Mined {
    /// The peer.
    pub peer: String,
    /// The block's hash.
    pub block: String,
}

/// A transaction that was submitted again, to whatever peer.
#[derive(Debug, Clone)]
pub struct Again {
    /// Its id.
    pub id: String,
    /// To whom.
    pub peer: String,
    /// The id in the answer, or the code of the refusal.
    pub answer: Result<String, String>,
}

/// What a node said of its tip.
#[derive(Debug, Clone)]
pub struct Observation {
    /// When.
    pub at: u64,
    /// Who.
    pub node: String,
    /// The tip's height.
    pub height: u32,
    /// The tip's hash.
    pub hash: String,
    /// The whole work, in hexadecimal digits.
    pub work: String,
    /// The state hash.
    pub state_hash: String,
}

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Its beginning.
    pub from: u64,
    /// Its end.
    pub to: u64,
}

impl Interval {
    /// Whether it contains this moment.
    #[must_use]
    pub const fn contains(&self, moment: u64) -> bool {
        self.from <= moment && moment <= self.to
    }
}

/// The tracker called somebody offline.
#[derive(Debug, Clone)]
pub struct Told {
    /// When.
    pub at: u64,
    /// Whom.
    pub name: String,
}

/// How long things took after the healing, in milliseconds; none if they had not happened when the waiting ended.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// Until all had the same tip.
    pub tips: Option<u64>,
    /// Until all had the same ledger.
    pub ledgers: Option<u64>,
    /// Until all lists were the truth.
    pub lists: Option<u64>,
    /// Until all queues were empty.
    pub queues: Option<u64>,
    /// Until a new transaction was in all ledgers.
    pub spread: Option<u64>,
    /// Until it was confirmed everywhere, from the command to mine.
    pub confirmed: Option<u64>,
}
