//! The network of a soak: a tracker and peers as processes of this program, each behind a proxy.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use raclette_service::dice::Dice;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tempfile::TempDir;
use trials::proxy::{Fault, Proxy};

use super::{Failure, ask::Caller, diary::Diary, nemesis::Away};
use crate::{
    plan::{self, Role, Service},
    probe::Probe,
    process::Process,
    ready,
    supervisor::Supervisor,
};

/// What the tracker is started with: rounds of a second, and blocks that take a moment.
const TRACKER: [&str; 8] =
    ["--liveness-interval", "1s", "--call-timeout", "2s", "--first-target-bits", "12", "--half-life", "0s"];
/// What the peers are started with: they compare themselves with others every second.
const PEER: [&str; 6] = ["--sync-interval", "1s", "--tracker-interval", "1s", "--call-timeout", "2s"];

/// Which process runs each service at the moment, and its how manieth that is.
pub(super) type Processes = Arc<Mutex<BTreeMap<String, (u32, u32, PathBuf)>>>;

/// The tracker is the first service.
pub(super) const TRACKER_INDEX: usize = 0;

/// The network.
#[derive(Debug)]
pub(super) struct Ground {
    supervisor: Supervisor,
    probe: Probe,
    proxies: Vec<Proxy>,
    /// The services' addresses in the network, once they run.
    addresses: Vec<String>,
    processes: Processes,
    directory: Option<TempDir>,
}

impl Ground {
    /// Starts a tracker and so many peers, and waits until they are ready.
    pub(super) async fn start(under: &Path, peers: u16) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("raclette-soak-").tempdir_in(under)?;
        let ports = free_ports(usize::from(peers) + 1)?;
        let mut proxies = Vec::new();
        let mut services = Vec::new();
        for (index, port) in ports.into_iter().enumerate() {
            let proxy = Proxy::start(Dice::system()).await?;
            proxy.forward_to((Ipv4Addr::LOCALHOST, port).into());
            let tracker = proxies.first().map_or(0, Proxy::port);
            services.push(service(index, port, proxy.port(), tracker, directory.path()));
            proxies.push(proxy);
        }
        for service in &services {
            fs::create_dir(&service.directory)?;
        }
        let mut ground = Self {
            supervisor: Supervisor::new(services),
            probe: Probe::new()?,
            proxies,
            addresses: Vec::new(),
            processes: Processes::default(),
            directory: Some(directory),
        };
        let all: Vec<_> = (0..=usize::from(peers)).collect();
        for index in &all {
            ground.launch(*index)?;
        }
        ground.ready(&all).await?;
        for index in all {
            let own = Caller::new(ground.supervisor.service(index))?;
            let (path, member) = if index == TRACKER_INDEX { ("/network", "tracker") } else { ("/status", "address") };
            let address = own.get(path).await?[member].as_str().map(str::to_owned);
            ground.addresses.push(address.ok_or("a service does not tell its address")?);
        }
        Ok(ground)
    }

    /// The peers.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Service> {
        self.supervisor.services().skip(1)
    }

    /// All services, the tracker first.
    pub(super) fn services(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.supervisor.services()
    }

    /// A service's name.
    pub(super) fn name(&self, index: usize) -> &str {
        &self.supervisor.service(index).name
    }

    /// The address of the service at this place.
    pub(super) fn address(&self, index: usize) -> &str {
        &self.addresses[index]
    }

    /// The proxy before the service at this place.
    pub(super) fn proxy(&self, index: usize) -> &Proxy {
        &self.proxies[index]
    }

    /// Which processes run.
    pub(super) fn processes(&self) -> Processes {
        Arc::clone(&self.processes)
    }

    /// Starts a service and does not wait.
    pub(super) fn launch(&mut self, index: usize) -> Result<(), Failure> {
        self.supervisor.start(index)?;
        let service = self.supervisor.service(index);
        let id = self.supervisor.process(index).map(Process::id).ok_or("it ended at once")?;
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let run = processes.get(&service.name).map_or(0, |(_, run, _)| run + 1);
        processes.insert(service.name.clone(), (id, run, service.directory.clone()));
        Ok(())
    }

    /// Waits until these services are ready.
    pub(super) async fn ready(&mut self, which: &[usize]) -> Result<(), Failure> {
        ready::wait_and_tell(&self.supervisor, &self.probe, which, |_, _| {}).await.map_err(|failed| {
            let log = ready::end_of_log(&failed.service.log_file());
            format!("{} did not come up ({}); the end of its log:\n{log}", failed.service.name, failed.ending.0).into()
        })
    }

    /// Ends a service with SIGKILL.
    pub(super) async fn kill(&mut self, index: usize) {
        self.supervisor.kill(index).await;
    }

    /// Sends a signal to a service's process.
    pub(super) fn signal(&self, index: usize, signal: Signal) -> Result<(), Failure> {
        Ok(kill_process(self.pid(index)?, signal)?)
    }

    /// Bounds the size of the files that a service can write: with a small bound its disk is full.
    pub(super) fn limit_files(&self, index: usize, bytes: Option<u64>) -> Result<(), Failure> {
        prlimit(Some(self.pid(index)?), Resource::Fsize, Rlimit { current: bytes, maximum: None })?;
        Ok(())
    }

    fn pid(&self, index: usize) -> Result<Pid, Failure> {
        let id = self.supervisor.process(index).map(Process::id).and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw).ok_or_else(|| format!("{} does not run", self.name(index)).into())
    }

    /// Does this to all links between two parts of the network: `part` says which part a service is in.
    pub(super) fn split(&self, part: impl Fn(usize) -> usize, fault: Fault) {
        for (to, proxy) in self.proxies.iter().enumerate() {
            for from in (0..self.proxies.len()).filter(|from| part(*from) != part(to)) {
                proxy.set_for(self.address(from), fault);
            }
        }
    }

    /// Waits for a service that ends by itself; its place and how it ended.
    pub(super) async fn ended_by_itself(&mut self) -> (usize, String) {
        let (index, ending) = self.supervisor.ended_by_itself().await;
        (index, ending.0)
    }

    /// Ends all disturbances: whatever is held passes, whatever sleeps wakes, whatever is down comes up.
    pub(super) async fn heal(&mut self, diary: &Diary) -> Result<(), Failure> {
        for proxy in &self.proxies {
            proxy.heal();
        }
        for index in 0..self.proxies.len() {
            if self.supervisor.process(index).is_some() {
                self.limit_files(index, None)?;
                self.signal(index, Signal::CONT)?;
            } else {
                let away = Away::begin(self.name(index), diary);
                self.launch(index)?;
                self.ready(&[index]).await?;
                away.end(diary);
            }
        }
        Ok(())
    }

    /// Stops all; the names of those that had to be killed.
    pub(super) async fn stop(&mut self) -> Vec<String> {
        self.supervisor.stop_all().await
    }

    /// Keeps the files; where they are.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.directory.take().map(TempDir::keep).unwrap_or_default()
    }
}

