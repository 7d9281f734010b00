//! What every request passes and every answer gets, in both services.
//!
//! [`wrap`] is called once, on the finished router. From the outside in: the answer is compressed if the caller accepts it,
//! the request gets an id and a tracing span, the host name and the rate of requests are checked, it is counted, a panic becomes an
//! `internal` problem, and bodies are limited. The answer gets the service's own address, the request id, the security
//! headers, a link if it is a page with a next one, and, if it is a problem, the path and the request id in its body.
//! What is logged of a request is its method, path, status and duration; never its query, headers or body.

use std::{any::Any, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use raclette_api::FROM_HEADER;
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{And, NotForContentType, SizeAbove},
    },
};
use tracing::{Instrument, Span, field};

pub use crate::request_id::X_REQUEST_ID;
use crate::{
    access::{HostAllowList, RateLimits, is_probe_path},
    answer::link_to_next,
    metrics::Metrics,
    panic,
    problem::{Code, Problem},
    request_id::{self, RequestId},
};

/// Answers below this size, in bytes, are not worth compressing.
const SMALL: u64 = 1024;

/// Carries the address (`rac1...`) of the service that answers, so that a sender knows whom it reached.
pub const RACLETTE_ADDRESS: HeaderName = HeaderName::from_static("raclette-address");

/// What [`wrap`] needs to know about the service.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The service's own address, sent with every answer as `Raclette-Address`.
    pub address: String,
    /// The host names it answers to.
    pub hosts: HostAllowList,
    /// The largest body it reads, in bytes, where a route says nothing else (see [`body_limit`]).
    pub body_limit: usize,
    /// How many requests it takes from one caller.
    pub rates: RateLimits,
    /// Where requests are counted.
    pub metrics: Metrics,
}

/// Wraps a finished router with everything that both services share, and answers unknown paths (404) and methods (405,
/// with `Allow`) with problems.
///
/// # Panics
/// If the service's own address is no visible ASCII text; bech32 always is.
pub fn wrap(router: Router, shared: Shared) -> Router {
    let address = HeaderValue::try_from(&shared.address).expect("an address in bech32 makes a header value");
    let Shared { hosts, body_limit: limit, rates, metrics, .. } = shared;
    let envelope_state = Arc::new(Envelope { address, hosts, rates, metrics });
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(body_limit(limit))
        .layer(middleware::from_fn_with_state(envelope_state, envelope))
        // The outermost: a problem gets its last members in the envelope.
        .layer(compression())
}

/// Compresses answers for callers that accept it. Our own client does not ask for it, so that members spend nothing on it;
/// streams of events are left alone, so that they are not held back.
fn compression() -> CompressionLayer<And<SizeAbove, NotForContentType>> {
    CompressionLayer::new()
        .gzip(true)
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(SMALL).and(NotForContentType::SSE))
}

/// A layer for single routes that read more, or less, than [`Shared::body_limit`] bytes.
pub fn body_limit(bytes: usize) -> DefaultBodyLimit {
    DefaultBodyLimit::max(bytes)
}

async fn not_found(uri: Uri) -> Problem {
    let path = cut(uri.path());
    Problem::new(Code::NotFound, format!("There is nothing at {path}."))
        .mend("GET /openapi.json or /docs lists what there is")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let (method, path) = (cut(method.as_str()), cut(uri.path()));
    Problem::new(
        Code::MethodNotAllowed,
        format!("{path} does not know {method}; the Allow header lists what it knows."),
    )
}

#[derive(Debug)]
struct Envelope {
    address: HeaderValue,
    hosts: HostAllowList,
    rates: RateLimits,
    metrics: Metrics,
}

impl Envelope {
    /// Whether a request may pass: by the host that it names, and by how many its sender has made.
    fn admit(&self, request: &Request) -> Result<(), Problem> {
        self.hosts.check(request.uri(), request.headers())?;
        let remote = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let Some(ConnectInfo(remote)) = remote.filter(|_| !is_probe_path(request.uri().path())) else { return Ok(()) };
        let named = request.headers().get(FROM_HEADER).and_then(|value| value.to_str().ok());
        self.rates.check(remote.ip(), named)
    }
}

async fn envelope(State(state): State<Arc<Envelope>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let counted = state.metrics.requests().begin(&request);
    let id = RequestId::of(request.headers());
    let path = cut(request.uri().path()).to_owned();
    let uri = request.uri().clone();
    let span = tracing::info_span!(
        "request",
        id = id.as_str(),
        method = request.method().as_str(),
        path,
        status = field::Empty,
        duration_ms = field::Empty,
    );
    request.extensions_mut().insert(id.clone());

    let answer = async {
        match state.admit(&request) {
            Ok(()) => {
                AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| panicked(&*panic))
            }
            Err(problem) => problem.into_response(),
        }
    };
    let mut response = request_id::within(Some(id.clone()), answer.instrument(span.clone())).await;

    complete_problem(&mut response, &path, &id);
    link_to_next(&mut response, &uri);
    let headers = response.headers_mut();
    headers.insert(RACLETTE_ADDRESS, state.address.clone());
    headers.insert(X_REQUEST_ID, id.header_value());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    counted.answered(response.status());
    log_outcome(&span, &response, started);
    response
}

