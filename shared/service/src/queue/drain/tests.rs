//! The drain against a real SQLite, with a transport that does as it is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::Notify;

use super::*;
use crate::queue::{Counts, SCHEMA, sql};

fn now() -> Timestamp {
    Clock::system().now()
}

/// One connection behind a lock.
struct Table {
    connection: tokio::sync::Mutex<SqliteConnection>,
    panics_left: AtomicU32,
    /// Whether it takes nothing.
    is_full: AtomicBool,
    refused: AtomicU32,
}

impl QueueStore for Arc<Table> {
    type Error = sqlx::Error;

    async fn due(&self, now: Timestamp, limit: u32, excluding: &[Address]) -> Result<Vec<Row>, sqlx::Error> {
        let left = self.panics_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "injected");
        sql::due(&mut *self.connection.lock().await, now, limit, excluding).await
    }

    async fn next_due(&self, excluding: &[Address]) -> Result<Option<Timestamp>, sqlx::Error> {
        sql::next_due(&mut *self.connection.lock().await, excluding).await
    }

    async fn change(&self, changes: Vec<QueueChange>) -> Result<(), sqlx::Error> {
        if self.is_full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(sqlx::Error::WorkerCrashed);
        }
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await?;
        for change in changes {
            change.apply(&mut transaction).await?;
        }
        transaction.commit().await
    }
}

/// What the scripted network does with a request, by its subject.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Arrives,
    NoAnswer,
    Refused {
        permanent: bool,
    },
    Hangs,
    Panics,
    /// Waits until the test rings.
    Waits,
}

#[derive(Default)]
struct Network {
    fates: Mutex<BTreeMap<String, Fate>>,
    arrived: Mutex<Vec<(Address, String, u64)>>,
    under_way: Mutex<BTreeMap<Address, usize>>,
    most_at_once: Mutex<BTreeMap<Address, usize>>,
    attempts: AtomicU32,
    bell: Notify,
}

impl Network {
    fn fate(&self, subject: &str, fate: Fate) {
        self.fates.lock().unwrap().insert(subject.to_owned(), fate);
    }

    fn arrived(&self) -> Vec<String> {
        self.arrived.lock().unwrap().iter().map(|(_, subject, _)| subject.clone()).collect()
    }
}

impl Transport for Network {
    async fn send(&self, _: &Destination, request: &QueuedRequest) -> Result<(), SendError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        {
            let mut under_way = self.under_way.lock().unwrap();
            let now = under_way.entry(request.destination).or_default();
            *now += 1;
            let mut most = self.most_at_once.lock().unwrap();
            let most = most.entry(request.destination).or_default();
            *most = (*most).max(*now);
        }
        tokio::task::yield_now().await;
        let fate = self.fates.lock().unwrap().get(&request.subject).copied().unwrap_or(Fate::Arrives);
        match fate {
            Fate::Hangs => std::future::pending().await,
            Fate::Waits => self.bell.notified().await,
            _ => {}
        }
        *self.under_way.lock().unwrap().get_mut(&request.destination).unwrap() -= 1;
        match fate {
            Fate::Arrives | Fate::Waits | Fate::Hangs => {
                let arrival = (request.destination, request.subject.clone(), request.version);
                self.arrived.lock().unwrap().push(arrival);
                Ok(())
            }
            Fate::NoAnswer => Err(SendError::Unreachable { reason: String::from("connection refused") }),
            Fate::Refused { permanent } => {
                let detail = String::from("no");
                Err(SendError::Refused { status: 409, code: None, detail, retry_after: None, permanent })
            }
            Fate::Panics => panic!("injected"),
        }
    }
}

/// Everybody is at home except those listed.
#[derive(Default)]
struct Homes {
    absent: Mutex<BTreeSet<Address>>,
}

impl Directory for Homes {
    fn find(&self, address: &Address) -> Option<Destination> {
        let home = !self.absent.lock().unwrap().contains(address);
        let url = String::from("http://127.0.0.1:1");
        home.then(|| Destination { address: *address, name: String::from("peer"), url })
    }
}

struct World {
    table: Arc<Table>,
    network: Arc<Network>,
    homes: Arc<Homes>,
    handle: QueueHandle,
    stop: CancellationToken,
    drain: tokio::task::JoinHandle<()>,
}

