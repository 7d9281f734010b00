//! A peer's membership: it registers, keeps its list, answers the tracker, and reads what changed now and then.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use raclette_api::notice::{ChangeKind, NoticeChange};
use raclette_chain::{keys::PublicKey, time::Timestamp};
use raclette_service::{
    clock::Clock,
    membership::{News, Outcome, PeerDirectory},
};
use tokio::time::sleep;

use super::{
    message::{Host, Message, TRACKER, Wire},
    people,
};

/// How often the tracker's list is read.
const PERIOD: Duration = Duration::from_secs(30);
/// After how long it is tried again while the tracker does not answer.
const SOON: Duration = Duration::from_millis(500);
/// How long the tracker may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A peer: what it keeps over restarts.
pub(crate) struct Peer<W> {
    host: Host,
    key: PublicKey,
    wire: W,
    clock: Clock,
    epoch: AtomicU64,
    read: AtomicU64,
    directory: Mutex<PeerDirectory>,
    /// Whose connection details it has deleted, and when.
    deleted: Mutex<Vec<(String, Timestamp)>>,
    /// How many notices it has taken.
    notices: AtomicU64,
}

impl<W: Wire> Peer<W> {
    pub(crate) fn new(host: Host, wire: W, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            host,
            key: people::public_key(host),
            wire,
            clock,
            epoch: AtomicU64::new(0),
            read: AtomicU64::new(0),
            directory: Mutex::default(),
            deleted: Mutex::default(),
            notices: AtomicU64::new(0),
        })
    }

    /// Runs it from a start to its end, which comes from outside.
    pub(crate) async fn run(self: Arc<Self>) {
        self.read.store(0, SeqCst);
        self.register().await;
        loop {
            let pause = if self.keep_in_touch().await { PERIOD } else { SOON };
            sleep(pause).await;
        }
    }

    /// Registers until the tracker has taken it.
    async fn register(&self) {
        loop {
            let epoch = self.epoch.fetch_add(1, SeqCst) + 1;
            let registration = people::registration(self.host, &self.key, epoch, self.clock.now());
            let request = Message::Register(Box::new(registration));
            if let Some(Message::Registered(records)) = self.wire.call(self.host, TRACKER, request, PATIENCE).await {
                // That somebody went is believed in notices only.
                let there = records.iter().filter(|record| record.registration.is_some());
                self.take(there.map(|record| {
                    let issued = Timestamp::new(record.last_seen).unwrap();
                    let change = NoticeChange {
                        kind: ChangeKind::Online,
                        name: record.name.clone(),
                        address: record.address.clone(),
                        epoch: record.epoch,
                        version: record.version,
                        registration: record.registration.clone(),
                    };
                    News::of_change(&change, issued).unwrap()
                }));
                return;
            }
            sleep(SOON).await;
        }
    }

    /// Reads what changed; registers again if the tracker does not know this peer as it is.
    async fn keep_in_touch(&self) -> bool {
        let listed = Message::Listed(people::name(self.host));
        let answer = self.wire.call(self.host, TRACKER, listed, PATIENCE).await;
        let Some(Message::Found(epoch)) = answer else { return false };
        if epoch.is_none_or(|epoch| epoch < self.epoch.load(SeqCst)) {
            self.register().await;
        }
        let request = Message::Since(self.read.load(SeqCst));
        let answer = self.wire.call(self.host, TRACKER, request, PATIENCE).await;
        let Some(Message::Changes { issued, version, changes }) = answer else { return false };
        self.take_changes(issued, &changes);
        self.read.store(version, SeqCst);
        true
    }

    fn take_changes(&self, issued: u64, changes: &[NoticeChange]) {
        let issued = Timestamp::new(issued).unwrap();
        self.take(changes.iter().map(|change| News::of_change(change, issued).unwrap()));
    }

    fn take(&self, news: impl Iterator<Item = News>) {
        let own = self.key.address();
        let mut directory = self.directory.lock().unwrap();
        for news in news.filter(|news| news.address() != own) {
            let before = directory.peer(&news.address()).is_some_and(|peer| peer.destination().is_some());
            if let Outcome::Applied { peer, .. } = directory.apply(news)
                && before
                && peer.destination().is_none()
            {
                self.deleted.lock().unwrap().push((peer.name.clone(), self.clock.now()));
            }
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(self: Arc<Self>, request: Message) -> Message {
        match request {
            Message::Alive => Message::Epoch(self.epoch.load(SeqCst)),
            Message::LookFor { whom, within_ms } => {
                let within = Duration::from_millis(within_ms);
                match self.wire.call(self.host, whom, Message::Alive, within).await {
                    Some(Message::Epoch(epoch)) => Message::Found(Some(epoch)),
                    _ => Message::Found(None),
                }
            }
            Message::Notice { issued, changes } => {
                self.notices.fetch_add(1, SeqCst);
                self.take_changes(issued, &changes);
                Message::Taken
            }
            _ => Message::Refused,
        }
    }

    pub(crate) fn host(&self) -> Host {
        self.host
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    pub(crate) fn notices(&self) -> u64 {
        self.notices.load(SeqCst)
    }

    /// Whose connection details it has deleted, and when.
    pub(crate) fn deleted(&self) -> Vec<(String, Timestamp)> {
        self.deleted.lock().unwrap().clone()
    }

    /// The names that it can reach, with the epoch that it knows, in the order of the names.
    pub(crate) fn reaches(&self) -> Vec<(String, u64)> {
        let directory = self.directory.lock().unwrap();
        let there = directory.by_name(None).filter(|peer| peer.destination().is_some());
        there.map(|peer| (peer.name.clone(), peer.epoch)).collect()
    }
}
