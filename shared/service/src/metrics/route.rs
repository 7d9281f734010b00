//! The route `GET /metrics`.

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use http::header;
use prometheus_client::encoding::prometheus_text;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Metrics, Scrape};
use crate::problem::{CommonProblems, Problem};

/// How the readings of a service are taken, anew for each question.
#[derive(Clone)]
struct Readings {
    metrics: Metrics,
    read: Arc<dyn Fn(Scrape) -> BoxFuture<'static, Scrape> + Send + Sync>,
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readings")
    }
}

/// The route `/metrics`; `read` adds the service's own readings, and leaves out what cannot be read.
pub fn route<S, F, R>(metrics: Metrics, read: F) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    F: Fn(Scrape) -> R + Send + Sync + 'static,
    R: Future<Output = Scrape> + Send + 'static,
{
    let readings = Readings { metrics, read: Arc::new(move |scrape| read(scrape).boxed()) };
    OpenApiRouter::new().routes(routes!(get_metrics)).with_state(readings)
}

/// Tell what Prometheus wants to know.
///
/// The text format of Prometheus, version 0.0.4. It answers to any host name and without a token, and holds no secrets.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "operations", responses(
    (status = 200, description = "All readings", content_type = "text/plain", body = String,
        example = "# HELP raclette_start_time_seconds When this service started, since 1970.\n\
            # TYPE raclette_start_time_seconds gauge\nraclette_start_time_seconds 1767225600\n"),
    CommonProblems,
))]
async fn get_metrics(State(readings): State<Readings>) -> Result<Response, Problem> {
    let mut scrape = Scrape::default();
    readings.metrics.read(&mut scrape);
    let scrape = (readings.read)(scrape).await;
    let text = scrape.text().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response())
}
