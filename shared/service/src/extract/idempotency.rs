//! `Idempotency-Key`: a name that the caller gives a request, so that it can be repeated without being done twice.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};
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
const NAME: &str = "Idempotency-Key";
/// The longest key, in characters.
const LONGEST: usize = 128;

/// Says of an answer that it repeats the first one to the same key.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of the request, if it has one: 1 to 128 visible ASCII characters; anything else is 400 `invalid_parameter`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(NAME).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let wrong = |found: String| {
            let expected = format_args!("1 to {LONGEST} visible ASCII characters, once");
            Err(Problem::parameter(ApiError::malformed(NAME, expected, found)))
        };
        if values.next().is_some() {
            return wrong(String::from("several"));
        }
        match value.to_str() {
            Ok(text) if (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self(Some(text.to_owned())))
            }
            Ok(text) if text.len() > LONGEST => wrong(format!("{} characters", text.len())),
            Ok(text) => wrong(format!("{text:?}")),
            Err(_) => wrong(String::from("other characters")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::from_headers(&parts.headers)
    }
}

/// For `#[utoipa::path(params(IdempotencyKey))]`.
impl IntoParams for IdempotencyKey {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[!-~]+$"))
            .min_length(Some(1))
            .max_length(Some(LONGEST));
        let header = ParameterBuilder::new()
            .name(NAME)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "A name for this request, best a random one. Whoever got no answer repeats the request with the same key: it is \
                 not done twice, and what was answered first is answered again",
            ))
            .schema(Some(text))
            .example(Some("9f1c2a7e-order-17".into()));
        vec![header.build()]
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{IdempotencyKey, LONGEST};
    use crate::problem::Code;

    fn with_keys(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
        values.map(|value| (HeaderName::from_static("idempotency-key"), value)).collect()
    }

    fn read(values: &[&str]) -> Result<Option<String>, Code> {
        IdempotencyKey::from_headers(&with_keys(values)).map(|key| key.0).map_err(|problem| problem.code())
    }

    #[test]
    fn a_key_is_visible_and_not_too_long() {
        assert_eq!(read(&[]), Ok(None));
        let longest = "~".repeat(LONGEST);
        for fit in ["a", "\"quoted\"", "!#%,;=~", longest.as_str()] {
            assert_eq!(read(&[fit]), Ok(Some(fit.to_owned())));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_rather_than_ignored() {
        let too_long = "~".repeat(LONGEST + 1);
        for unfit in ["", "a b", "a\tb", "ä", too_long.as_str()] {
            assert_eq!(read(&[unfit]), Err(Code::InvalidParameter), "{unfit}");
        }
        assert_eq!(read(&["a", "a"]), Err(Code::InvalidParameter), "one request has one key");
    }
}
