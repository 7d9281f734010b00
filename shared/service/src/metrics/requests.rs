//! Requests: how many, how long, and how many are under way.

use std::time::Instant;

use axum::{extract::MatchedPath, extract::Request};
use http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge, histogram::Histogram},
};

use super::Scrape;

/// Upper bounds in seconds: from answers out of memory to requests that wait for an outcome.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Whatever belongs to no route of the service.
const NO_ROUTE: &str = "none";

/// The requests that a service has had. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    durations: Family<Route, Histogram, fn() -> Histogram>,
    under_way: Gauge,
}

/// What is told apart. Templates, known methods and classes of status codes are few, whatever callers ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
    status: &'static str,
}

impl Default for Requests {
    fn default() -> Self {
        Self { durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)), under_way: Gauge::default() }
    }
}

impl Requests {
    /// A request has come.
    pub(crate) fn begin(&self, request: &Request) -> UnderWay<'_> {
        self.under_way.inc();
        let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
        UnderWay { requests: self, method: method(request.method()), route, started: Instant::now() }
    }

    pub(super) fn read(&self, scrape: &mut Scrape) {
        scrape.own(
            "http_request_duration_seconds",
            "How long requests took until the head of the answer, by the template of the route",
            self.durations.clone(),
        );
        scrape.own("http_requests_under_way", "Requests that are being answered", self.under_way.clone());
    }
}

/// A request that is being answered. It ends when this is dropped, also if the caller has gone away before.
#[derive(Debug)]
pub(crate) struct UnderWay<'a> {
    requests: &'a Requests,
    method: &'static str,
    route: String,
    started: Instant,
}

impl UnderWay<'_> {
    /// It has been answered.
    pub(crate) fn answered(mut self, status: StatusCode) {
        let route = Route { method: self.method, route: std::mem::take(&mut self.route), status: class(status) };
        self.requests.durations.get_or_create(&route).observe(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.requests.under_way.dec();
    }
}

/// The method; callers may invent others, which are one.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
