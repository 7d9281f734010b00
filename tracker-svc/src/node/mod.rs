//! What the tracker can do, without HTTP and without calling anybody: the handlers and the tasks are thin callers of this.
//!
//! One task, the [`Writer`], changes things: it steps a copy of the [`State`], stores what follows, and only then publishes
//! the copy. Everybody else reads what was published last. What the node cannot do itself, calling a newcomer back, it asks
//! of a task through a channel ([`CallBack`]).

mod agreement;
mod call_back;
mod error;
mod genesis;
mod identity;
mod info;
mod membership;
mod operator;
mod state;
mod timeline;
mod writer;

use std::{sync::Arc, time::Duration};

use raclette_chain::{parameters::Parameters, time::Timestamp};
use raclette_service::{
    access::Token,
    clock::now_ms,
    membership::{Probe, Register, RegisterSettings},
    queue::QueueHandle,
};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use self::writer::{Change, Command, Done};
pub use self::{
    agreement::{Asked, Survey, compare},
    call_back::CallBack,
    error::NodeError,
    identity::{Identity, IdentityError},
    membership::{Listing, Registered},
    state::State,
    timeline::TimelineFilter,
    writer::Writer,
};
use crate::store::{Loaded, Store};

/// How many changes may wait for the writer. More than this many callers wait for a place, which is as good.
const WAITING_CHANGES: usize = 1_024;
/// How many newcomers may wait to be called back.
const WAITING_CALLS: usize = 256;
/// How many may wait to hear whether the peers agree.
const WAITING_SURVEYS: usize = 256;

/// What the node is told at its start.
#[derive(Debug)]
pub struct Settings {
    /// The network's parameters.
    pub parameters: Parameters,
    /// When a member is offline.
    pub register: RegisterSettings,
    /// How long a peer may take to make the genesis block.
    pub genesis_lease: Duration,
    /// What a newcomer must know.
    pub join_token: Option<Token>,
}

/// The tracker.
#[derive(Debug)]
pub struct Node {
    identity: Arc<Identity>,
    parameters: Parameters,
    join_token: Option<Token>,
    store: Store,
    state: watch::Receiver<Arc<State>>,
    commands: mpsc::Sender<Command>,
    calls: mpsc::Sender<CallBack>,
    queue: QueueHandle,
    changed: Arc<Notify>,
    surveys: mpsc::Sender<Survey>,
}

/// What has to run beside the node.
#[derive(Debug)]
pub struct Companions {
    /// Changes what is known; see [`Writer::run`].
    pub writer: Writer,
    /// Newcomers to be called back.
    pub calls: mpsc::Receiver<CallBack>,
    /// Those who want to know whether the peers agree.
    pub surveys: mpsc::Receiver<Survey>,
}

impl Node {
    /// The node over what was stored, and what has to run beside it.
    #[must_use]
    pub fn new(settings: Settings, identity: Identity, store: Store, loaded: Loaded) -> (Arc<Self>, Companions) {
        let Settings { parameters, register, genesis_lease, join_token } = settings;
        let register = Register::restored(register, loaded.register);
        let first = State { register, genesis: loaded.genesis, lease: None };
        let (publish, state) = watch::channel(Arc::new(first));
        let (commands, waiting) = mpsc::channel(WAITING_CHANGES);
        let (calls, calls_waiting) = mpsc::channel(WAITING_CALLS);
        let (surveys, surveys_waiting) = mpsc::channel(WAITING_SURVEYS);
        let (queue, changed) = (QueueHandle::new(), Arc::new(Notify::new()));
        let writer = Writer {
            store: store.clone(),
            parameters: parameters.clone(),
            genesis_lease,
            publish,
            commands: waiting,
            queue: queue.clone(),
            changed: changed.clone(),
        };
        let identity = Arc::new(identity);
        let node = Self { identity, parameters, join_token, store, state, commands, calls, queue, changed, surveys };
        (Arc::new(node), Companions { writer, calls: calls_waiting, surveys: surveys_waiting })
    }

    /// What is known now.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    /// The tracker's own key.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The file.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The drain's bell.
    #[must_use]
    pub fn queue(&self) -> &QueueHandle {
        &self.queue
    }

    /// Rings when there is something to announce.
    #[must_use]
    pub fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }

    /// Whether changes can still be made.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !self.commands.is_closed()
    }

    /// A round of probes is over.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn round_ended(&self, probes: Vec<Probe>) -> Result<(), NodeError> {
        self.change(Change::RoundEnded(probes)).await?;
        Ok(())
    }

    /// Has the writer make a change. Whoever stops waiting does not stop the change.
    async fn change(&self, change: Change) -> Result<Done, NodeError> {
        let (answer, done) = oneshot::channel();
        self.commands.send(Command { change, answer }).await.map_err(|_| NodeError::Stopping)?;
        done.await.map_err(|_| NodeError::Stopping)?
    }
}

/// The time now.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX)
}
