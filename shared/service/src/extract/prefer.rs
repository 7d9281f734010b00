//! `Prefer: wait=N` (RFC 7240): how long the caller would wait for the outcome.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use raclette_api::ApiError;
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
    },
};

use crate::problem::Problem;

/// The name of the header.
const NAME: &str = "Prefer";
/// The longest value of one such header, in characters.
const LONGEST_VALUE: usize = 200;

/// How long the caller would like to wait, if it said so: 0 to 30 s; what is longer counts as 30 s.
///
/// What cannot be read is ignored, as the RFC demands of preferences; only a header of more than 200 characters is refused, with
/// 400 `invalid_parameter`. A handler that honours the preference answers with
/// [`PreferWait::applied`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PreferWait(pub Option<Duration>);

impl PreferWait {
    /// The longest wait that is honoured.
    pub const LONGEST: Duration = Duration::from_secs(30);

    /// The header that says that the preference was honoured (RFC 7240 section 3), if there was one.
    #[must_use]
    pub fn applied(self) -> Option<(HeaderName, HeaderValue)> {
        let value = HeaderValue::try_from(format!("wait={}", self.0?.as_secs())).expect("digits make a header value");
        Some((HeaderName::from_static("preference-applied"), value))
    }

    fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let values = headers.get_all(NAME);
        if let Some(long) = values.iter().map(HeaderValue::len).find(|length| *length > LONGEST_VALUE) {
            let expected = format_args!("at most {LONGEST_VALUE} characters");
            return Err(Problem::parameter(ApiError::malformed(NAME, expected, format!("{long} characters"))));
        }
        // Only the first instance of a preference counts (RFC 7240 section 2).
        let first = values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(wait_value);
        let seconds = first.and_then(|value| value.parse::<u32>().ok());
        Ok(Self(seconds.map(|seconds| Duration::from_secs(seconds.into()).min(Self::LONGEST))))
    }
}

/// The value in ` wait = "30" ; parameters`, if this preference is named wait.
fn wait_value(preference: &str) -> Option<&str> {
    let (name, value) = preference.split(';').next()?.split_once('=')?;
    name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
}

impl<S: Send + Sync> FromRequestParts<S> for PreferWait {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::from_headers(&parts.headers)
    }
}

/// For `#[utoipa::path(params(PreferWait))]`.
impl IntoParams for PreferWait {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let header = ParameterBuilder::new()
            .name(NAME)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("`wait=N` (RFC 7240): wait up to N seconds, at most 30, for the outcome"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(LONGEST_VALUE))))
            .example(Some("wait=30".into()));
        vec![header.build()]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue};

    use super::PreferWait;

    #[track_caller]
    fn check(values: &[&'static str], expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", HeaderValue::from_static(value));
        }
        let found = PreferWait::from_headers(&headers).expect("no header is too long");
        assert_eq!(found, PreferWait(expected.map(Duration::from_secs)), "{values:?}");
    }

    #[test]
    fn the_first_wait_counts_and_is_capped() {
        check(&["wait=30"], Some(30));
        check(&["wait=0"], Some(0));
        check(&["wait=31"], Some(30));
        check(&["respond-async, WAIT = \"5\" ; why=not"], Some(5));
        check(&["return=minimal", "wait=7", "wait=9"], Some(7));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        check(&[], None);
        check(&["wait"], None);
        check(&["wait=-1"], None);
        check(&["wait=soon"], None);
        check(&["waiting=3"], None);
    }

    #[test]
    fn a_header_of_more_than_two_hundred_characters_is_refused() {
        let header = |length: usize| {
            let value = HeaderValue::try_from(format!("wait=3,{}", "x".repeat(length - 7))).unwrap();
            PreferWait::from_headers(&HeaderMap::from_iter([(http::HeaderName::from_static("prefer"), value)]))
        };
        assert_eq!(header(200).unwrap(), PreferWait(Some(Duration::from_secs(3))));
        assert_eq!(header(201).unwrap_err().code().name(), "invalid_parameter");
    }

    #[test]
    fn the_answer_tells_what_was_applied() {
        let (name, value) = PreferWait(Some(Duration::from_secs(30))).applied().unwrap();
        assert_eq!((name.as_str(), value), ("preference-applied", HeaderValue::from_static("wait=30")));
        assert_eq!(PreferWait(None).applied(), None);
    }
}
