//! Answers that the caller may have already: `ETag`, `If-None-Match`, 304 (RFC 9110 section 13) and `Cache-Control`.

use std::{collections::BTreeMap, fmt};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use raclette_api::ApiError;
use utoipa::{
    IntoParams, IntoResponses,
    openapi::{
        RefOr, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        response::{Response as Described, ResponseBuilder},
        schema::{ObjectBuilder, Type},
    },
};

use crate::problem::Problem;

/// The longest `If-None-Match` that is read.
const LONGEST: usize = 1024;

/// What an answer was made from: as long as it stays the same, so does the answer.
///
/// It is weak, since the same answer may go out compressed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// A tag for an answer that was made from these values.
    pub fn of<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        Self(values.join("."))
    }
}

/// How long an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It may change at any time: ask again, with `If-None-Match`.
    Revalidate,
    /// It never changes.
    Forever,
}

impl Keep {
    fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Revalidate => "no-cache",
            Self::Forever => "public, max-age=31536000, immutable",
        })
    }
}

/// What the caller has already, by its `If-None-Match`.
#[derive(Debug, Clone, Default)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Answers 304 if the caller has what has this tag; else what is made now, with the tag.
    ///
    /// # Errors
    /// Whatever goes wrong in making it.
    pub async fn unless_known<T: IntoResponse, E>(
        self,
        tag: ETag,
        keep: Keep,
        make: impl Future<Output = Result<T, E>>,
    ) -> Result<Response, E> {
        if self.0.iter().any(|known| known == "*" || *known == tag.0) {
            return Ok(Cached { tag, keep, answer: StatusCode::NOT_MODIFIED }.into_response());
        }
        Ok(Cached { tag, keep, answer: make.await? }.into_response())
    }

    /// The tags in all such headers, without quotes and without the mark of weak ones: the comparison is weak.
    fn from_headers(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags = values.flat_map(|value| value.split(',')).map(|tag| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()
        });
        Self(tags.collect())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let length: usize = parts.headers.get_all(header::IF_NONE_MATCH).iter().map(HeaderValue::len).sum();
        if length > LONGEST {
            let (expected, found) = (format_args!("at most {LONGEST} characters"), format_args!("{length}"));
            return Err(Problem::parameter(ApiError::malformed("If-None-Match", expected, found)));
        }
        Ok(Self::from_headers(&parts.headers))
    }
}

/// For `#[utoipa::path(params(IfNoneMatch))]`.
impl IntoParams for IfNoneMatch {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(LONGEST));
        let header = ParameterBuilder::new()
            .name("If-None-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("The `ETag` of an answer that the caller has: 304 says that it is still right"))
            .schema(Some(text))
            .example(Some("W/\"0\"".into()));
        vec![header.build()]
    }
}

/// For `#[utoipa::path(responses(IfNoneMatch))]`: the answer to a caller that has everything.
impl IntoResponses for IfNoneMatch {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let description = "What the caller has is still right (`If-None-Match`); there is no body";
        BTreeMap::from([(String::from("304"), ResponseBuilder::new().description(description).build().into())])
    }
}

/// An answer with its tag and how long it may be kept.
#[derive(Debug, Clone)]
pub struct Cached<T> {
    /// What it was made from.
    pub tag: ETag,
    /// How long it may be kept.
    pub keep: Keep,
    /// The answer.
    pub answer: T,
}

impl<T: IntoResponse> IntoResponse for Cached<T> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, self.keep.header_value());
        if let Ok(tag) = HeaderValue::try_from(format!("W/\"{}\"", self.tag.0)) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::response::Response;
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::{ETag, IfNoneMatch, Keep};

    async fn ask(known: Option<&'static str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(known) = known {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(known));
        }
        let make = async { Ok::<_, StatusCode>("the chain") };
        IfNoneMatch::from_headers(&headers).unless_known(ETag::of(["00ff", "7"]), Keep::Revalidate, make).await.unwrap()
    }

    #[tokio::test]
    async fn a_caller_that_has_it_gets_304_and_others_get_the_answer() {
        for known in ["W/\"00ff.7\"", "\"00ff.7\"", "\"x\", W/\"00ff.7\"", "*"] {
            let response = ask(Some(known)).await;
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(response.headers()[header::ETAG], "W/\"00ff.7\"");
        }
        for other in [None, Some("\"00ff.8\""), Some("")] {
            let response = ask(other).await;
            assert_eq!(response.status(), StatusCode::OK, "{other:?}");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        }
    }
}
