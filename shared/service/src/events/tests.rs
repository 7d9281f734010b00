//! Events in a real file: numbers, gaps, following, and the two forms of the answer.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    response::Response,
    routing::get,
};
use futures_util::StreamExt as _;
use http::{HeaderMap, Request, StatusCode};
use raclette_api::event::{
    EventBody, EventGap, EventPage, EventType, GapReason, GenesisEvent, MiningEvent, MiningStep, TransactionEvent,
    TransactionStep,
};
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{Audience, Entry, EventsRequest, Feed, KEPT, Log, SCHEMA, SCHEMA_2, Told, answer};
use crate::{access::OwnerGate, extract::PreferWait, problem::Problem, sqlite};

const ALL: &[EventType] = &EventType::ALL;

struct Service {
    _directory: TempDir,
    connection: SqliteConnection,
    log: Log,
    feed: Feed,
}

fn public(number: usize) -> EventBody {
    EventBody::Genesis(GenesisEvent { network_id: format!("{number:064x}") })
}

fn owners() -> EventBody {
    EventBody::Mining(MiningEvent {
        status: MiningStep::Started,
        job: String::from("7"),
        height: 1,
        attempts: 0,
        rate: 0.0,
        block: None,
        winner: None,
        reason: None,
    })
}

impl Service {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (mut connection, readers) =
            sqlite::open(&directory.path().join("events.sqlite"), &[&[SCHEMA], &[SCHEMA_2]]).await.unwrap();
        let feed = Feed::new(readers);
        let log = Log::open(&mut connection, &feed).await.unwrap();
        Self { _directory: directory, connection, log, feed }
    }

    async fn commit(&mut self, bodies: impl IntoIterator<Item = EventBody>) {
        let entries = bodies.into_iter().map(|body| Entry::new(1, &body)).collect();
        let mut transaction = self.connection.begin().await.unwrap();
        let appended = self.log.append(&mut transaction, entries).await.unwrap();
        transaction.commit().await.unwrap();
        self.log.publish(appended);
    }

    async fn ids(&self, since: Option<u64>, limit: u32) -> (Vec<u64>, u64, Option<EventGap>) {
        let page = self.feed.page(since, ALL, limit).await.unwrap();
        (page.events.iter().map(|event| event.id.unwrap()).collect(), page.next, page.gap)
    }
}

#[tokio::test]
async fn numbers_go_on_without_a_gap_also_after_a_restart_and_a_failed_commit() {
    let mut service = Service::new().await;
    service.commit([public(1), public(2)]).await;
    let mut transaction = service.connection.begin().await.unwrap();
    let lost = service.log.append(&mut transaction, vec![Entry::new(1, &public(3))]).await.unwrap();
    drop(lost);
    transaction.rollback().await.unwrap();
    service.log = Log::open(&mut service.connection, &service.feed).await.unwrap();
    service.commit([public(4)]).await;
    assert_eq!(service.ids(None, 10).await, (vec![1, 2, 3], 3, None));
    assert_eq!(service.ids(Some(1), 1).await, (vec![2], 2, None));
    assert_eq!(service.ids(Some(3), 1).await, (vec![], 3, None));
}

