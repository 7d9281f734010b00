//! Slow, many and late connections.

use std::time::{Duration, Instant};

use axum::{Router, routing::get};
use raclette_service::server::Limits;
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::support::{Gate, SOON, Service, router};

const SHORT: Duration = Duration::from_millis(200);

fn short() -> Limits {
    Limits { header_timeout: SHORT, body_timeout: SHORT, drain: SHORT, ..Limits::default() }
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_cut_off() {
    let service = Service::start(router(), short()).await;
    let began = Instant::now();
    assert_eq!(service.connect().await.until_closed().await, "");
    assert!(began.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_client_that_sends_its_head_slowly_is_cut_off() {
    let service = Service::start(router(), short()).await;
    let mut raw = service.connect().await;
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half: ").await;
    assert!(!raw.until_closed().await.contains("200 OK"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let service = Service::start(router(), short()).await;
    let mut raw = service.connect().await;
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    raw.until(r#"{"status":"ok"}"#).await;
    assert_eq!(raw.until_closed().await, "");
}

#[tokio::test]
async fn half_a_body_is_answered_with_request_timeout_and_cut_off() {
    let service = Service::start(router(), Limits { header_timeout: SOON, ..short() }).await;
    let mut raw = service.connect().await;
    raw.send(
        "POST /double HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"va",
    )
    .await;
    let answer = raw.until_closed().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let large = || async { vec![b'x'; 64 << 20] };
    let limits = Limits { write_timeout: SHORT, ..Limits::default() };
    let service = Service::start(Router::new().route("/large", get(large)), limits).await;
    let mut raw = service.connect().await;
    raw.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // Nothing is read until the service has let go: then writing to it fails.
    let gone = async {
        while raw.0.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, gone).await.expect("the service lets go");
}

#[tokio::test]
async fn connections_above_the_bound_are_turned_away_until_one_ends() {
    let service = Service::start(router(), Limits { connections: 1, ..Limits::default() }).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut first = service.connect().await;
    first.send(request).await;
    first.until(r#"{"status":"ok"}"#).await;
    assert_eq!(service.connect().await.until_closed().await, "");
    drop(first);
    let served = async {
        while !service
            .raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .contains("200 OK")
        {}
    };
    timeout(SOON, served).await.expect("the slot is free again");
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_service_stops() {
    let gate = Gate::default();
    let handler = gate.clone();
    let router = Router::new().route("/gate", get(move || handler.clone().pass()));
    let mut service = Service::start(router, Limits::default()).await;
    let (mut busy, mut idle) = (service.connect().await, service.connect().await);
    busy.send("GET /gate HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    gate.entered.notified().await;
    service.stop();
    assert_eq!(idle.until_closed().await, "", "an idle connection is closed at once");
    gate.leave.notify_one();
    assert!(busy.until_closed().await.contains("passed"));
    let at = service.at;
    service.ended().await;
    assert!(tokio::net::TcpStream::connect(at).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_up_the_stop() {
    let gate = Gate::default();
    let handler = gate.clone();
    let router = Router::new().route("/gate", get(move || handler.clone().pass()));
    let mut service = Service::start(router, short()).await;
    let mut busy = service.connect().await;
    busy.send("GET /gate HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    gate.entered.notified().await;
    service.stop();
    assert_eq!(busy.until_closed().await, "");
    service.ended().await;
}