/// Writes a problem again, now that it is known which request it answers.
fn complete_problem(response: &mut Response, path: &str, id: &RequestId) {
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.complete(path, id.as_str());
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(problem.body());
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    Problem::internal(format_args!("a handler panicked: {}", panic::message(panic))).into_response()
}

fn log_outcome(span: &Span, response: &Response, started: Instant) {
    let status = response.status();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.record("status", status.as_u16()).record("duration_ms", duration_ms);
    // Faults of the service are its owner's business; everything else is the caller's.
    span.in_scope(|| match status {
        http::StatusCode::INTERNAL_SERVER_ERROR | http::StatusCode::INSUFFICIENT_STORAGE => tracing::warn!("failed"),
        _ => tracing::debug!("answered"),
    });
}

/// A text of the caller's, cut to a length that is fit for a log line or an answer. Paths and methods are ASCII.
fn cut(text: &str) -> &str {
    text.get(..200).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, to_bytes},
        routing::{get, post},
    };
    use http::{Request, StatusCode, header};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::{RequestId, Shared, body_limit, wrap};
    use crate::{
        access::{HostAllowList, RateLimits},
        build::Build,
        extract::Json,
        metrics::Metrics,
    };

    async fn panics() {
        panic!("the secret is 42")
    }

    fn router() -> Router {
        let router = Router::new()
            .route("/id", get(async || RequestId::current().unwrap().to_string()))
            .route("/long", get(async || "long ".repeat(1_000)))
            .route("/panic", get(panics).post(|| async {}))
            .route("/small", post(|Json(_): Json<Value>| async {}))
            .route("/large", post(|Json(_): Json<Value>| async {}).layer(body_limit(100)));
        let hosts = HostAllowList::default();
        let metrics = Metrics::new(Build { program: "test", version: "0", commit: None });
        let rates = RateLimits::none();
        wrap(router, Shared { address: "rac1test".to_owned(), hosts, body_limit: 10, rates, metrics })
    }

    async fn call(request: http::request::Builder, body: &'static str) -> (StatusCode, http::HeaderMap, String) {
        let request = request.header(header::HOST, "localhost").header(header::CONTENT_TYPE, "application/json");
        let response = router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 65_536).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_answer_carries_the_shared_headers() {
        for path in ["/id", "/nowhere", "/panic", "/small"] {
            let (_, headers, _) = call(Request::get(path), "").await;
            assert_eq!(headers["raclette-address"], "rac1test", "{path}");
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["cache-control"], "no-store");
            assert_eq!(headers["x-request-id"].len(), 32);
        }
    }

    #[tokio::test]
    async fn a_fit_request_id_is_kept_and_others_are_replaced() {
        let (_, headers, body) = call(Request::get("/id").header("x-request-id", "my-id.7"), "").await;
        assert_eq!((headers["x-request-id"].as_bytes(), body.as_str()), (b"my-id.7".as_slice(), "my-id.7"));
        for unfit in ["", "a b", "<script>", &"x".repeat(65)] {
            let (_, headers, _) = call(Request::get("/id").header("x-request-id", unfit), "").await;
            assert_eq!(headers["x-request-id"].len(), 32, "{unfit}");
        }
    }

    #[tokio::test]
    async fn long_answers_are_compressed_for_those_who_accept_it() {
        let request = |encoding: &'static str| {
            Request::get("/long").header(header::HOST, "localhost").header(header::ACCEPT_ENCODING, encoding)
        };
        for (encoding, compressed) in [("gzip, br", true), ("identity", false), ("", false)] {
            let response = router().oneshot(request(encoding).body(Body::empty()).unwrap()).await.unwrap();
            let found =
                response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(found.as_deref(), compressed.then_some("gzip"), "{encoding}");
            let length = to_bytes(response.into_body(), 65_536).await.unwrap().len();
            assert_eq!(length < 1_000, compressed, "{length}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_problem_without_its_message() {
        let (status, headers, body) = call(Request::get("/panic?query=secret"), "").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["instance"], "/panic");
        assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap());
        assert!(!body.contains("secret"));
    }

    #[tokio::test]
    async fn a_route_may_have_a_body_limit_of_its_own() {
        let body = r#""twenty characters...""#;
        assert_eq!(call(Request::post("/small"), body).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(call(Request::post("/large"), body).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn unknown_methods_get_the_list_of_allowed_ones() {
        let (status, headers, body) = call(Request::delete("/panic"), "").await;
        assert_eq!((status, &headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"GET,HEAD,POST".parse().unwrap()));
        assert!(body.contains("method_not_allowed"));
    }
}
