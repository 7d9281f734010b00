//! The node: the one place that knows the chain, and its only application interface.
//!
//! Reads take a snapshot of the published [`State`], which never changes once published, or ask the read-only pool. Changes
//! go to the one [`writer`] as commands, which commits them together and publishes the new state. The node never calls
//! the network: it publishes what happened as [`Event`]s, and tasks listen.

mod accept;
mod audit;
mod backup;
mod blocks;
mod branch;
mod build;
mod chain;
mod checksum;
mod command;
mod directory;
mod draft;
mod error;
mod event;
mod execute;
mod explain;
mod idempotency;
mod later;
mod lives;
mod mail;
mod mempool;
mod opened;
mod probe;
mod propagation;
mod receipts;
mod recheck;
mod reorg;
mod side;
mod state;
mod storage;
mod told;
mod verified;
mod verifier;
mod wallet;
pub mod writer;

use std::sync::Arc;

use raclette_api::event::EventBody;
use raclette_chain::{address::Address, hash::NetworkId, keys::PrivateKey};
use raclette_service::{clock::now_ms, events::Feed};
use sqlx::SqlitePool;
use tokio::sync::{Mutex, Semaphore, broadcast, mpsc, oneshot, watch};

pub use audit::{Audit, Compared, Progress};
pub use backup::{inspect_copy, migrate_copy};
pub use blocks::{BlockOutcome, HandedIn, VerifiedBlock};
pub use build::Built;
pub use chain::TransactionPlace;
use command::Command;
pub use directory::{Changed, Members, Neighbour, verified_news};
pub use error::NodeError;
pub use event::{Event, Origin};
pub use explain::{CheckedTransaction, Proof, Prospect, Verification};
pub use idempotency::{KeyChange, Keyed, Noted, Taken, Turn};
use later::LaterBlocks;
pub use later::{MAX_KEPT, MAX_KEPT_AHEAD, MAX_KEPT_PER_SENDER};
pub use lives::{Moment, What};
pub use mail::{Balance, Correspondence, DELIVERY, MailItem, Order, RELAYED_BLOCK, RELAYED_TRANSACTION};
pub use mempool::{Incoming, TransactionOutcome};
pub use probe::{ProbeOrder, Probes};
pub use propagation::{ItemId, Mark, Marks, Propagation};
pub use reorg::{Alarm, ReorgEntry};
pub use state::State;
pub use storage::Storage;
use verified::RefusedBlocks;
pub use verified::VerifiedLeaves;
use verifier::Verifier;
pub use wallet::{SHOW_AGAIN, Tended};

/// How many commands may wait for the writer before callers wait too.
const WAITING_COMMANDS: usize = 1_024;
/// How many events a slow listener may lag behind before it misses some.
const EVENTS: usize = 4_096;

/// Who this peer is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The name it registers.
    pub name: String,
    /// Its key.
    pub key: Arc<PrivateKey>,
}

impl Identity {
    /// The address of the key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.public().address()
    }
}

/// The application. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Node {
    identity: Identity,
    readers: SqlitePool,
    state: watch::Receiver<Option<Arc<State>>>,
    storage: watch::Receiver<Storage>,
    members: Members,
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<Event>,
    feed: Feed,
    verified: VerifiedLeaves,
    verifier: Verifier,
    /// What may still be kept of side branches that nobody asked for.
    side: std::sync::Mutex<side::SideBudget>,
    /// Blocks that broke a rule for good and are not stored.
    refused: RefusedBlocks,
    /// Blocks from the near future.
    later: LaterBlocks,
    /// Who has what.
    propagation: Propagation,
    /// Receipts that were signed lately.
    receipts: receipts::Receipts,
    /// Messages of the owner that were opened lately.
    texts: opened::OpenedTexts,
    /// Bounds walks over the chain that anybody may ask for to one at a time.
    explaining: Semaphore,
    /// Held by the audit that runs.
    auditing: audit::AuditTurn,
    /// Held while a transaction of the owner gets its sequence number, until it is in the ledger.
    sending: Mutex<()>,
    /// The keys of the owner's requests that are under way.
    under_way: Arc<idempotency::UnderWay>,
}

/// The ends of a node that its writer holds.
#[derive(Debug)]
pub struct WriterEnds {
    /// What is to be written.
    pub commands: mpsc::Receiver<Command>,
    /// Where the new state is published.
    pub state: watch::Sender<Option<Arc<State>>>,
    /// Where it is told how the store fares.
    pub storage: watch::Sender<Storage>,
    /// Where it is told what happened.
    pub events: broadcast::Sender<Event>,
    /// Where others read what happened.
    pub feed: Feed,
}

impl Node {
    /// A node on what was stored before, and the ends for its writer.
    #[must_use]
    pub fn new(
        identity: Identity,
        readers: SqlitePool,
        state: Option<Arc<State>>,
        members: Members,
    ) -> (Arc<Self>, WriterEnds) {
        let (commands, receiver) = mpsc::channel(WAITING_COMMANDS);
        let (publisher, state) = watch::channel(state);
        let (storage_publisher, storage) = watch::channel(Storage::default());
        let (events, _) = broadcast::channel(EVENTS);
        let feed = Feed::new(readers.clone());
        let node = Self {
            identity,
            readers,
            state,
            storage,
            members,
            commands,
            events: events.clone(),
            feed: feed.clone(),
            verified: VerifiedLeaves::default(),
            verifier: Verifier::new(),
            side: std::sync::Mutex::new(side::SideBudget::new(std::time::Instant::now())),
            refused: RefusedBlocks::default(),
            later: LaterBlocks::default(),
            propagation: Propagation::default(),
            receipts: receipts::Receipts::default(),
            texts: opened::OpenedTexts::default(),
            explaining: Semaphore::new(1),
            auditing: audit::AuditTurn::default(),
            sending: Mutex::new(()),
            under_way: Arc::default(),
        };
        let ends = WriterEnds { commands: receiver, state: publisher, storage: storage_publisher, events, feed };
        (Arc::new(node), ends)
    }

    /// Who this peer is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The other members.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The read-only pool, for what is not in the published state.
    #[must_use]
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// The published state: a snapshot that never changes.
    ///
    /// # Errors
    /// [`NodeError::NotReady`] before this peer belongs to a network.
    pub fn state(&self) -> Result<Arc<State>, NodeError> {
        self.state.borrow().clone().ok_or(NodeError::NotReady { waiting_for: "the network's genesis block" })
    }

    /// The id of the network, once this peer belongs to one.
    #[must_use]
    pub fn network(&self) -> Option<NetworkId> {
        self.state.borrow().as_ref().map(|state| state.rules.network)
    }

    /// Tells when a new state is published.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.state.clone()
    }

    /// Where what happened is read, one by one and numbered.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Stores an event of which nothing else is stored.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn tell(&self, body: EventBody) -> Result<(), NodeError> {
        self.ask(|answer| Command::Tell(Box::new(body), answer)).await
    }

    /// Tells an event to those who follow right now, and stores nothing.
    pub fn tell_live(&self, body: &EventBody) {
        self.feed.tell_live(now_ms(), body);
    }

    /// What happens from now on, for this peer's own tasks.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Has the writer do something, and waits until it is committed or refused.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, NodeError>>) -> Command,
    ) -> Result<T, NodeError> {
        self.has_room()?;
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| NodeError::ShuttingDown)?;
        answered.await.map_err(|_| NodeError::ShuttingDown)?
    }
}

#[cfg(test)]
mod tests;
