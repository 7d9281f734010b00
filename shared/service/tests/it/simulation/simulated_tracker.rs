//! A tracker's membership: its register, its rounds, its announcements and its queue, as the service puts them together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt as _;
use raclette_api::notice::NoticeChange;
use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::{
    client::SendError,
    clock::Clock,
    dice::Dice,
    membership::{
        Effects, Event, Happening, Member, Newcomer, Pace, Prober, Register, RegisterSettings, StoredMember,
        StoredRegister, Teller, Testimony, announcing, run_round,
    },
    queue::{Destination, Directory, Drain, DrainOptions, QueueChange, QueueHandle, QueuedRequest, Transport},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    message::{Host, Message, TRACKER, Wire},
    people,
    table::Table,
};

/// How long the first, direct attempt of a notice may take.
const NOTICE: Duration = Duration::from_secs(2);
/// How long a newcomer may take to answer when it is called back.
const CALL_BACK: Duration = Duration::from_secs(3);
/// How long an attempt of the queue may take.
const ATTEMPT: Duration = Duration::from_secs(15);
/// How often it is looked whether there is something to announce, if nobody rings.
const ANNOUNCE: Duration = Duration::from_secs(5);

/// What the tracker's file holds.
#[derive(Debug, Clone, Default)]
struct File {
    announced: BTreeMap<Address, u64>,
    table: Table,
}

/// A tracker.
pub(crate) struct Tracker<W> {
    wire: W,
    clock: Clock,
    dice: Dice,
    every: Duration,
    register: Mutex<Register>,
    file: Mutex<File>,
    queue: QueueHandle,
    bell: Notify,
    happened: Mutex<Vec<(Timestamp, Happening)>>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    issued: u64,
    changes: Vec<NoticeChange>,
}

impl<W: Wire> Tracker<W> {
    /// A tracker with an empty file, whose rounds begin this often.
    pub(crate) fn new(wire: W, clock: Clock, dice: Dice, every: Duration) -> Arc<Self> {
        Self::with(wire, clock, dice, every, Register::new(RegisterSettings::default()), File::default())
    }

    /// The tracker that starts again with the file of this one.
    pub(crate) fn restarted(&self) -> Arc<Self> {
        let register = self.register.lock().unwrap().clone();
        let stored = |member: &Arc<Member>| StoredMember {
            newcomer: Newcomer { registration: (*member.registration).clone(), key: member.key.clone() },
            state: member.state,
            version: member.version,
            last_seen: member.last_seen,
        };
        let members = register.by_name(None).map(stored).collect();
        let stored = StoredRegister { members, version: register.version(), tombstones: Vec::new() };
        let register = Register::restored(RegisterSettings::default(), stored);
        let (wire, clock, dice) = (self.wire.clone(), self.clock.clone(), self.dice.clone());
        let again = Self::with(wire, clock, dice, self.every, register, self.file.lock().unwrap().clone());
        again.happened.lock().unwrap().extend(self.happened());
        again
    }

    fn with(wire: W, clock: Clock, dice: Dice, every: Duration, register: Register, file: File) -> Arc<Self> {
        Arc::new(Self {
            wire,
            clock,
            dice,
            every,
            register: Mutex::new(register),
            file: Mutex::new(file),
            queue: QueueHandle::new(),
            bell: Notify::new(),
            happened: Mutex::default(),
        })
    }

    /// Runs it from a start to its end, which comes from outside.
    pub(crate) async fn run(self: Arc<Self>) {
        let options = DrainOptions {
            timeout: ATTEMPT,
            clock: self.clock.clone(),
            dice: self.dice.clone(),
            ..DrainOptions::default()
        };
        let table = self.file.lock().unwrap().table.clone();
        let drain = Drain::new(table, Here(self.clone()), Here(self.clone()), self.queue.clone(), options);
        let never = CancellationToken::new();
        tokio::join!(self.rounds().boxed(), self.announcements().boxed(), drain.run(&never).boxed());
    }

