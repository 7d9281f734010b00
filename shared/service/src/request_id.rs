//! The id of a request: taken from the caller or made, given back with the answer, written to the log, and passed on to
//! other services in the requests that it causes.
//!
//! While a request is answered, its id is at hand everywhere in its task ([`RequestId::current`]). Work that goes on in
//! another task takes it along and runs inside [`within`].

use std::fmt::{self, Write as _};

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng as _;

/// Carries the request's id, in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a caller, in characters.
const LONGEST: usize = 64;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the value of a header.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The id of the request that this task answers or works for, if there is one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The caller's id if it is one, else a fresh one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        given.and_then(|text| text.parse().ok()).unwrap_or_else(Self::fresh)
    }

    /// An id of 128 random bits.
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

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not an id: it is too long, empty, or has other characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a request id: 1 to 64 characters of A-Z a-z 0-9 . _ -")]
pub struct NotARequestId;

impl std::str::FromStr for RequestId {
    type Err = NotARequestId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=LONGEST).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(NotARequestId);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| NotARequestId)
    }
}

/// Does work for a request: everything in it finds the request's id as [`RequestId::current`], and the requests to other
/// services that it causes carry it.
pub async fn within<T>(id: Option<RequestId>, work: impl Future<Output = T>) -> T {
    match id {
        Some(id) => CURRENT.scope(id, work).await,
        None => work.await,
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestId, within};

    #[tokio::test]
    async fn the_id_is_at_hand_in_the_work_for_its_request_and_nowhere_else() {
        assert_eq!(RequestId::current(), None);
        let id: RequestId = "my-id.7".parse().unwrap();
        within(Some(id.clone()), async {
            assert_eq!(RequestId::current(), Some(id.clone()));
            within(None, async { assert_eq!(RequestId::current(), Some(id)) }).await;
            let elsewhere = tokio::spawn(async { RequestId::current() });
            assert_eq!(elsewhere.await.unwrap(), None, "another task has to take it along");
        })
        .await;
        assert_eq!(RequestId::current(), None);
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for unfit in ["", "a b", "<script>", "a\n", "ä", &"x".repeat(65)] {
            assert!(unfit.parse::<RequestId>().is_err(), "{unfit}");
        }
        assert!("x".repeat(64).parse::<RequestId>().is_ok());
    }
}
