//! All services of the network as child processes, each of them up or down.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    plan::{Role, Service},
    process::{Ending, Process},
};

/// How long a service may take to stop before it is killed. All of them together stop within five seconds.
const PATIENCE: Duration = Duration::from_millis(4_800);
/// What is left of that for the tracker when the peers take as long as they may.
const FOR_THE_TRACKER: Duration = Duration::from_millis(600);

/// The services, and the process of each that runs.
#[derive(Debug)]
pub(crate) struct Supervisor {
    services: Vec<Supervised>,
    endings: JoinSet<(usize, u32, Ending)>,
}

#[derive(Debug)]
struct Supervised {
    service: Service,
    process: Option<Process>,
}

/// How a service was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It was not running.
    WasDown,
    /// It stopped when asked to.
    Gracefully,
    /// It did not stop in time and was killed.
    ByForce,
}

impl Supervisor {
    /// Nothing runs yet.
    pub(crate) fn new(services: Vec<Service>) -> Self {
        let services = services.into_iter().map(|service| Supervised { service, process: None }).collect();
        Self { services, endings: JoinSet::new() }
    }

    /// The services, in the order of the plan.
    pub(crate) fn services(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.services.iter().map(|supervised| &supervised.service)
    }

    /// The service at this place of the plan.
    pub(crate) fn service(&self, index: usize) -> &Service {
        &self.services[index].service
    }

    /// The place of a service in the plan.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.services().position(|service| service.name == name)
    }

    /// The process of a service, if it runs.
    pub(crate) fn process(&self, index: usize) -> Option<&Process> {
        self.services[index].process.as_ref()
    }

    /// Starts a service, unless it runs. Whether it was started now.
    pub(crate) fn start(&mut self, index: usize) -> io::Result<bool> {
        let Supervised { service, process } = &mut self.services[index];
        if process.is_some() {
            return Ok(false);
        }
        let started = Process::start(service)?;
        let (id, ended) = (started.id(), started.ended());
        self.endings.spawn(async move { (index, id, ended.await) });
        *process = Some(started);
        Ok(true)
    }

    /// Stops a service with SIGTERM, and with SIGKILL if that takes too long.
    pub(crate) async fn stop(&mut self, index: usize) -> Stopped {
        let Some(process) = self.services[index].process.take() else { return Stopped::WasDown };
        if process.stop(PATIENCE).await { Stopped::Gracefully } else { Stopped::ByForce }
    }

    /// Ends a service with SIGKILL. Whether it was running.
    pub(crate) async fn kill(&mut self, index: usize) -> bool {
        let Some(process) = self.services[index].process.take() else { return false };
        process.kill().await;
        true
    }

    /// Stops all services: first the peers, all at once, so that each can say farewell to the tracker, and then the
    /// tracker. The names of those that had to be killed.
    pub(crate) async fn stop_all(&mut self) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut killed = Vec::new();
        for (role, until) in [(Role::Peer, deadline - FOR_THE_TRACKER), (Role::Tracker, deadline)] {
            let mut stopping = JoinSet::new();
            for Supervised { service, process } in self.services.iter_mut().filter(|each| each.service.role == role) {
                if let Some(process) = process.take() {
                    let name = service.name.clone();
                    let patience = until.saturating_duration_since(Instant::now());
                    stopping.spawn(async move { (!process.stop(patience).await).then_some(name) });
                }
            }
            killed.extend(stopping.join_all().await.into_iter().flatten());
        }
        killed.sort();
        killed
    }

    /// Waits for a service to end that nobody has stopped; its place and how it ended. It is down then.
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn ended_by_itself(&mut self) -> (usize, Ending) {
        loop {
            match self.endings.join_next().await {
                Some(Ok((index, id, ending))) if self.is_process(index, id) => {
                    self.services[index].process = None;
                    return (index, ending);
                }
                // Somebody stopped this one.
                Some(Ok(_) | Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn is_process(&self, index: usize, id: u32) -> bool {
        self.process(index).is_some_and(|process| process.id() == id)
    }
}