impl World {
    async fn new() -> Self {
        Self::prepared(|_, _| {}).await
    }

    async fn prepared(prepare: impl FnOnce(&Network, &Table)) -> Self {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await.unwrap();
        let connection = tokio::sync::Mutex::new(connection);
        let table = Arc::new(Table {
            connection,
            panics_left: AtomicU32::new(0),
            is_full: AtomicBool::new(false),
            refused: AtomicU32::new(0),
        });
        let (network, homes) = (Arc::new(Network::default()), Arc::new(Homes::default()));
        prepare(&network, &table);
        let (handle, stop) = (QueueHandle::new(), CancellationToken::new());
        let backoff = Backoff { base: Duration::from_millis(5), cap: Duration::from_millis(20) };
        let options = DrainOptions { backoff, timeout: Duration::from_millis(300), ..DrainOptions::default() };
        let drain = Drain::new(table.clone(), homes.clone(), network.clone(), handle.clone(), options);
        let token = stop.clone();
        let drain = tokio::spawn(async move { drain.run(&token).await });
        Self { table, network, homes, handle, stop, drain }
    }

    async fn put(&self, destination: u8, subject: &str, version: u64) {
        let request = QueuedRequest {
            destination: address(destination),
            destination_name: String::from("peer"),
            url: String::from("http://127.0.0.1:1"),
            path: String::from("/peers"),
            kind: String::from("notice"),
            subject: subject.to_owned(),
            version,
            body: b"{}".to_vec(),
            expires_at: None,
        };
        self.table.change(vec![QueueChange::put(request, now())]).await.unwrap();
        self.handle.wake();
    }

    async fn counts(&self) -> Counts {
        sql::counts(&mut *self.table.connection.lock().await).await.unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.drain).await.expect("the drain stops").unwrap();
    }
}

fn address(byte: u8) -> Address {
    Address::from_bytes([byte; 32])
}