    async fn rounds(&self) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pace = Pace::new(self.every);
        loop {
            ticks.tick().await;
            let register = self.register.lock().unwrap().clone();
            let round = run_round(&register, &pace, self, &self.clock, &self.dice).await;
            pace.observe(round.lateness);
            self.change(Event::RoundEnded(round.probes));
        }
    }

    async fn announcements(&self) {
        loop {
            while self.announce().await {}
            tokio::select! {
                biased;
                () = self.bell.notified() => {}
                () = sleep(ANNOUNCE) => {}
            }
        }
    }

    async fn announce(&self) -> bool {
        let register = self.register.lock().unwrap().clone();
        let announced = self.file.lock().unwrap().announced.clone();
        let is_new = |member: &&Arc<Member>| announced.get(&member.address()).is_none_or(|told| *told < member.version);
        let news: Vec<Arc<Member>> = register.by_name(None).filter(is_new).cloned().collect();
        if news.is_empty() {
            return false;
        }
        let recipients: Vec<Arc<Member>> = register.by_name(None).cloned().collect();
        let told = announcing::announce(&news, &recipients, self, &self.clock, &self.dice).await.unwrap();
        let mut file = self.file.lock().unwrap();
        file.table.apply(&told.rows);
        for member in news {
            let known = file.announced.entry(member.address()).or_default();
            *known = (*known).max(member.version);
        }
        drop(file);
        self.queue.wake();
        true
    }

    /// Steps the register, stores what follows, and rings.
    fn change(&self, event: Event) -> bool {
        let now = self.clock.now();
        let Ok(effects) = self.register.lock().unwrap().step(now, event) else { return false };
        let Effects { changed, listed, returned, happened, .. } = effects;
        let mut file = self.file.lock().unwrap();
        for listed in listed {
            let told = file.announced.entry(listed.member.address()).or_default();
            if *told >= listed.previous {
                *told = listed.member.version;
            }
        }
        let wake = |destination: &Address| QueueChange::Wake { destination: *destination, url: None, now };
        file.table.apply(&returned.iter().map(wake).collect::<Vec<_>>());
        drop(file);
        self.happened.lock().unwrap().extend(happened.into_iter().map(|happening| (now, happening)));
        for address in returned {
            self.queue.destination_returned(address);
        }
        if !changed.is_empty() {
            self.bell.notify_one();
        }
        true
    }

    /// Answers a request.
    pub(crate) async fn answer(self: Arc<Self>, request: Message) -> Message {
        match request {
            Message::Register(registration) => {
                let from = people::host_at(&format!(":{}", registration.port));
                let epoch = registration.epoch;
                let called_back = self.wire.call(TRACKER, from, Message::Alive, CALL_BACK).await;
                let newcomer = Newcomer { key: people::public_key(from), registration: *registration };
                let lives = matches!(called_back, Some(Message::Epoch(found)) if found == epoch);
                if lives && self.change(Event::Registered(newcomer)) {
                    let register = self.register.lock().unwrap();
                    Message::Registered(register.by_name(None).map(|member| member.record()).collect())
                } else {
                    Message::Refused
                }
            }
            Message::Listed(name) => {
                let register = self.register.lock().unwrap();
                let member = register.named(&name).filter(|member| member.is_online());
                Message::Found(member.map(|member| member.epoch()))
            }
            Message::Since(version) => {
                let register = self.register.lock().unwrap();
                let changes = register.since(version).into_iter().map(|member| member.change()).collect();
                Message::Changes { issued: self.clock.now().milliseconds(), version: register.version(), changes }
            }
            _ => Message::Refused,
        }
    }

    /// The names of those that it calls online, with their epochs, in the order of the names.
    pub(crate) fn online(&self) -> Vec<(String, u64)> {
        let register = self.register.lock().unwrap();
        let online = register.by_name(None).filter(|member| member.is_online());
        online.map(|member| (member.name.clone(), member.epoch())).collect()
    }

    /// Whether it doubts its own connection.
    pub(crate) fn doubts_itself(&self) -> bool {
        self.register.lock().unwrap().self_preservation()
    }

    /// What happened so far, and when.
    pub(crate) fn happened(&self) -> Vec<(Timestamp, Happening)> {
        self.happened.lock().unwrap().clone()
    }

    /// How many rows wait in its queue for these hosts.
    pub(crate) fn waiting_for(&self, hosts: &[Host]) -> usize {
        let rows = self.file.lock().unwrap().table.rows();
        rows.iter().filter(|row| hosts.contains(&people::host_at(&row.request.url))).count()
    }
}

impl<W: Wire> Prober for Tracker<W> {
    async fn answers(&self, member: &Member, within: Duration) -> bool {
        let answer = self.wire.call(TRACKER, people::host_at(&member.url()), Message::Alive, within).await;
        matches!(answer, Some(Message::Epoch(epoch)) if epoch == member.epoch())
    }

    async fn ask(&self, helper: &Member, subject: &Member, patience: Duration, within: Duration) -> Option<Testimony> {
        let within_ms = u64::try_from(patience.as_millis()).unwrap();
        let request = Message::LookFor { whom: people::host_at(&subject.url()), within_ms };
        match self.wire.call(TRACKER, people::host_at(&helper.url()), request, within).await {
            Some(Message::Found(None)) => Some(Testimony::Gone),
            Some(Message::Found(Some(epoch))) if epoch == subject.epoch() => Some(Testimony::Alive),
            _ => None,
        }
    }
}

impl<W: Wire> Teller for Tracker<W> {
    type Error = serde_json::Error;

    fn notice(&self, changes: Vec<NoticeChange>) -> Result<Arc<[u8]>, serde_json::Error> {
        let body = Body { issued: self.clock.now().milliseconds(), changes };
        Ok(serde_json::to_vec(&body)?.into())
    }

    async fn tell(&self, to: &Destination, notice: &[u8]) -> Result<(), SendError> {
        let Body { issued, changes } = serde_json::from_slice(notice).unwrap();
        let notice = Message::Notice { issued, changes };
        match self.wire.call(TRACKER, people::host_at(&to.url), notice, NOTICE).await {
            Some(Message::Taken) => Ok(()),
            _ => Err(SendError::Unreachable { reason: String::from("no answer") }),
        }
    }
}

/// The tracker as the drain sees it.
struct Here<W>(Arc<Tracker<W>>);

impl<W: Wire> Directory for Here<W> {
    fn find(&self, address: &Address) -> Option<Destination> {
        let register = self.0.register.lock().unwrap();
        let member = register.member(address)?;
        member.is_online().then(|| member.destination())
    }
}

impl<W: Wire> Transport for Here<W> {
    async fn send(&self, destination: &Destination, request: &QueuedRequest) -> Result<(), SendError> {
        self.0.tell(destination, &request.body).await
    }
}
