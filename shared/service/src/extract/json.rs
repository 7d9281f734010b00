//! JSON bodies, read exactly.

use std::{error::Error as StdError, fmt, marker::PhantomData};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;
use tower_http::timeout::TimeoutError;
use utoipa::ToSchema;

use super::{shortened, strict::Strict};
use crate::problem::{Code, Problem};

/// A JSON body, and a JSON answer.
///
/// Reading is exact: the media type must be JSON (else 415), the body must be one JSON text and nothing after it (else
/// 400 `malformed_json`), and it must have the shape of `T` (else 422 `invalid_body`, with the field at fault). A Rust
/// struct is read from a JSON object only, at any depth: serde alone would also take `[7]` for a struct of one field.
/// So an array is read only where `T` wants one (`Vec`, [`OneOrMany`], a byte array, a tuple).
///
/// Unknown fields are refused where `T` says `#[serde(deny_unknown_fields)]`, as every request of ours does. Enums that
/// are untagged or internally tagged are buffered by serde and escape the rule on structs inside them: requests don't
/// use them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

/// What is longer takes more than a moment to read, and is read away from the threads that answer requests.
const LARGE: usize = 64 << 10;

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned + Send + 'static,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        declared_as_json(request.headers())?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        if body.len() > LARGE {
            let reading = tokio::task::spawn_blocking(move || from_slice(&body));
            return reading.await.map_err(Problem::internal)?.map(Self);
        }
        from_slice(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

/// `application/json`, or any media type with the suffix `+json`, with or without parameters.
fn declared_as_json(headers: &HeaderMap) -> Result<(), Problem> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "This route reads JSON.")
        .expected("application/json")
        .seen(shortened(declared))
        .mend("send the header \"Content-Type: application/json\""))
}

/// Why the body did not come in whole.
fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Code::PayloadTooLarge, "The body is longer than this route reads.");
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(rejection);
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return Problem::new(Code::RequestTimeout, "The body did not arrive within the time allowed.");
        }
        cause = error.source();
    }
    Problem::new(Code::MalformedJson, "The connection ended before the whole body had arrived.")
}

/// Reads a whole JSON text as exactly a `T`.
fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Keeping track of the path costs more than the reading itself, and is of use only when there is something to tell.
    let mut json = serde_json::Deserializer::from_slice(body);
    if let Ok(value) = T::deserialize(Strict(&mut json))
        && json.end().is_ok()
    {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = serde_path_to_error::Track::new();
    let read = T::deserialize(serde_path_to_error::Deserializer::new(Strict(&mut json), &mut track));
    let value = read.map_err(|error| unreadable(&error, body, &track.path().to_string()))?;
    json.end().map_err(|error| unreadable(&error, body, ""))?;
    Ok(value)
}

fn unreadable(error: &serde_json::Error, body: &[u8], path: &str) -> Problem {
    let message = shortened(&error.to_string());
    match error.classify() {
        Category::Data => {
            // The tracker of paths writes a dot for the whole body.
            let field = if path == "." { "" } else { path };
            let detail = if field.is_empty() { message.clone() } else { format!("{field}: {message}") };
            Problem::new(Code::InvalidBody, detail).field(field, message)
        }
        Category::Syntax | Category::Eof | Category::Io if body.is_empty() => {
            Problem::new(Code::MalformedJson, "The body is empty; this route reads a JSON text.")
        }
        Category::Syntax | Category::Eof | Category::Io => Problem::new(Code::MalformedJson, message),
    }
}

/// A body that is either one thing (a JSON object) or an array of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One JSON object.
    One(T),
    /// A JSON array, possibly empty.
    Many(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(OneOrMany::Many)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use serde::Deserialize;

    use super::{OneOrMany, declared_as_json, from_slice};
    use crate::problem::Code;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        amount: u64,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Inner,
        #[serde(default)]
        list: Vec<Inner>,
    }

    #[track_caller]
    fn refused(body: &str, code: Code) {
        let problem = from_slice::<Outer>(body.as_bytes()).unwrap_err();
        assert_eq!(problem.code(), code, "{body}: {problem}");
    }

    #[test]
    fn a_body_of_the_right_shape_is_read() {
        let outer: Outer = from_slice(br#" {"inner":{"amount":7},"list":[{"amount":8}]} "#).unwrap();
        assert_eq!(outer, Outer { inner: Inner { amount: 7 }, list: vec![Inner { amount: 8 }] });
    }

    #[test]
    fn an_array_is_not_read_as_a_struct_at_any_depth() {
        refused("[[7]]", Code::InvalidBody);
        refused(r#"{"inner":[7]}"#, Code::InvalidBody);
        refused(r#"{"inner":{"amount":7},"list":[[7]]}"#, Code::InvalidBody);
    }

    #[test]
    fn wrong_shapes_name_the_field() {
        let problem = from_slice::<Outer>(br#"{"inner":{"amount":1},"list":[{"amount":-1}]}"#).unwrap_err();
        assert_eq!(problem.details().errors[0].field, "list[0].amount");
        for body in [
            "{}",
            "7",
            "null",
            r#"{"inner":{"amount":1.0}}"#,
            r#"{"inner":{"amount":1e3}}"#,
            r#"{"inner":{"amount":"1"}}"#,
            r#"{"inner":{"amount":18446744073709551616}}"#,
            r#"{"inner":{"amount":1,"amount":2}}"#,
            r#"{"inner":{"amount":1},"extra":0}"#,
        ] {
            refused(body, Code::InvalidBody);
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        let deep = "[".repeat(200);
        for body in ["", "{", "{]", "{'a':1}", r#"{"inner":{"amount":01}}"#, r#"{"inner":{"amount":7}} {}"#] {
            refused(body, Code::MalformedJson);
        }
        assert_eq!(from_slice::<serde_json::Value>(deep.as_bytes()).unwrap_err().code(), Code::MalformedJson);
    }

    #[test]
    fn a_long_input_is_not_quoted_in_full() {
        let body = format!(r#"{{"inner":{{"amount":"{}"}}}}"#, "x".repeat(10_000));
        let problem = from_slice::<Outer>(body.as_bytes()).unwrap_err();
        assert!(problem.details().detail.len() < 400);
    }

    #[test]
    fn one_or_many_reads_both_and_stays_strict_inside() {
        type Body = OneOrMany<Inner>;
        assert_eq!(from_slice::<Body>(br#"{"amount":7}"#).unwrap(), OneOrMany::One(Inner { amount: 7 }));
        assert_eq!(from_slice::<Body>(br#"[{"amount":7}]"#).unwrap(), OneOrMany::Many(vec![Inner { amount: 7 }]));
        assert_eq!(from_slice::<Body>(b"[]").unwrap(), OneOrMany::Many(vec![]));
        assert_eq!(from_slice::<Body>(b"[[7]]").unwrap_err().code(), Code::InvalidBody);
        assert_eq!(from_slice::<Body>(b"7").unwrap_err().code(), Code::InvalidBody);
        let problem = from_slice::<Body>(br#"[{"amount":7},{"amount":true}]"#).unwrap_err();
        assert_eq!(problem.details().errors[0].field, "[1].amount");
    }

    #[test]
    fn only_json_media_types_are_read() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            declared_as_json(&headers)
        };
        for fine in ["application/json", "Application/JSON; charset=utf-8", "application/jose+json"] {
            assert!(with(fine).is_ok(), "{fine}");
        }
        for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/html+json", ""] {
            assert_eq!(with(wrong).unwrap_err().code(), Code::UnsupportedMediaType, "{wrong}");
        }
        assert!(declared_as_json(&HeaderMap::new()).is_err());
    }
}
