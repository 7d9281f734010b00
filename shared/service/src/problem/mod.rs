//! What every error answer looks like: a problem document (RFC 9457).
//!
//! A handler returns a [`Problem`]; the layers of [`crate::layers`] add the path and the request id. The table of
//! [`Code`]s is shared by both services. A problem that a person meets says how to mend it (`mend`), mostly as the
//! exact command.

pub mod catalogue;
mod code;
mod details;
mod message;
mod pages;
mod responses;

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

pub use self::{
    code::{Code, UnknownCode},
    details::{FieldError, ProblemDetails},
    pages::routes,
    responses::{CommonProblems, OwnerProblems},
};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error answer in the making.
///
/// ```text
/// Problem::new(Code::InsufficientFunds, "alice has 10, this costs 26")
///     .expected(26).seen(10).mend("mine a block: curl -X POST http://127.0.0.1:7701/mine ...")
/// ```
///
/// It is one pointer wide, so that it makes a cheap `Err`.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<ProblemDetails>);

impl Problem {
    /// A problem with this code; `detail` says what happened in this very case.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemDetails::new(code, detail.into())))
    }

    /// A fault of the service itself.
    ///
    /// The cause is logged here, with the request's id as the span's field, and never shown to the caller.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(Code::Internal, "The cause is in the service's log, under the request id.")
    }

    /// What the rule asks for: one side of the comparison that failed.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<Value>) -> Self {
        self.0.expected = Some(expected.into());
        self
    }

    /// What was there instead: the other side of the comparison.
    #[must_use]
    pub fn seen(mut self, seen: impl Into<Value>) -> Self {
        self.0.seen = Some(seen.into());
        self
    }

    /// How a person mends it, often the exact command.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.0.mend = Some(mend.into());
        self
    }

    /// Adds a field of the request that is wrong (`field` as in `transaction.amount`, empty for the whole).
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// In how many seconds it makes sense to ask again; also sent as the `Retry-After` header.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Adds an extension member of its own name (RFC 9457 section 3.2).
    #[must_use]
    pub fn with(mut self, member: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.extensions.insert(member.into(), value.into());
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The members as they will be sent.
    #[must_use]
    pub fn details(&self) -> &ProblemDetails {
        &self.0
    }

    /// Names the request that this answers; done by the layers for every problem that passes them.
    pub(crate) fn complete(&mut self, instance: &str, request_id: &str) {
        self.0.instance = Some(instance.to_owned());
        self.0.request_id = Some(request_id.to_owned());
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("a problem has string keys and values that JSON can express")
    }
}

/// Written as the document, for an answer that lists several outcomes.
impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let code = self.code();
        let mut response = (code.status(), self.body()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"owner\""));
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if code.status() == http::StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The layers find the problem here, and write it again with the path and the request id.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, response::IntoResponse};
    use http::header;
    use serde_json::{Value, json};

    use super::{Code, MEDIA_TYPE, Problem};

    async fn shown(problem: Problem) -> Value {
        let response = problem.into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        serde_json::from_slice(&to_bytes(response.into_body(), 65_536).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_shows_its_members_and_nothing_empty() {
        let shown = shown(
            Problem::new(Code::InsufficientFunds, "alice has 10, this costs 26")
                .expected(26)
                .seen(10)
                .mend("mine a block")
                .with("pending", 50),
        )
        .await;
        let expected = json!({
            "type": "/problems/insufficient-funds",
            "title": "The account holds too little",
            "status": 409,
            "code": "insufficient_funds",
            "detail": "alice has 10, this costs 26",
            "expected": 26,
            "seen": 10,
            "mend": "mine a block",
            "pending": 50,
        });
        assert_eq!(shown, expected);
    }

    #[tokio::test]
    async fn the_cause_of_an_internal_problem_is_not_shown() {
        let shown = shown(Problem::internal("secret path of the key")).await;
        assert!(!shown.to_string().contains("secret"));
        assert_eq!(shown["code"], "internal");
    }

    #[test]
    fn retry_after_is_also_a_header() {
        let response = Problem::new(Code::NotReady, "syncing").retry_after(3).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    }
}
