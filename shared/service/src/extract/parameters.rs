//! Parts of the path and of the query.

use axum::extract::FromRequestParts;
use http::request::Parts;
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

fn wrong(message: &str) -> Problem {
    Problem::new(Code::InvalidParameter, shortened(message))
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http::{Request, StatusCode};
    use serde::Deserialize;
    use tower::ServiceExt;

    use super::{Path, Query};
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
