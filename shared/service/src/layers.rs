//! What every request passes and every answer gets, in both services.
//!
//! [`wrap`] is called once, on the finished router. From the outside in: the request gets an id and a tracing span, the
//! host name is checked, a panic becomes an `internal` problem, and bodies are limited. The answer gets the service's
//! own address, the request id, the security headers, and, if it is a problem, the path and the request id in its body.
//! What is logged of a request is its method, path, status and duration; never its query, headers or body.

use std::{any::Any, fmt::Write, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use rand::Rng;
use tracing::{Instrument, Span, field};

use crate::{
    access::HostAllowList,
    panic,
    problem::{Code, Problem},
};

/// Carries the address (`rac1...`) of the service that answers, so that a sender knows whom it reached.
pub const RACLETTE_ADDRESS: HeaderName = HeaderName::from_static("raclette-address");

/// Carries the request's id, in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What [`wrap`] needs to know about the service.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The service's own address, sent with every answer as `Raclette-Address`.
    pub address: String,
    /// The host names it answers to.
    pub hosts: HostAllowList,
    /// The largest body it reads, in bytes, where a route says nothing else (see [`body_limit`]).
    pub body_limit: usize,
}

/// The id of the request at hand, for handlers that want to note it (an axum `Extension`).
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The caller's id if it is one, else a fresh one of 128 random bits.
    fn of(headers: &HeaderMap) -> Self {
        let fit = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            (1..=64).contains(&bytes.len()) && bytes.iter().all(allowed)
        };
        headers.get(X_REQUEST_ID).filter(fit).cloned().map_or_else(Self::fresh, Self)
    }

    fn fresh() -> Self {
        let mut bytes = [0_u8; 16];
        rand::rng().fill_bytes(&mut bytes);
        let mut text = String::with_capacity(32);
        for byte in bytes {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
        }
        Self(HeaderValue::try_from(text).expect("hex digits make a header value"))
    }
}

/// Wraps a finished router with everything that both services share, and answers unknown paths (404) and methods (405,
/// with `Allow`) with problems.
///
/// # Panics
/// If the service's own address is no visible ASCII text; bech32 always is.
pub fn wrap(router: Router, shared: Shared) -> Router {
    let address = HeaderValue::try_from(&shared.address).expect("an address in bech32 makes a header value");
    let envelope_state = Arc::new(Envelope { address, hosts: shared.hosts });
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(body_limit(shared.body_limit))
        .layer(middleware::from_fn_with_state(envelope_state, envelope))
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
}

async fn envelope(State(state): State<Arc<Envelope>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let path = cut(request.uri().path()).to_owned();
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
        match state.hosts.check(request.uri(), request.headers()) {
            Ok(()) => {
                AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| panicked(&*panic))
            }
            Err(problem) => problem.into_response(),
        }
    };
    let mut response = answer.instrument(span.clone()).await;

    complete_problem(&mut response, &path, &id);
    let headers = response.headers_mut();
    headers.insert(RACLETTE_ADDRESS, state.address.clone());
    headers.insert(X_REQUEST_ID, id.0);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
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
        Extension, Router,
        body::{Body, to_bytes},
        routing::{get, post},
    };
    use http::{Request, StatusCode, header};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::{RequestId, Shared, body_limit, wrap};
    use crate::{access::HostAllowList, extract::Json};

    async fn panics() {
        panic!("the secret is 42")
    }

    fn router() -> Router {
        let router = Router::new()
            .route("/id", get(|Extension(id): Extension<RequestId>| async move { id.as_str().to_owned() }))
            .route("/panic", get(panics).post(|| async {}))
            .route("/small", post(|Json(_): Json<Value>| async {}))
            .route("/large", post(|Json(_): Json<Value>| async {}).layer(body_limit(100)));
        wrap(router, Shared { address: "rac1test".to_owned(), hosts: HostAllowList::default(), body_limit: 10 })
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