fn service(index: usize, port: u16, proxy: u16, tracker: u16, under: &Path) -> Service {
    let (name, role) = match index.checked_sub(1) {
        None => (String::from("tracker"), Role::Tracker),
        Some(peer) => (plan::name(peer), Role::Peer),
    };
    let directory = under.join(&name);
    let kind = if role == Role::Tracker { "tracker" } else { "peer" };
    let mut arguments: Vec<_> = [kind, "--supervised", "--listen", "127.0.0.1", "--port"].map(Into::into).into();
    arguments.extend([port.to_string().into(), "--advertise-port".into(), proxy.to_string().into()]);
    arguments.extend(["--data-dir".into(), directory.clone().into(), "--key-bits".into(), "2048".into()]);
    match role {
        Role::Tracker => arguments.extend(TRACKER.map(Into::into)),
        Role::Peer => {
            let tracker = format!("http://127.0.0.1:{tracker}");
            arguments.extend(["--name".into(), name.clone().into(), "--tracker".into(), tracker.into()]);
            arguments.extend(PEER.map(Into::into));
        }
    }
    Service { name, role, port, directory, arguments, survives_file_limit: true }
}

/// Ports that nobody listens on, outside the range from which the system chooses by itself: a service that is down must
/// find its port free when it comes up. Different soaks begin to look at different places.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    const FIRST: u32 = 10_000;
    const RANGE: u32 = 20_000;
    let begin = std::process::id().wrapping_mul(7_919) % RANGE;
    let candidates = (0..RANGE).filter_map(|step| u16::try_from(FIRST + (begin + step) % RANGE).ok());
    let free: Vec<_> =
        candidates.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).take(count).collect();
    if free.len() == count { Ok(free) } else { Err("no ports are free".into()) }
}
