//! The services that are measured: child processes of this program, on free ports, with their files in a directory that
//! is deleted at the end.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use raclette_api::{block::BlockMessage, chain::StatusMessage};
use raclette_chain::genesis::Genesis;
use tempfile::TempDir;

use super::{Failure, load::Connection};
use crate::{
    plan::{Role, Service},
    probe::Probe,
    ready,
    supervisor::Supervisor,
};

/// A tracker and some peers. The peers start when they are told to.
#[derive(Debug)]
pub(super) struct Services {
    supervisor: Supervisor,
    probe: Probe,
    // Deleted when this is dropped, behind the services.
    _directory: TempDir,
}

impl Services {
    /// Starts a tracker with these settings of the network. `peers` are the names of the peers that there may be.
    pub(super) async fn start(under: &Path, network: &[&str], peers: &[&str]) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("raclette-bench-").tempdir_in(under)?;
        let ports = free_ports(1 + peers.len())?;
        let tracker = service("tracker", Role::Tracker, ports[0], directory.path(), network);
        let url = tracker.url();
        let peers = peers.iter().zip(&ports[1..]).map(|(name, port)| {
            let settings = ["--name", name, "--tracker", &url, "--key-bits", "2048"];
            service(name, Role::Peer, *port, directory.path(), &settings)
        });
        let services: Vec<_> = std::iter::once(tracker).chain(peers).collect();
        for service in &services {
            fs::create_dir(&service.directory)?;
        }
        let mut started = Self { supervisor: Supervisor::new(services), probe: Probe::new()?, _directory: directory };
        started.bring_up("tracker").await?;
        Ok(started)
    }

    /// Starts a service and waits until it is ready.
    pub(super) async fn bring_up(&mut self, name: &str) -> Result<(), Failure> {
        let index = self.launch(name)?;
        ready::wait_and_tell(&self.supervisor, &self.probe, &[index], |_, _| {}).await.map_err(|failed| {
            let log = ready::end_of_log(&failed.service.log_file());
            Failure::from(format!("{name} did not come up ({}); the end of its log:\n{log}", failed.ending.0))
        })
    }

    /// Starts a service and does not wait.
    pub(super) fn launch(&mut self, name: &str) -> Result<usize, Failure> {
        let index = self.index(name)?;
        self.supervisor.start(index)?;
        Ok(index)
    }

    /// Where a service listens.
    pub(super) fn socket(&self, name: &str) -> Result<SocketAddr, Failure> {
        Ok(self.supervisor.service(self.index(name)?).socket())
    }

    /// The process of a service.
    pub(super) fn process(&self, name: &str) -> Result<u32, Failure> {
        let process = self.supervisor.process(self.index(name)?);
        process.map(crate::process::Process::id).ok_or_else(|| format!("{name} does not run").into())
    }

    /// A connection to a service.
    pub(super) async fn connect(&self, name: &str) -> Result<Connection, Failure> {
        Connection::open(self.socket(name)?).await
    }

    /// A connection of a service's owner.
    pub(super) async fn connect_as_owner(&self, name: &str) -> Result<Connection, Failure> {
        let token = fs::read_to_string(self.supervisor.service(self.index(name)?).token_file())?;
        self.connect(name).await?.with_token(token.trim())
    }

    /// The genesis block of the network, from a peer that is ready.
    pub(super) async fn genesis(&self, name: &str) -> Result<Genesis, Failure> {
        let block: BlockMessage = self.connect(name).await?.read("/block/0").await?;
        let genesis = block.genesis.ok_or("the genesis block does not say what it commits to")?;
        Ok(Genesis::try_from(&genesis)?)
    }

    /// Stops all that run.
    pub(super) async fn stop(mut self) {
        self.supervisor.stop_all().await;
    }

    fn index(&self, name: &str) -> Result<usize, Failure> {
        self.supervisor.find(name).ok_or_else(|| format!("there is no {name}").into())
    }
}

/// The height of a peer's tip, and how many transactions wait in its ledger.
pub(super) async fn height_and_pending(peer: &mut Connection) -> Result<(u32, u64), Failure> {
    let status: StatusMessage = peer.read("/status").await?;
    Ok((status.tip.map_or(0, |tip| tip.height), status.ledger.count))
}

fn service(name: &str, role: Role, port: u16, under: &Path, settings: &[&str]) -> Service {
    let directory = under.join(name);
    let kind = match role {
        Role::Tracker => "tracker",
        Role::Peer => "peer",
    };
    let mut arguments: Vec<_> = [kind, "--supervised", "--listen", "127.0.0.1", "--port"].map(Into::into).into();
    arguments.extend([port.to_string().into(), "--data-dir".into(), directory.clone().into()]);
    arguments.extend(settings.iter().map(Into::into));
    Service { name: name.to_owned(), role, port, directory, arguments, survives_file_limit: false }
}

/// Ports that nobody listens on. All are held until the last is found, so that they differ.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// The resident memory of a process, in bytes.
pub(super) fn resident_memory(process: u32) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the system does not tell VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// The processor time that a process has used so far, in seconds.
pub(super) fn processor_seconds(process: u32) -> Result<f64, Failure> {
    /// The kernel counts in these for all programs, whatever it uses itself.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold anything; user and system time are the twelfth and thirteenth behind it.
    let (_, behind) = stat.rsplit_once(')').ok_or("the system tells nothing of the process")?;
    let ticks = behind.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_A_SECOND)
}
