//! Parts of the path and of the query.

use axum::extract::FromRequestParts;
use http::request::Parts;
use raclette_api::ApiError;
use serde::de::DeserializeOwned;

use super::shortened;
use crate::problem::{Code, Problem};

/// The variable parts of the path; a part of the wrong shape is 400 `invalid_parameter`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<T>(pub T);

/// The query; a parameter of the wrong shape is 400 `invalid_parameter`.
///
/// Unknown parameters are refused where `T` says `#[serde(deny_unknown_fields)]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            // A route without the parameter asked for is our own mistake, not the caller's.
            Err(rejection) if rejection.status().is_server_error() => Err(Problem::internal(rejection)),
            Err(rejection) => Err(wrong(&rejection.body_text())),
        }
    }
}

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(wrong(&rejection.body_text())),
        }
    }
}

/// A cursor that is a number of up to 19 digits: `next_cursor` of the page before.
///
/// # Errors
/// 400 `invalid_parameter` if it is anything else.
pub fn number_cursor(text: &str) -> Result<i64, Problem> {
    let is_number = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|_| is_number);
    let malformed = || Problem::parameter(ApiError::malformed("cursor", "a next_cursor of the page before", text));
    // What is above every id is behind all of them.
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)).ok_or_else(malformed)
}

/// How many entries a page has: what the caller says, from 1 to `most`, or else `usual`.
///
/// # Errors
/// 400 `invalid_parameter` if it is anything else.
pub fn page_limit(given: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = given.unwrap_or(usual);
    if !(1..=most).contains(&limit) {
        let expected = format_args!("1 to {most}");
        return Err(Problem::parameter(ApiError::malformed("limit", expected, limit)));
    }
    Ok(limit)
}

fn wrong(message: &str) -> Problem {
    Problem::new(Code::InvalidParameter, shortened(message))
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http::{Request, StatusCode};
    use serde::Deserialize;
    use tower::ServiceExt;

    use super::{Path, Query, number_cursor};
    use crate::problem::MEDIA_TYPE;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        from: Option<u32>,
    }

    async fn handler(Path(height): Path<u32>, Query(page): Query<Page>) -> String {
        format!("{height} {:?}", page.from)
    }

    async fn status(uri: &str) -> StatusCode {
        let router = Router::new().route("/block/{height}", get(handler));
        let response = router.oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
        if !response.status().is_success() {
            assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        }
        response.status()
    }

    #[test]
    fn a_cursor_is_a_number_whatever_its_size() {
        assert_eq!(number_cursor("41").unwrap(), 41);
        assert_eq!(number_cursor("9999999999999999999").unwrap(), i64::MAX);
        for text in ["", "x", "-1", "+1", "1.0", "10000000000000000000"] {
            assert!(number_cursor(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn parameters_of_the_wrong_shape_are_problems() {
        assert_eq!(status("/block/7").await, StatusCode::OK);
        assert_eq!(status("/block/7?from=1").await, StatusCode::OK);
        assert_eq!(status("/block/x").await, StatusCode::BAD_REQUEST);
        assert_eq!(status("/block/-1").await, StatusCode::BAD_REQUEST);
        assert_eq!(status("/block/%ff").await, StatusCode::BAD_REQUEST);
        assert_eq!(status("/block/7?from=x").await, StatusCode::BAD_REQUEST);
        assert_eq!(status("/block/7?form=1").await, StatusCode::BAD_REQUEST);
    }
}
