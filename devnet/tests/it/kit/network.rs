//! A tracker and some peers, with everything that is slow in earnest made quick.

use raclette_api::{
    membership::{PeerPage, PeerRecord},
    network::NetworkInfo,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use trials::proxy::Fault;

use super::{Peer, Service, key_of, peer::Balances, service::Role, until};

/// What a network is started with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How many attempts the first block takes on average, as a power of two.
    pub(crate) difficulty_bits: u8,
    /// How often the tracker asks who is there.
    pub(crate) liveness: &'static str,
    /// How long services wait for each other's answers.
    pub(crate) call_timeout: &'static str,
    /// Whether the services reach each other through proxies.
    pub(crate) proxies: bool,
    /// Whether the peers' links can be given faults.
    pub(crate) chaos: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { difficulty_bits: 8, liveness: "200ms", call_timeout: "5s", proxies: false, chaos: false }
    }
}

/// A network in a directory of its own.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) tracker: Service,
    peers: Vec<Peer>,
    settings: Settings,
    directory: TempDir,
}

impl Network {
    /// A tracker, and peers with these names, all ready and known to each other.
    pub(crate) async fn of(names: &[&str]) -> Self {
        Self::with(Settings::default(), names).await
    }

    /// The same with other settings.
    pub(crate) async fn with(settings: Settings, names: &[&str]) -> Self {
        let mut network = Self::tracker_alone(settings).await;
        for name in names {
            network.add(name);
            network.stand_behind_proxy(name).await;
        }
        for peer in &mut network.peers {
            peer.start().await;
        }
        for peer in &network.peers {
            peer.ready().await;
        }
        network.everybody_knows_everybody().await;
        network
    }

    /// Only a tracker yet.
    pub(crate) async fn tracker_alone(settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bits = settings.difficulty_bits.to_string();
        let arguments = words(&[
            "--liveness-interval",
            settings.liveness,
            "--call-timeout",
            settings.call_timeout,
            "--first-target-bits",
            &bits,
            "--half-life",
            "0s",
        ]);
        let mut tracker = Service::new(Role::Tracker, "tracker", directory.path().join("tracker"), arguments);
        if settings.proxies {
            tracker.stand_behind_proxy().await;
        }
        tracker.start().await;
        tracker.ready().await;
        Self { tracker, peers: Vec::new(), settings, directory }
    }

    /// Adds a peer that does not run yet.
    pub(crate) fn add(&mut self, name: &str) -> &mut Peer {
        let directory = self.directory.path().join(name);
        let tracker = format!("http://127.0.0.1:{}", self.tracker.advertised_port());
        let mut arguments = words(&[
            "--name",
            name,
            "--tracker",
            &tracker,
            "--key-bits",
            "2048",
            "--sync-interval",
            "300ms",
            "--tracker-interval",
            "300ms",
            "--call-timeout",
            self.settings.call_timeout,
        ]);
        if self.settings.chaos {
            arguments.push("--chaos".to_owned());
        }
        self.peers.push(Peer::new(Service::new(Role::Peer, name, directory, arguments)));
        self.peers.last_mut().unwrap()
    }

    /// Puts a proxy before a peer that does not run yet, if this network has proxies.
    pub(crate) async fn stand_behind_proxy(&mut self, name: &str) {
        if self.settings.proxies {
            self.peer_mut(name).stand_behind_proxy().await;
        }
    }

    /// Does this to whatever passes from `from` to `to`, in this direction; "tracker" is the tracker.
    pub(crate) fn disturb(&self, from: &str, to: &str, fault: Fault) {
        self.service(to).proxy().set_for(&key_of(from).public().address().to_string(), fault);
    }

    /// Splits the network: who is in one part reaches nobody in another one. Who is in no part is cut off from all.
    pub(crate) fn split(&self, parts: &[&[&str]], fault: Fault) {
        let names: Vec<_> = ["tracker"].into_iter().chain(self.peers.iter().map(|peer| peer.name.as_str())).collect();
        for from in &names {
            for to in names.iter().filter(|to| *to != from) {
                let together = parts.iter().any(|part| part.contains(from) && part.contains(to));
                self.disturb(from, to, if together { Fault::None } else { fault });
            }
        }
    }

    /// Ends all disturbances.
    pub(crate) fn heal(&self) {
        for service in self.peers.iter().map(|peer| &**peer).chain([&self.tracker]) {
            service.proxy().heal();
        }
    }

    fn service(&self, name: &str) -> &Service {
        if name == "tracker" { &self.tracker } else { self.peer(name) }
    }

    /// A peer, by its name.
    pub(crate) fn peer(&self, name: &str) -> &Peer {
        self.peers.iter().find(|peer| peer.name == name).expect("there is such a peer")
    }

    /// A peer, by its name, to stop or start it.
    pub(crate) fn peer_mut(&mut self, name: &str) -> &mut Peer {
        self.peers.iter_mut().find(|peer| peer.name == name).expect("there is such a peer")
    }

    /// All peers.
    pub(crate) fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// What the tracker says about the network.
    pub(crate) async fn info(&self) -> NetworkInfo {
        self.tracker.get("/network").await
    }

    /// What the tracker knows of its peers.
    pub(crate) async fn records(&self) -> Vec<PeerRecord> {
        self.tracker.get::<PeerPage>("/peers").await.peers
    }

    /// Waits until each of the peers has the connection details of all others.
    pub(crate) async fn everybody_knows_everybody(&self) {
        let others = u32::try_from(self.peers.len()).unwrap() - 1;
        for peer in &self.peers {
            until(&format!("{} knows {others} others", peer.name), async || peer.status().await.peers.online == others)
                .await;
        }
    }

    /// Waits until all running peers have the same tip, state and ledger; what they agree on.
    pub(crate) async fn agreement(&self) -> Balances {
        let running: Vec<_> = self.peers.iter().filter(|peer| peer.is_running()).collect();
        until("all peers have the same tip, state and ledger", async || {
            let mut asked = JoinSet::new();
            for port in running.iter().map(|peer| peer.port) {
                asked.spawn(Peer::state_at(port));
            }
            let states = asked.join_all().await;
            states[0].is_some() && states.iter().all(|state| *state == states[0])
        })
        .await;
        let mut balances = Vec::new();
        for peer in &running {
            balances.push(peer.balances_of(self.peers()).await);
        }
        assert!(balances.iter().all(|found| *found == balances[0]), "different balances: {balances:?}");
        balances.swap_remove(0)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