/// Waits until the condition holds, at most ten seconds.
macro_rules! eventually {
    ($condition:expr) => {{
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while !$condition {
            assert!(tokio::time::Instant::now() < deadline, "never: {}", stringify!($condition));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }};
}

#[tokio::test]
async fn what_waits_is_tried_until_it_arrives() {
    let world = World::prepared(|network, _| network.fate("a", Fate::NoAnswer)).await;
    world.put(1, "a", 1).await;
    eventually!(world.network.attempts.load(Ordering::SeqCst) >= 3);
    world.network.fate("a", Fate::Arrives);
    eventually!(world.counts().await == Counts::default());
    assert_eq!(world.network.arrived(), ["a"]);
    assert_eq!(world.handle.statistics().delivered, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_destination_gets_one_request_at_a_time() {
    let world = World::new().await;
    for subject in 0..20 {
        world.put(1, &subject.to_string(), 1).await;
    }
    eventually!(world.counts().await == Counts::default());
    assert_eq!(world.network.most_at_once.lock().unwrap()[&address(1)], 1);
    world.stop().await;
}

#[tokio::test]
async fn a_destination_that_never_answers_harms_only_itself() {
    let world = World::prepared(|network, _| network.fate("black hole", Fate::Hangs)).await;
    world.put(1, "black hole", 1).await;
    eventually!(world.network.attempts.load(Ordering::SeqCst) == 1);
    for destination in 2..12 {
        world.put(destination, "good", 1).await;
    }
    eventually!(world.network.arrived().len() == 10);
    let row = sql::page(&mut *world.table.connection.lock().await, &sql::Filter::default(), 0, 9).await.unwrap();
    assert_eq!(row.rows.len(), 1);
    eventually!(world.handle.statistics().failed >= 1);
    world.stop().await;
}

#[tokio::test]
async fn poison_is_set_aside_and_what_stands_behind_it_arrives() {
    let world = World::prepared(|network, _| network.fate("poison", Fate::Refused { permanent: true })).await;
    world.put(1, "poison", 1).await;
    for subject in ["a", "b", "c"] {
        world.put(1, subject, 1).await;
    }
    eventually!(world.counts().await == Counts { waiting: 0, dead: 1 });
    assert_eq!(world.network.arrived(), ["a", "b", "c"]);
    assert_eq!(world.handle.statistics().buried, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_row_that_is_refused_for_now_does_not_hold_up_its_neighbours() {
    let world = World::prepared(|network, _| network.fate("early", Fate::Refused { permanent: false })).await;
    world.put(1, "early", 1).await;
    world.put(1, "a", 1).await;
    eventually!(world.network.arrived() == ["a"]);
    assert_eq!(world.counts().await, Counts { waiting: 1, dead: 0 });
    world.stop().await;
}

#[tokio::test]
async fn rows_of_an_absent_destination_wait_without_attempts_and_go_when_it_returns() {
    let world = World::new().await;
    world.homes.absent.lock().unwrap().insert(address(1));
    world.put(1, "a", 1).await;
    world.put(2, "b", 1).await;
    eventually!(world.network.arrived() == ["b"]);
    assert_eq!(world.network.attempts.load(Ordering::SeqCst), 1);
    world.homes.absent.lock().unwrap().clear();
    world.handle.destination_returned(address(1));
    eventually!(world.network.arrived() == ["b", "a"]);
    world.stop().await;
}

#[tokio::test]
async fn a_version_put_while_an_older_one_is_under_way_is_sent_as_well() {
    let world = World::prepared(|network, _| network.fate("a", Fate::Waits)).await;
    world.put(1, "a", 1).await;
    eventually!(world.network.attempts.load(Ordering::SeqCst) == 1);
    world.put(1, "a", 2).await;
    world.network.fate("a", Fate::Arrives);
    world.network.bell.notify_one();
    eventually!(world.counts().await == Counts::default());
    let versions: Vec<_> = world.network.arrived.lock().unwrap().iter().map(|(_, _, version)| *version).collect();
    assert_eq!(versions, [1, 2]);
    world.stop().await;
}

#[tokio::test]
async fn a_panic_of_one_attempt_is_counted_and_the_others_go_on() {
    let world = World::prepared(|network, _| network.fate("a", Fate::Panics)).await;
    world.put(1, "a", 1).await;
    world.put(1, "b", 1).await;
    world.put(2, "c", 1).await;
    eventually!(world.network.arrived().len() == 2);
    eventually!(world.handle.statistics().panics >= 1);
    world.network.fate("a", Fate::Arrives);
    eventually!(world.counts().await == Counts::default());
    world.stop().await;
}

#[tokio::test]
async fn what_has_arrived_is_not_sent_again_while_the_table_cannot_be_written() {
    let world = World::prepared(|network, _| network.fate("b", Fate::NoAnswer)).await;
    world.homes.absent.lock().unwrap().extend([address(1), address(2)]);
    world.put(1, "a", 1).await;
    world.put(2, "b", 1).await;
    world.table.is_full.store(true, Ordering::SeqCst);
    world.homes.absent.lock().unwrap().clear();
    world.handle.destination_returned(address(1));
    // The first writing fails at once, the others a second apart.
    eventually!(world.table.refused.load(Ordering::SeqCst) >= 3);
    assert_eq!(world.network.attempts.load(Ordering::SeqCst), 2);
    world.network.fate("b", Fate::Arrives);
    world.table.is_full.store(false, Ordering::SeqCst);
    eventually!(world.counts().await == Counts::default());
    assert_eq!(world.network.arrived(), ["a", "b"]);
    assert_eq!(world.network.attempts.load(Ordering::SeqCst), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_panic_of_the_drain_itself_is_counted_and_it_starts_again() {
    let world = World::prepared(|_, table| table.panics_left.store(1, Ordering::SeqCst)).await;
    world.put(1, "a", 1).await;
    eventually!(world.network.arrived() == ["a"]);
    assert_eq!(world.handle.statistics().panics, 1);
    world.stop().await;
}

#[tokio::test]
async fn the_row_under_way_shows_as_being_sent_and_ends_within_the_grace_when_the_service_stops() {
    let world = World::prepared(|network, _| network.fate("a", Fate::Waits)).await;
    world.put(1, "a", 1).await;
    eventually!(world.handle.is_sending(1));
    let table = world.table.clone();
    world.stop.cancel();
    world.network.bell.notify_one();
    world.stop().await;
    assert_eq!(sql::counts(&mut *table.connection.lock().await).await.unwrap(), Counts::default());
}