#[tokio::test]
async fn only_the_newest_are_kept_and_who_misses_some_is_told() {
    let mut service = Service::new().await;
    service.commit((0..10).map(public)).await;
    let kept = usize::try_from(KEPT).unwrap();
    service.commit((0..kept + 5).map(public)).await;
    let gap = |since, resumed, reason| Some(EventGap { since, resumed, reason });
    assert_eq!(service.ids(None, 1).await, (vec![16], 16, None));
    assert_eq!(service.ids(Some(15), 1).await, (vec![16], 16, None));
    assert_eq!(service.ids(Some(3), 1).await, (vec![16], 16, gap(3, 15, GapReason::Pruned)));
    let newest = KEPT + 15;
    assert_eq!(service.ids(Some(newest + 1), 1).await, (vec![], newest, gap(newest + 1, newest, GapReason::NotYet)));
    // One by one there is some slack, so that not every commit has to delete.
    service.commit((0..1_990).map(public)).await;
    assert_eq!(service.ids(None, 1).await.0, [16]);
    service.commit((0..20).map(public)).await;
    // A row that holds the oldest of those is kept whole: a quarter of a thousand events at most.
    let oldest = service.ids(None, 1).await.0[0];
    assert!((16 + 2_010 - 255..=16 + 2_010).contains(&oldest), "{oldest}");
    assert_eq!(service.ids(Some(oldest - 1), 1).await, (vec![oldest], oldest, None));
    assert_eq!(service.ids(Some(oldest - 2), 1).await.2, gap(oldest - 2, oldest - 1, GapReason::Pruned));
}

#[tokio::test]
async fn a_file_with_a_row_for_each_event_is_read_on() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("events.sqlite");
    let (mut connection, readers) = sqlite::open(&path, &[&[SCHEMA]]).await.unwrap();
    let old = "insert into events (id, time, kind, data) values (7, 1, 'genesis', '{}'), (8, 1, 'genesis', '{}')";
    sqlx::query(old).execute(&mut connection).await.unwrap();
    readers.close().await;
    sqlite::close(connection).await.unwrap();

    let (mut connection, readers) = sqlite::open(&path, &[&[SCHEMA], &[SCHEMA_2]]).await.unwrap();
    let feed = Feed::new(readers);
    let log = Log::open(&mut connection, &feed).await.unwrap();
    let mut service = Service { _directory: directory, connection, log, feed };
    service.commit([public(1), public(2)]).await;
    assert_eq!(service.ids(None, 10).await, (vec![7, 8, 9, 10], 10, None));
    assert_eq!(service.ids(Some(5), 1).await.2.map(|gap| gap.resumed), Some(6));
}

#[tokio::test]
async fn events_that_share_a_row_are_read_one_by_one_and_from_any_of_them_on() {
    let mut service = Service::new().await;
    service.commit((0..300).map(public).chain([owners()]).chain((300..600).map(public))).await;
    let rows: i64 = sqlx::query_scalar("select count(*) from events").fetch_one(&mut service.connection).await.unwrap();
    assert_eq!(rows, 5);
    for (since, limit) in [(0, 601), (0, 256), (0, 257), (255, 2), (256, 1), (299, 3), (300, 1), (595, 10)] {
        let (ids, next, gap) = service.ids(Some(since), limit).await;
        let last = (since + u64::from(limit)).min(601);
        assert_eq!((ids, next, gap), ((since + 1..=last).collect(), last, None), "{since}, {limit}");
    }
    let page = service.feed.page(Some(0), &[EventType::Genesis], 600).await.unwrap();
    for (number, event) in page.events.iter().enumerate() {
        let data: GenesisEvent = serde_json::from_str(&event.data).unwrap();
        assert_eq!(data.network_id, format!("{number:064x}"));
    }
    assert_eq!(page.events.len(), 600);
    let page = service.feed.page(Some(0), &[EventType::Mining], 600).await.unwrap();
    assert_eq!((page.events.len(), page.events[0].id, page.next), (1, Some(301), 601));
}

#[tokio::test]
async fn a_reader_that_is_too_slow_for_the_channel_loses_nothing() {
    let mut service = Service::new().await;
    service.commit([public(0)]).await;
    let mut all = service.feed.follow(Some(0), ALL.to_vec(), CancellationToken::new()).unwrap();
    let mut from_now = service.feed.follow(None, vec![EventType::Mining], CancellationToken::new()).unwrap();
    // Where it begins is clear before the rest happens.
    from_now.read().await.unwrap();
    let (mut seen, mut mining) = (Vec::new(), Vec::new());
    for round in 1..=3 {
        // Nobody reads meanwhile, and the channel holds 1,024.
        service.commit((0..1_500).map(public).chain([owners()])).await;
        let last = 1 + 1_501 * round;
        while seen.last() != Some(&last) {
            let Told::Event(event) = all.next().await.unwrap().unwrap() else { panic!("nothing is missing") };
            seen.extend(event.id);
        }
        let Told::Event(event) = from_now.next().await.unwrap().unwrap() else { panic!("nothing is missing") };
        assert_eq!(event.kind, "mining");
        mining.extend(event.id);
    }
    assert_eq!(seen, (1..=1 + 3 * 1_501).collect::<Vec<_>>());
    assert_eq!(mining, [1_502, 3_003, 4_504]);
}

