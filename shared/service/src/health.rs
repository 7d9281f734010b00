//! What a service says about its own state: `/healthz` (the process lives) and `/readyz` (it can do its work).

use std::{fmt, sync::Arc, time::Duration};

use axum::extract::State;
use futures_util::{FutureExt, future::BoxFuture};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::Json,
    problem::{Code, Problem, ProblemDetails},
};

/// Within this time all checks must have come back.
const DEADLINE: Duration = Duration::from_secs(2);

/// In how many seconds a service that is not ready is worth asking again.
const RETRY_AFTER: u64 = 2;

/// How one part of the service fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// It works.
    Ok,
    /// It works, but somebody should look at it.
    Degraded,
    /// It doesn't work; the service is not ready.
    Failed,
}

/// One part of the service and how it fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// What was looked at, such as `database` or `history`.
    #[schema(min_length = 1, max_length = 64, example = "database")]
    pub name: &'static str,
    /// How it fares.
    pub state: CheckState,
    /// More about it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4000, example = "height 42")]
    pub detail: Option<String>,
}

impl Check {
    /// It works.
    #[must_use]
    pub fn ok(name: &'static str) -> Self {
        Self { name, state: CheckState::Ok, detail: None }
    }

    /// It works, but somebody should look at it.
    pub fn degraded(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: CheckState::Degraded, detail: Some(detail.into()) }
    }

    /// It doesn't work.
    pub fn failed(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: CheckState::Failed, detail: Some(detail.into()) }
    }

    /// The same with something to say.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    #[schema(pattern = "^ok$", max_length = 2, example = "ok")]
    status: &'static str,
}

/// The service can do its work.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// `ready`, or `degraded` if a part should be looked at.
    #[schema(pattern = "^(ready|degraded)$", max_length = 8, example = "ready")]
    status: &'static str,
    /// Every part that was looked at.
    #[schema(max_items = 100)]
    checks: Vec<Check>,
}

/// The checks of a service, run anew for each question.
#[derive(Clone)]
struct Checks(Arc<dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync>);

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checks")
    }
}

/// The routes `/healthz` and `/readyz`; `checks` looks at every part of the service, within 2 s.
pub fn routes<S, F, R>(checks: F) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Vec<Check>> + Send + 'static,
{
    let checks = Checks(Arc::new(move || checks().boxed()));
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).with_state(checks)
}

/// Tell that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It lives", body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Tell whether the service can do its work.
///
/// It is ready if no check has failed; a degraded one works, but should be looked at.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, description = "It is ready", body = Readiness),
    (status = 503, description = "A check has failed; the member `checks` lists all of them",
        content_type = "application/problem+json", body = ProblemDetails),
))]
async fn readyz(State(checks): State<Checks>) -> Result<Json<Readiness>, Problem> {
    let late = |_| vec![Check::failed("checks", "they did not come back in time")];
    let checks = timeout(DEADLINE, (checks.0)()).await.unwrap_or_else(late);
    match checks.iter().map(|check| check.state).max() {
        None | Some(CheckState::Ok) => Ok(Json(Readiness { status: "ready", checks })),
        Some(CheckState::Degraded) => Ok(Json(Readiness { status: "degraded", checks })),
        Some(CheckState::Failed) => Err(not_ready(&checks)),
    }
}

fn not_ready(checks: &[Check]) -> Problem {
    let failed = checks.iter().filter(|check| check.state == CheckState::Failed);
    let names: Vec<_> =
        failed.map(|check| format!("{} ({})", check.name, check.detail.as_deref().unwrap_or("failed"))).collect();
    match serde_json::to_value(checks) {
        Ok(checks) => Problem::new(Code::NotReady, format!("Not ready: {}.", names.join(", ")))
            .retry_after(RETRY_AFTER)
            .with("checks", checks),
        Err(error) => Problem::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::{
        Router,
        body::{Body, to_bytes},
    };
    use http::{Request, StatusCode};
    use serde_json::{Value, json};
    use tower::ServiceExt;
    use utoipa_axum::router::OpenApiRouter;

    use super::{Check, routes};

    async fn get(router: OpenApiRouter, path: &str) -> (StatusCode, http::HeaderMap, Value) {
        let response = Router::from(router).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 65_536).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_service_is_ready_unless_a_check_failed() {
        let (status, _, body) = get(routes(|| async { vec![Check::ok("database")] }), "/readyz").await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("ready")));

        let some = || async { vec![Check::ok("database"), Check::degraded("disk", "97 % full")] };
        let (status, _, body) = get(routes(some), "/readyz").await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("degraded")));
        assert_eq!(body["checks"][1], json!({"name": "disk", "state": "degraded", "detail": "97 % full"}));
    }

    #[tokio::test]
    async fn a_failed_check_is_a_problem_that_lists_them_all() {
        let checks = || async { vec![Check::ok("database"), Check::failed("history", "at block 7 of 9")] };
        let (status, headers, body) = get(routes(checks), "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers["retry-after"], "2");
        assert_eq!(body["code"], "not_ready");
        assert_eq!(body["checks"][1]["name"], "history");
        assert!(body["detail"].as_str().unwrap().contains("at block 7 of 9"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_has_failed_and_the_process_still_lives() {
        let (status, _, _) = get(routes(pending::<Vec<Check>>), "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let (status, _, body) = get(routes(pending::<Vec<Check>>), "/healthz").await;
        assert_eq!((status, body), (StatusCode::OK, json!({"status": "ok"})));
    }
}
