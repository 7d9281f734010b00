//! What can go wrong with a call, in terms that need no knowledge of HTTP.

use std::{error::Error, io, time::Duration};

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::AddressError;
use crate::problem::Code;

/// Why a call failed. No variant holds a body, a token or a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No whole answer came: no connection, a broken one, or none in time. The request may have arrived all the same.
    #[error("unreachable: {reason}")]
    Unreachable {
        /// What the system said.
        reason: String,
    },
    /// The address is one that this service does not call.
    #[error(transparent)]
    Forbidden(AddressError),
    /// Another service answered, or something that is not of ours.
    #[error("another service answered: expected {expected}, seen {}", .seen.as_deref().unwrap_or("no address"))]
    WrongDestination {
        /// The address that was to answer.
        expected: String,
        /// The address that did, if it told one.
        seen: Option<String>,
    },
    /// The destination answered that it will not.
    #[error("refused with {status}{}: {detail}", .code.map(|code| format!(" {code}")).unwrap_or_default())]
    Refused {
        /// The HTTP status, for people.
        status: u16,
        /// The problem's code, if it is one that we know.
        code: Option<Code>,
        /// What the destination says about it.
        detail: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Whether the same request can never succeed: set it aside. Only for one of our own permanent codes.
        permanent: bool,
    },
    /// The destination agreed, but its answer cannot be read.
    #[error("the answer cannot be read: {reason}")]
    BadAnswer {
        /// What is wrong with it.
        reason: String,
    },
    /// The request could not be written down.
    #[error("the request cannot be sent: {reason}")]
    Unsent {
        /// Why not.
        reason: String,
    },
}

/// What is read of a problem document; everything else may be anything.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    code: String,
    detail: String,
    retry_after: Option<u64>,
}

impl SendError {
    /// Whether the same request can never succeed there.
    #[must_use]
    pub fn permanent(&self) -> bool {
        matches!(self, Self::Refused { permanent: true, .. })
    }

    /// How long the destination asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Unreachable { .. }
            | Self::Forbidden(_)
            | Self::WrongDestination { .. }
            | Self::BadAnswer { .. }
            | Self::Unsent { .. } => None,
        }
    }

    /// The code of the problem that the destination answered with, if it is one that we know.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Unreachable { .. }
            | Self::Forbidden(_)
            | Self::WrongDestination { .. }
            | Self::BadAnswer { .. }
            | Self::Unsent { .. } => None,
        }
    }

    pub(super) fn late(within: Duration) -> Self {
        Self::Unreachable { reason: format!("no whole answer within {} ms", within.as_millis()) }
    }

    pub(super) fn unresolved(error: &io::Error) -> Self {
        Self::Unreachable { reason: format!("the host name does not resolve: {error}") }
    }

    /// From the client library's error: its causes without the URL, whose path may be nobody's business.
    pub(super) fn unreachable(error: reqwest::Error) -> Self {
        let timed_out = error.is_timeout();
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            reason = error.to_string();
            cause = error.source();
        }
        if timed_out {
            reason = "timed out".to_owned();
        }
        Self::Unreachable { reason }
    }

    /// From a status that is no success, and whatever came with it.
    pub(super) fn refused(status: StatusCode, headers: &HeaderMap, text: &[u8]) -> Self {
        let told: Option<Told> = serde_json::from_slice(text).ok();
        let retry_header = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let retry_after = told.as_ref().and_then(|told| told.retry_after).or(retry_header);
        let told = told.unwrap_or_default();
        let code = told.code.parse::<Code>().ok();
        let detail = if told.detail.is_empty() { "it gave no reason".to_owned() } else { plain(&told.detail) };
        Self::Refused {
            status: status.as_u16(),
            code,
            detail,
            retry_after: retry_after.map(Duration::from_secs),
            // A code under a status that it does not have is not one of our answers.
            permanent: code.is_some_and(|code| code.permanent() && code.status() == status),
        }
    }
}

/// Somebody else's words, fit for our log: of bounded length, and without control characters.
fn plain(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::SendError;
    use crate::problem::Code;

    fn refused(status: StatusCode, text: &str) -> SendError {
        SendError::refused(status, &HeaderMap::new(), text.as_bytes())
    }

    #[test]
    fn only_our_own_permanent_codes_are_permanent() {
        assert!(refused(StatusCode::FORBIDDEN, r#"{"code":"bad_signature","detail":"x"}"#).permanent());
        assert!(!refused(StatusCode::CONFLICT, r#"{"code":"stale_epoch","detail":"x"}"#).permanent());
        for (status, text) in [
            (StatusCode::BAD_REQUEST, "<html>a proxy in between</html>"),
            (StatusCode::PAYLOAD_TOO_LARGE, ""),
            (StatusCode::BAD_REQUEST, r#"{"code":"code_of_a_newer_version"}"#),
            (StatusCode::BAD_GATEWAY, r#"{"code":"bad_signature"}"#),
            (StatusCode::BAD_REQUEST, r#"{"code":7}"#),
        ] {
            assert!(!refused(status, text).permanent(), "{status} {text}");
        }
    }

    #[test]
    fn the_wait_is_read_from_the_document_or_the_header() {
        let document = refused(StatusCode::SERVICE_UNAVAILABLE, r#"{"code":"not_ready","retry_after":3}"#);
        assert_eq!((document.code(), document.retry_after()), (Some(Code::NotReady), Some(Duration::from_secs(3))));
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        let header = SendError::refused(StatusCode::SERVICE_UNAVAILABLE, &headers, b"");
        assert_eq!(header.retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn the_others_words_are_bounded_and_plain() {
        let long = format!(r#"{{"detail":"a\u001b[31m\n{}"}}"#, "x".repeat(10_000));
        let message = refused(StatusCode::CONFLICT, &long).to_string();
        assert!(message.len() < 400 && !message.contains(['\u{1b}', '\n']), "{message}");
    }
}
