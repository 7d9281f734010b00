//! The one task that changes what the tracker knows.

use std::{sync::Arc, time::Duration};

use raclette_api::timeline::TimelineKind;
use raclette_chain::{address::Address, genesis::Genesis, parameters::Parameters, time::Timestamp};
use raclette_service::{
    membership::{Effects, Event, Happening, Newcomer, Probe},
    queue::QueueHandle,
};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    NodeError, State,
    genesis::{self, Task},
    now,
};
use crate::store::{Recorded, Store};

/// What is to be changed. Everything that can be checked before was checked.
#[derive(Debug)]
pub(super) enum Change {
    /// A newcomer that answered at the address it gave.
    Register(Box<Newcomer>),
    /// A farewell whose signature holds.
    Leave { address: Address, epoch: u64 },
    /// A genesis block, reported by a member.
    Genesis { genesis: Box<Genesis>, reporter: Address },
    /// A round of probes.
    RoundEnded(Vec<Probe>),
    /// A name that the operator frees.
    FreeName(String),
    /// The operator says that the tracker's connection is fine.
    OverrideSelfPreservation,
}

/// A change that was made.
#[derive(Debug)]
pub(super) struct Done {
    /// What is known since.
    pub(super) state: Arc<State>,
    /// Whether a newcomer, or a genesis block, was not known before.
    pub(super) new: bool,
    /// What a newcomer has to do about the genesis block.
    pub(super) task: Task,
}

/// A change, and where to tell that it was made.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<Done, NodeError>>,
}

/// Makes the changes, one after the other: on a copy, then in the file, then for everybody.
#[derive(Debug)]
pub struct Writer {
    pub(super) store: Store,
    pub(super) parameters: Parameters,
    pub(super) genesis_lease: Duration,
    pub(super) publish: watch::Sender<Arc<State>>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) queue: QueueHandle,
    pub(super) changed: Arc<Notify>,
}

/// A change on the copy.
#[derive(Default)]
struct Step {
    effects: Effects,
    genesis: Option<Genesis>,
    new: bool,
    task: Option<Task>,
}

impl Writer {
    /// Makes changes until `stop`; those that wait by then are still made.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let command = tokio::select! {
                biased;
                command = self.commands.recv() => command,
                () = stop.cancelled() => None,
            };
            let Some(Command { change, answer }) = command else { return };
            // Whoever asked may be gone by now; the change stands all the same.
            let _ = answer.send(self.make(change).await);
        }
    }

    async fn make(&mut self, change: Change) -> Result<Done, NodeError> {
        let now = now();
        let mut state = State::clone(&self.publish.borrow());
        let Step { effects, genesis, new, task } = self.step(&mut state, now, change)?;
        let version = state.register.version();
        self.store.record(Recorded { effects: &effects, version, genesis: genesis.as_ref(), now }).await?;
        let state = Arc::new(state);
        self.publish.send_replace(state.clone());
        effects.happened.iter().for_each(log);
        for address in effects.returned {
            self.queue.destination_returned(address);
        }
        if !effects.changed.is_empty() || genesis.is_some() {
            self.changed.notify_one();
        }
        Ok(Done { state, new, task: task.unwrap_or(Task::Nothing) })
    }

    fn step(&self, state: &mut State, now: Timestamp, change: Change) -> Result<Step, NodeError> {
        match change {
            Change::Register(newcomer) => {
                // Since the caller checked this, a genesis block may have come, or another with the same name.
                state.check_network(&newcomer)?;
                let (address, name) = (newcomer.key.address(), newcomer.registration.name.clone());
                let has_network = !newcomer.registration.parts()?.network.is_zero();
                let new = state.register.member(&address).is_none();
                let effects = state.register.step(now, Event::Registered(*newcomer))?;
                let task = match &state.genesis {
                    Some(_) => Task::Nothing,
                    None => genesis::assign(&mut state.lease, now, address, &name, has_network, self.genesis_lease),
                };
                Ok(Step { effects, new, task: Some(task), ..Step::default() })
            }
            Change::Leave { address, epoch } => {
                let effects = state.register.step(now, Event::Left { address, epoch })?;
                state.lease = state.lease.take().filter(|lease| lease.holder != address);
                Ok(Step { effects, ..Step::default() })
            }
            Change::Genesis { genesis, reporter } => {
                genesis::check(&genesis, state.genesis.as_ref(), &self.parameters, now)?;
                let effects = state.register.step(now, Event::SignOfLife { address: reporter })?;
                let new = state.genesis.is_none();
                state.lease = None;
                state.genesis = Some(Genesis::clone(&genesis));
                if new {
                    tracing::info!(network = %genesis.network(), "the network exists");
                }
                Ok(Step { effects, genesis: new.then_some(*genesis), new, ..Step::default() })
            }
            Change::RoundEnded(probes) => {
                let effects = state.register.step(now, Event::RoundEnded(probes))?;
                Ok(Step { effects, ..Step::default() })
            }
            Change::OverrideSelfPreservation => {
                let effects = state.register.step(now, Event::SelfPreservationOverridden)?;
                Ok(Step { effects, ..Step::default() })
            }
            Change::FreeName(name) => {
                let effects = state.register.step(now, Event::NameFreed { name })?;
                Ok(Step { effects, ..Step::default() })
            }
        }
    }
}

/// The timeline in the log.
fn log(happening: &Happening) {
    let member = happening.member.as_ref();
    let (name, epoch) = (member.map(|member| member.name.as_str()), member.map(|member| member.epoch));
    let (kind, version) = (happening.kind.as_str(), happening.version);
    match happening.kind {
        TimelineKind::SelfPreservationBegan => {
            tracing::warn!("so many members fail at once, unconfirmed, that the tracker doubts its own connection");
        }
        TimelineKind::SelfPreservationEnded => tracing::warn!("the tracker trusts its own connection again"),
        TimelineKind::Suspected | TimelineKind::Recovered => tracing::debug!(kind, name, epoch, "membership"),
        TimelineKind::Joined
        | TimelineKind::Registered
        | TimelineKind::Offline
        | TimelineKind::Returned
        | TimelineKind::Left
        | TimelineKind::NameFreed => tracing::info!(kind, name, epoch, version, "membership changed"),
    }
}
