//! A whole simulated network in memory: who runs, and what the weather is.

use std::{collections::BTreeMap, sync::Arc, sync::Mutex, time::Duration};

use raclette_chain::time::Timestamp;
use raclette_service::{clock::Clock, dice::Dice};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    memory::{Memory, Weather},
    message::{Host, TRACKER},
    people,
    simulated_peer::Peer,
    simulated_tracker::Tracker,
};

/// When every simulation begins: some time in 2027.
const START: u64 = 1_800_000_000_000;

/// Numbers that follow from the seed.
pub(crate) fn dice(seed: u64) -> Dice {
    let random = Mutex::new(StdRng::seed_from_u64(seed));
    Dice::new(move || random.lock().unwrap().random::<f64>())
}

/// The time at which a simulation is, so long after its start.
pub(crate) fn at(elapsed: Duration) -> Timestamp {
    Timestamp::new(START).unwrap().saturating_add(elapsed)
}

/// Runs a scenario with a network that is all of this seed, as quickly as it computes.
pub(crate) fn simulate<T>(seed: u64, peers: usize, every: Duration, scenario: impl AsyncFnOnce(&mut World) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed, peers, every);
        scenario(&mut world).await
    })
}

/// The network.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) wire: Memory,
    clock: Clock,
    tracker: Arc<Tracker<Memory>>,
    peers: Vec<Arc<Peer<Memory>>>,
    running: BTreeMap<Host, JoinHandle<()>>,
}

impl World {
    /// A tracker that runs, and peers that do not run yet.
    fn new(seed: u64, peers: usize, every: Duration) -> Self {
        let dice = dice(seed);
        let begun = Instant::now();
        let clock = Clock::new(move || at(begun.elapsed()));
        let wire = Memory::new(dice.clone());
        let tracker = Tracker::new(wire.clone(), clock.clone(), dice.clone(), every);
        let peers: Vec<_> = (1..=peers).map(|host| Peer::new(host, wire.clone(), clock.clone())).collect();
        for peer in &peers {
            let answering = peer.clone();
            wire.serve(peer.host(), Arc::new(move |message| Box::pin(answering.clone().answer(message))));
        }
        wire.weather(|weather| weather.down = (1..=peers.len()).collect());
        let mut world = Self { dice, wire, clock, tracker, peers, running: BTreeMap::new() };
        world.run_tracker();
        world
    }

    fn run_tracker(&mut self) {
        let answering = self.tracker.clone();
        self.wire.serve(TRACKER, Arc::new(move |message| Box::pin(answering.clone().answer(message))));
        self.running.insert(TRACKER, tokio::spawn(self.tracker.clone().run()));
    }

    /// Starts all peers, a little after each other.
    pub(crate) async fn start_all(&mut self) {
        for host in 1..=self.peers.len() {
            self.start(host);
            self.pass(Duration::from_millis(200)).await;
        }
        self.pass(Duration::from_secs(5)).await;
    }

    pub(crate) fn start(&mut self, host: Host) {
        self.wire.weather(|weather| weather.down.remove(&host));
        let task = tokio::spawn(self.peers[host - 1].clone().run());
        assert!(self.running.insert(host, task).is_none(), "{host} runs already");
    }

    pub(crate) fn kill(&mut self, host: Host) {
        self.running.remove(&host).unwrap().abort();
        self.wire.weather(|weather| weather.down.insert(host));
    }

    /// Kills the tracker and starts it again with its file.
    pub(crate) fn restart_tracker(&mut self) {
        self.running.remove(&TRACKER).unwrap().abort();
        self.tracker = self.tracker.restarted();
        self.run_tracker();
    }

    /// Everything arrives from now on.
    pub(crate) fn calm(&self) {
        self.wire.weather(|weather| *weather = Weather { down: weather.down.clone(), ..Weather::calm() });
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        sleep(time).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn tracker(&self) -> &Tracker<Memory> {
        &self.tracker
    }

    pub(crate) fn peer(&self, host: Host) -> &Peer<Memory> {
        &self.peers[host - 1]
    }

    /// The peers that run, or those that do not.
    pub(crate) fn peers(&self, running: bool) -> Vec<Host> {
        (1..=self.peers.len()).filter(|host| self.running.contains_key(host) == running).collect()
    }

    /// One of these hosts, if there is any.
    pub(crate) fn any_of(&self, hosts: &[Host]) -> Option<Host> {
        hosts.get(self.dice.pick(hosts.len())).copied()
    }

    /// What a running peer should reach: all other running peers, in their epochs.
    pub(crate) fn truth_for(&self, host: Host) -> Vec<(String, u64)> {
        let others = self.peers(true).into_iter().filter(|other| *other != host);
        others.map(|other| (people::name(other), self.peer(other).epoch())).collect()
    }
}