#[tokio::test]
async fn a_follower_ends_when_the_service_stops_and_the_number_of_followers_is_bounded() {
    let service = Service::new().await;
    let stopping = CancellationToken::new();
    let follow = || service.feed.follow(None, ALL.to_vec(), stopping.clone());
    let mut followers: Vec<_> = (0..256).map(|_| follow().unwrap()).collect();
    assert!(follow().is_none());
    drop(followers.pop());
    let mut last = follow().unwrap();
    let waiting = tokio::spawn(async move { last.next().await });
    stopping.cancel();
    assert_eq!(waiting.await.unwrap().unwrap(), None);
}

async fn handler(
    State((feed, gate, stopping)): State<(Feed, OwnerGate, CancellationToken)>,
    headers: HeaderMap,
    request: EventsRequest,
) -> Result<Response, Problem> {
    answer(&feed, request, Audience::of(&headers, &gate)?, stopping).await
}

impl Service {
    async fn response(&self, uri: &str, headers: &[(&str, &str)], stopping: &CancellationToken) -> Response {
        let gate = OwnerGate::new("correct-horse-battery".parse().unwrap(), "the token is in FILE");
        let state = (self.feed.clone(), gate, stopping.clone());
        let router = Router::new().route("/events", get(handler)).with_state(state);
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn call(&self, uri: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let response = self.response(uri, headers, &CancellationToken::new()).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn page(&self, uri: &str, headers: &[(&str, &str)]) -> EventPage {
        let (status, body) = self.call(uri, headers).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

const OWNER: (&str, &str) = ("authorization", "Bearer correct-horse-battery");

#[tokio::test]
async fn the_owner_is_told_everything_and_others_what_is_public_under_the_same_numbers() {
    let mut service = Service::new().await;
    service.commit([public(1), owners(), public(2)]).await;
    let numbers = |page: &EventPage| page.events.iter().map(|event| event.id.unwrap()).collect::<Vec<_>>();
    assert_eq!(numbers(&service.page("/events", &[]).await), [1, 3]);
    assert_eq!(numbers(&service.page("/events", &[OWNER]).await), [1, 2, 3]);
    assert_eq!(numbers(&service.page("/events?type=mining,block", &[OWNER]).await), [2]);
    let page = service.page("/events?type=block", &[]).await;
    assert_eq!((page.events.len(), page.next), (0, 3), "what was not asked for is not read again");
    for (uri, headers, expected) in [
        ("/events?type=mining", &[][..], "token_missing"),
        ("/events", &[("authorization", "Bearer wrong")][..], "token_wrong"),
        ("/events?type=cheese", &[OWNER][..], "invalid_parameter"),
        ("/events?since=-1", &[][..], "invalid_parameter"),
        ("/events?since=9007199254740992", &[][..], "invalid_parameter"),
        ("/events?limit=0", &[][..], "invalid_parameter"),
        ("/events?surprise=1", &[][..], "invalid_parameter"),
        ("/events", &[("last-event-id", "x")][..], "invalid_parameter"),
    ] {
        let (_, body) = service.call(uri, headers).await;
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["code"], expected, "{uri}: {body}");
    }
}

#[tokio::test]
async fn an_empty_page_waits_for_something_to_happen_if_the_caller_would() {
    let mut service = Service::new().await;
    service.commit([public(1)]).await;
    assert_eq!(service.page("/events?since=1", &[("prefer", "wait=0")]).await.events, []);
    let feed = service.feed.clone();
    let waiting = tokio::spawn(async move {
        let types = [EventType::Genesis];
        let wait = PreferWait(Some(Duration::from_secs(30)));
        super::answer::page(&feed, Some(1), &types, 10, wait, CancellationToken::new()).await
    });
    // Whether it is waiting already or comes later, it gets the event.
    service.feed.tell_live(1, &public(0));
    service.commit([owners(), public(2)]).await;
    assert_eq!(waiting.await.unwrap().unwrap().events[0].id, Some(3));
}

/// A stream of events, read piece by piece.
struct Stream(axum::body::BodyDataStream, String);

impl Stream {
    /// Reads until the text is there; what was read so far.
    async fn until(&mut self, text: &str) -> &str {
        while !self.1.contains(text) {
            let piece = self.0.next().await.expect("the stream goes on").unwrap();
            self.1.push_str(std::str::from_utf8(&piece).unwrap());
        }
        &self.1
    }
}

#[tokio::test]
async fn a_stream_resumes_behind_the_last_event_and_ends_when_the_service_stops() {
    let mut service = Service::new().await;
    service.commit([public(1), owners(), public(2)]).await;
    let stopping = CancellationToken::new();
    // What the header says is newer than the URL.
    let headers = [("accept", "text/event-stream"), ("last-event-id", "1")];
    let response = service.response("/events?since=3", &headers, &stopping).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = Stream(response.into_body().into_data_stream(), String::new());
    let data = |id, number| {
        format!("{{\"id\":{id},\"time\":1,\"type\":\"genesis\",\"data\":{{\"network_id\":\"{number:064x}\"}}}}")
    };
    let text = stream.until(&data(3, 2)).await;
    assert!(text.contains("retry: 2000") && text.contains("event: genesis\n"), "{text}");
    assert!(!text.contains("\"id\":1,") && !text.contains("mining"), "{text}");
    service.commit([owners(), public(5)]).await;
    stream.until(&data(5, 5)).await;
    let text = stream.until("id: 5").await;
    assert!(!text.contains("mining"), "{text}");
    stopping.cancel();
    while let Some(piece) = stream.0.next().await {
        assert!(!piece.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_stream_says_what_is_missing() {
    let mut service = Service::new().await;
    service.commit([public(1)]).await;
    let headers = [("accept", "text/html, text/event-stream;q=0.9"), ("last-event-id", "99")];
    let response = service.response("/events", &headers, &CancellationToken::new()).await;
    let mut stream = Stream(response.into_body().into_data_stream(), String::new());
    stream.until("event: gap").await;
    stream.until("data: {\"since\":99,\"resumed\":1,\"reason\":\"not_yet\"}").await;
    stream.until("id: 1").await;
}

#[tokio::test]
#[ignore = "a measurement: cargo nextest run --release -p raclette-service --run-ignored only --no-capture what_an_event"]
#[expect(clippy::print_stdout, reason = "it is there to be read")]
async fn what_an_event_costs_in_a_batch_of_transactions() {
    let mut service = Service::new().await;
    let accepted = |number: usize| {
        EventBody::Transaction(TransactionEvent {
            id: format!("{number:064x}"),
            status: TransactionStep::Accepted,
            sender: format!("rac1{number:058}"),
            recipient: format!("rac1{number:058}"),
            amount: 25,
            fee: 1,
            height: None,
        })
    };
    // Full, so that every batch also deletes.
    service.commit((0..100_000).map(accepted)).await;
    for batch in [256, 25_600] {
        let begun = std::time::Instant::now();
        let commits = 102_400 / batch;
        for _ in 0..commits {
            service.commit((0..batch).map(accepted)).await;
        }
        let each = begun.elapsed().as_secs_f64() * 1e6 / 102_400.0;
        println!("{commits} commits of {batch} events: {each:.2} microseconds an event, the commits included");
    }
}
