//! A TCP proxy in front of a service, which disturbs what passes: it delays, drops, holds back, resets and cuts, for all
//! callers or for one, and can be told otherwise at any time.
//!
//! A peer is reached through a proxy by `--advertise-port`, the tracker by the peers' `--tracker`. Services name themselves
//! in `Raclette-From` with every request and share no connection, so that each link between two services can be disturbed
//! by itself: that is how a network is split into parts ([`Proxy::set_for`]).
//!
//! It is bounded: [`CONNECTIONS`] connections at once, of each 16 KiB a direction; a connection whose first request has no
//! end of its head within 64 KiB is closed.

mod fault;
mod relay;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use raclette_service::dice::Dice;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::{AbortHandle, JoinSet},
};

pub use self::fault::Fault;
use self::fault::Rules;

/// How many connections may stand at once; one more is closed at once.
pub const CONNECTIONS: usize = 1_024;

/// A proxy that listens on a port of its own until it is dropped, which also ends all connections through it.
#[derive(Debug)]
pub struct Proxy {
    listening: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// How much went through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections that came.
    pub connections: u64,
    /// Connections that the proxy itself ended because of a fault, or because there were too many.
    pub ended: u64,
    /// Bytes of requests that passed.
    pub asked: u64,
    /// Bytes of answers that passed.
    pub answered: u64,
}

/// What the proxy and its connections have in common.
#[derive(Debug)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    rules: watch::Sender<Rules>,
    dice: Dice,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    ended: AtomicU64,
    asked: AtomicU64,
    answered: AtomicU64,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1. As long as there is no target, connections are closed at once.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn start(dice: Dice) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let listening = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::default(),
            rules: watch::Sender::new(Rules::default()),
            dice,
            counters: Counters::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { listening, shared, task })
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listening.port()
    }

    /// Connections that come from now on lead there.
    pub fn forward_to(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// Does this to all connections of callers that have no fault of their own, those that stand and those that come.
    pub fn set(&self, fault: Fault) {
        self.change(|rules| rules.everybody = fault);
    }

    /// Does this to all connections of the caller that names itself by this address in `Raclette-From`.
    pub fn set_for(&self, caller: &str, fault: Fault) {
        self.change(|rules| {
            rules.by_caller.insert(caller.to_owned(), fault);
        });
    }

    /// Lets everything pass for everybody.
    pub fn heal(&self) {
        self.change(|rules| {
            rules.everybody = Fault::None;
            rules.by_caller.clear();
        });
    }

    /// How much went through it.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: read(&counters.connections),
            ended: read(&counters.ended),
            asked: read(&counters.asked),
            answered: read(&counters.answered),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        self.shared.rules.send_modify(|rules| {
            rules.generation += 1;
            change(rules);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn target(&self) -> Option<SocketAddr> {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropping the set ends what is in it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that is gone before it was taken is no connection.
                let Ok((client, _)) = accepted else { continue };
                shared.counters.connections.fetch_add(1, Ordering::Relaxed);
                let (Some(target), Ok(place)) = (shared.target(), Arc::clone(&room).try_acquire_owned()) else {
                    shared.counters.ended.fetch_add(1, Ordering::Relaxed);
                    continue;
                };
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    relay::connection(client, target, &shared).await;
                    drop(place);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests;
