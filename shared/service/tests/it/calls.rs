//! The client against services good and bad.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    response::Redirect,
    routing::{any, get},
};
use http::{HeaderMap, HeaderValue, header};
use raclette_service::{
    client::{AddressPolicy, CallOptions, Client, Destination, SendError, Settings},
    extract::Json,
    problem::{Code, Problem},
    server::Limits,
};

use crate::support::{ADDRESS, Gate, Number, Service, TOKEN, router};

fn client() -> Client {
    Client::new(Settings::default(), AddressPolicy::private(true)).unwrap()
}

fn alice(service: &Service) -> Destination {
    Destination::supplied("alice", ADDRESS, "127.0.0.1", service.at.port())
}

async fn get_text(to: &Destination, path: &str) -> Result<String, SendError> {
    client().get_json::<String>(to, path, &CallOptions::default()).await.map(|answer| answer.body)
}

#[tokio::test]
async fn a_call_brings_the_answer_and_who_gave_it() {
    let service = Service::start(router(), Limits::default()).await;
    for host in ["127.0.0.1", "localhost"] {
        let to = Destination::supplied("alice", ADDRESS, host, service.at.port());
        let answer: raclette_service::client::Answer<Number> =
            client().post_json(&to, "/double", &Number { value: 21 }, &CallOptions::default()).await.unwrap();
        assert_eq!((answer.status, answer.body, answer.address.as_deref()), (200, Number { value: 42 }, Some(ADDRESS)));
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::try_from(format!("Bearer {TOKEN}")).unwrap());
    let options = CallOptions { headers, ..CallOptions::default() };
    assert_eq!(client().get_json::<String>(&alice(&service), "/secret", &options).await.unwrap().body, "127.0.0.1");
}

#[tokio::test]
async fn a_refusal_brings_code_and_whether_it_is_for_good() {
    let busy = || async { Problem::new(Code::NotReady, "syncing").retry_after(7) };
    let service = Service::start(router().route("/busy", get(busy)), Limits::default()).await;
    let refused =
        client().post_bytes::<Number>(&alice(&service), "/double", "[1]".into(), &CallOptions::default()).await;
    let refused = refused.unwrap_err();
    assert!(refused.permanent(), "{refused}");
    assert_eq!(refused.code(), Some(Code::InvalidBody));
    let later = get_text(&alice(&service), "/busy").await.unwrap_err();
    assert!(!later.permanent());
    assert_eq!((later.code(), later.retry_after()), (Some(Code::NotReady), Some(Duration::from_secs(7))));
    let missing = get_text(&alice(&service), "/secret").await.unwrap_err();
    assert_eq!(missing.code(), Some(Code::TokenMissing));
}

#[tokio::test]
async fn another_service_on_the_port_is_not_taken_for_the_destination() {
    let service = Service::start(router(), Limits::default()).await;
    let bob = Destination::supplied("bob", "rac1bob", "127.0.0.1", service.at.port());
    let expected = SendError::WrongDestination { expected: "rac1bob".to_owned(), seen: Some(ADDRESS.to_owned()) };
    assert_eq!(get_text(&bob, "/healthz").await.unwrap_err(), expected);

    let stranger = Service::start_bare(Router::new().fallback(any(|| async { "\"hello\"" })), Limits::default()).await;
    let expected = SendError::WrongDestination { expected: ADDRESS.to_owned(), seen: None };
    assert_eq!(get_text(&alice(&stranger), "/healthz").await.unwrap_err(), expected);
    let first_contact = Destination::configured("tracker", None, "127.0.0.1", stranger.at.port());
    assert_eq!(get_text(&first_contact, "/network").await.unwrap(), "hello");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let reached = Arc::new(AtomicBool::new(false));
    let canary = reached.clone();
    let router = Router::new()
        .route("/from", any(|| async { Redirect::temporary("/to") }))
        .route("/to", any(move || async move { canary.store(true, SeqCst) }));
    let service = Service::start(router, Limits::default()).await;
    let error = get_text(&alice(&service), "/from").await.unwrap_err();
    assert!(matches!(error, SendError::Refused { status: 307, permanent: false, .. }), "{error}");
    assert!(!reached.load(SeqCst));
}

#[tokio::test]
async fn answers_that_are_too_large_or_of_another_shape_are_refused() {
    let large = || async { Json("x".repeat(10_000)) };
    let service = Service::start(router().route("/large", get(large)), Limits::default()).await;
    assert_eq!(get_text(&alice(&service), "/large").await.unwrap().len(), 10_000);
    let options = CallOptions { largest_answer: Some(9_999), ..CallOptions::default() };
    let error = client().get_json::<String>(&alice(&service), "/large", &options).await.unwrap_err();
    assert!(matches!(error, SendError::BadAnswer { .. }), "{error}");
    let error = client().get_json::<u64>(&alice(&service), "/large", &CallOptions::default()).await.unwrap_err();
    assert!(matches!(error, SendError::BadAnswer { .. }) && !error.to_string().contains("xx"), "{error}");
}

#[tokio::test]
async fn a_destination_that_does_not_answer_is_unreachable() {
    let gate = Gate::default();
    let handler = gate.clone();
    let router = Router::new().route("/gate", get(move || handler.clone().pass()));
    let service = Service::start(router, Limits::default()).await;
    let options = CallOptions { timeout: Some(Duration::from_millis(100)), ..CallOptions::default() };
    let late = client().get_json::<String>(&alice(&service), "/gate", &options).await.unwrap_err();
    assert!(matches!(late, SendError::Unreachable { .. }), "{late}");

    let closed = { tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port() };
    let nobody = Destination::supplied("nobody", ADDRESS, "127.0.0.1", closed);
    let error = get_text(&nobody, "/").await.unwrap_err();
    assert!(matches!(&error, SendError::Unreachable { reason } if reason.contains("refused")), "{error}");
    let unresolved = Destination::configured("nobody", None, "does-not-exist.invalid", 7700);
    assert!(matches!(get_text(&unresolved, "/").await, Err(SendError::Unreachable { .. })));
}

#[tokio::test]
async fn supplied_addresses_outside_the_policy_are_never_connected_to() {
    let reached = Arc::new(AtomicBool::new(false));
    let canary = reached.clone();
    let handler = any(move || async move { canary.store(true, SeqCst) });
    let service = Service::start_bare(Router::new().fallback(handler), Limits::default()).await;
    let client = Client::new(Settings::default(), AddressPolicy::private(false)).unwrap();
    for host in
        ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f.1", "2130706433", "127.1", "a@127.0.0.1"]
    {
        let to = Destination::supplied("canary", ADDRESS, host, service.at.port());
        let error = client.get_json::<()>(&to, "/", &CallOptions::default()).await.unwrap_err();
        assert!(matches!(error, SendError::Forbidden(_)), "{host}: {error}");
    }
    assert!(!reached.load(SeqCst));
    let own = Destination::configured("tracker", None, "127.0.0.1", service.at.port());
    client.get_json::<()>(&own, "/", &CallOptions::default()).await.unwrap();
    assert!(reached.load(SeqCst));
}
