//! Figures of what must not disturb others, measured by hand: run each alone, with `--run-ignored only --no-capture`, on a
//! machine that does nothing else. `SCALE=0.1` makes them a tenth as long.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, response::IntoResponse as _, routing::post};
use raclette_api::timeline::TimelinePage;
use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::{
    client::{AddressPolicy, CallOptions, Client},
    clock::Clock,
    dice::Dice,
    queue::{
        ClientTransport, Destination, Directory, Drain, DrainOptions, QueueChange, QueueHandle, QueueStore,
        QueuedRequest, Row, SCHEMA, sql,
    },
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio_util::sync::CancellationToken;
use trials::proxy::{Fault, Proxy};

use crate::kit::{Network, SOON, Settings, eventually, http, scaled, until};

/// The value below which 99 of a hundred lie, and the greatest.
fn p99(mut values: Vec<Duration>) -> (Duration, Duration) {
    values.sort();
    (values[values.len() * 99 / 100], *values.last().expect("there are some"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes five minutes"]
#[expect(clippy::print_stdout, reason = "the figure is what it is run for")]
async fn mining_on_all_cores_leaves_a_peer_quick_to_answer_and_unsuspected() {
    let settings = Settings { difficulty_bits: 60, liveness: "1s", ..Settings::default() };
    let mut network = Network::with(settings, &["alice"]).await;
    network.add("bob").start_process();
    network.peer("bob").ready().await;
    network.everybody_knows_everybody().await;
    let bob = network.peer("bob");
    let cores = std::thread::available_parallelism().unwrap().get();
    let headers = [("authorization", &*bob.bearer())];
    let _: Value = http::post(bob.port, "/mine", &json!({ "threads": cores }), &headers).await.expect("it mines");
    let (begun, long) = (Instant::now(), Duration::from_secs_f64(scaled(300.0)));
    let mut took = Vec::new();
    while begun.elapsed() < long {
        let asked = Instant::now();
        http::get::<Value>(bob.port, "/healthz", None).await.expect("it answers");
        took.push(asked.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(bob.status().await.mining);
    let page: TimelinePage = network.tracker.get("/timeline?name=bob&limit=500").await;
    let suspected = page.events.iter().filter(|event| event.kind.as_str() == "suspected").count();
    let (count, (p99, longest)) = (took.len(), p99(took));
    println!("{count} probes of /healthz: p99 {p99:?}, longest {longest:?}; suspected {suspected} times");
    assert!(p99 < Duration::from_millis(500) && suspected == 0);
}

/// The queue's table in a file.
#[derive(Clone)]
struct Table(Arc<tokio::sync::Mutex<SqliteConnection>>);

impl QueueStore for Table {
    type Error = sqlx::Error;

    async fn due(&self, now: Timestamp, limit: u32, excluding: &[Address]) -> Result<Vec<Row>, sqlx::Error> {
        sql::due(&mut *self.0.lock().await, now, limit, excluding).await
    }

    async fn next_due(&self, excluding: &[Address]) -> Result<Option<Timestamp>, sqlx::Error> {
        sql::next_due(&mut *self.0.lock().await, excluding).await
    }

    async fn change(&self, changes: Vec<QueueChange>) -> Result<(), sqlx::Error> {
        let mut connection = self.0.lock().await;
        let mut transaction = connection.begin().await?;
        for change in changes {
            change.apply(&mut transaction).await?;
        }
        transaction.commit().await
    }
}

/// Destinations behind proxies.
struct Homes(Vec<Proxy>);

impl Directory for Homes {
    fn find(&self, address: &Address) -> Option<Destination> {
        let index = usize::from(address.as_bytes()[0]);
        let url = format!("http://127.0.0.1:{}", self.0.get(index)?.port());
        Some(Destination { address: *address, name: format!("destination {index}"), url })
    }
}

type Arrivals = Arc<Mutex<BTreeMap<String, Instant>>>;

const DESTINATIONS: u8 = 20;

fn address(index: u8) -> Address {
    Address::from_bytes([index; 32])
}

/// A destination that takes everything, and notes when.
async fn destination(index: u8, arrivals: &Arrivals) -> Proxy {
    let arrivals = Arc::clone(arrivals);
    let take = move |body: String| {
        arrivals.lock().unwrap().insert(body, Instant::now());
        let headers =
            [("raclette-address", address(index).to_string()), ("content-type", "application/json".to_owned())];
        async move { (StatusCode::OK, headers, "{}").into_response() }
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = Proxy::start(Dice::system()).await.unwrap();
    proxy.forward_to(listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/take", post(take))).await.unwrap() });
    proxy
}

/// Puts so many requests for each destination into a queue, a few a second each, the first destination being a black hole or
/// not; how long each of the others' took from there to its destination.
async fn arrivals(count: u32, black_hole: bool) -> Vec<Duration> {
    let arrivals = Arrivals::default();
    let mut homes = Vec::new();
    for index in 0..DESTINATIONS {
        homes.push(destination(index, &arrivals).await);
    }
    if black_hole {
        homes[0].set(Fault::BlackHole);
    }
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(directory.path().join("queue.sqlite")).create_if_missing(true);
    let mut connection = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal).connect().await.unwrap();
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await.unwrap();
    let table = Table(Arc::new(tokio::sync::Mutex::new(connection)));
    let handle = QueueHandle::new();
    let client = Client::new(raclette_service::client::Settings::default(), AddressPolicy::private(true)).unwrap();
    let transport = ClientTransport::new(client, CallOptions::default());
    let drain = Drain::new(table.clone(), Arc::new(Homes(homes)), transport, handle.clone(), DrainOptions::default());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let draining = tokio::spawn(async move { drain.run(&stopped).await });
    let mut put = BTreeMap::new();
    for number in 0..count {
        for index in 0..DESTINATIONS {
            let subject = format!("\"{index}-{number}\"");
            let request = QueuedRequest {
                destination: address(index),
                destination_name: String::new(),
                url: String::new(),
                path: String::from("/take"),
                kind: String::from("figure"),
                subject: subject.clone(),
                version: 1,
                body: subject.clone().into_bytes(),
                expires_at: None,
            };
            if index > 0 {
                put.insert(subject, Instant::now());
            }
            table.change(vec![QueueChange::put(request, Clock::system().now())]).await.unwrap();
            handle.wake();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eventually("the others have theirs", SOON, async || {
        let arrivals = arrivals.lock().unwrap();
        put.keys().all(|subject| arrivals.contains_key(subject)).then_some(())
    })
    .await;
    stop.cancel();
    until("the drain has stopped", async || draining.is_finished()).await;
    let arrivals = arrivals.lock().unwrap();
    put.iter().map(|(subject, begun)| arrivals[subject].duration_since(*begun)).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
#[expect(clippy::print_stdout, reason = "the figure is what it is run for")]
async fn one_black_hole_among_twenty_destinations_costs_the_others_nothing() {
    let count = scaled(200.0) as u32;
    // In turn, so that whatever else the machine does hits both; the better of each counts.
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        without.push(p99(arrivals(count, false).await).0);
        with.push(p99(arrivals(count, true).await).0);
    }
    let (baseline, beside) = (without.iter().min().unwrap(), with.iter().min().unwrap());
    let ratio = beside.as_secs_f64() / baseline.as_secs_f64();
    println!("p99 to the others: {without:?} without, {with:?} beside a black hole; best of three {ratio:.2}");
    assert!(ratio <= 1.2, "{ratio}");
}
