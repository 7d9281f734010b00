//! `GET /metrics`: requests are counted by route, method and class of status, and nothing that a caller makes up adds a series.

use axum::{Router, http::StatusCode, routing::get};
use raclette_service::{
    metrics::{self, Metrics, Scrape},
    server::Limits,
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    exposition::Exposition,
    support::{self, Service},
};

async fn panics() {
    panic!("on purpose")
}

fn router(metrics: &Metrics) -> Router {
    let read = |mut scrape: Scrape| async {
        scrape.gauge("cheese_grams", "How much there is", 7.0);
        scrape
    };
    let (router, _) = OpenApiRouter::new().merge(metrics::route(metrics.clone(), read)).split_for_parts();
    router
        .route("/names/{name}", get(async || "alice").delete(async || StatusCode::NO_CONTENT))
        .route("/broken", get(panics))
}

async fn start(metrics: &Metrics) -> Service {
    Service::start_measured(router(metrics), Limits::default(), metrics.clone()).await
}

/// What the service says, and with which content type.
async fn scrape(service: &Service) -> (Exposition, String) {
    let answer = service.raw("GET /metrics HTTP/1.1\r\nHost: prometheus.example\r\nConnection: close\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    (Exposition::parse(body), head.to_ascii_lowercase())
}

fn count(scrape: &Exposition, method: &str, route: &str, status: &str) -> f64 {
    let labels = format!("{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
    scrape.find(&format!("raclette_http_request_duration_seconds_count{labels}")).unwrap_or(0.0)
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_class_of_status() {
    let metrics = support::metrics();
    let service = start(&metrics).await;
    for (line, host) in [
        ("GET /names/alice", "localhost"),
        ("GET /names/bob?secret=1", "localhost"),
        ("GET /names/carol", "evil.example"),
        ("DELETE /names/alice", "localhost"),
        ("BREW /names/alice", "localhost"),
        ("GET /nowhere/at/all", "localhost"),
        ("GET /another/nowhere", "localhost"),
        ("GET /broken", "localhost"),
    ] {
        service.raw(&format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
    }
    let (first, head) = scrape(&service).await;
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert_eq!(count(&first, "GET", "/names/{name}", "2xx"), 2.0);
    assert_eq!(count(&first, "GET", "/names/{name}", "4xx"), 1.0, "what is refused before its route is counted too");
    assert_eq!(count(&first, "DELETE", "/names/{name}", "2xx"), 1.0);
    assert_eq!(count(&first, "other", "/names/{name}", "4xx"), 1.0);
    assert_eq!(count(&first, "GET", "none", "4xx"), 2.0);
    assert_eq!(count(&first, "GET", "/broken", "5xx"), 1.0);
    assert_eq!(count(&first, "GET", "/metrics", "2xx"), 0.0, "this one is not over");
    assert_eq!(first.value("raclette_http_requests_under_way"), 1.0);
    let told = first.samples.keys().cloned().collect::<String>();
    for made_up in ["alice", "bob", "secret", "BREW", "nowhere", "evil"] {
        assert!(!told.contains(made_up), "{made_up} made a series of its own: {told}");
    }
    let (second, _) = scrape(&service).await;
    assert_eq!(count(&second, "GET", "/metrics", "2xx"), 1.0);
    assert_eq!(second.value("raclette_http_requests_under_way"), 1.0);
}

#[tokio::test]
async fn buckets_add_up_and_every_service_says_what_it_is() {
    let metrics = support::metrics();
    let service = start(&metrics).await;
    service.raw("GET /names/alice HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let (scrape, _) = scrape(&service).await;
    let labels = "method=\"GET\",route=\"/names/{name}\",status=\"2xx\"";
    let name = "raclette_http_request_duration_seconds";
    assert_eq!(scrape.kinds[name], "histogram");
    assert_eq!(scrape.value(&format!("{name}_bucket{{{labels},le=\"+Inf\"}}")), 1.0);
    assert_eq!(scrape.value(&format!("{name}_bucket{{{labels},le=\"30\"}}")), 1.0);
    assert!(scrape.value(&format!("{name}_sum{{{labels}}}")) > 0.0);
    assert_eq!(scrape.value("raclette_build_info{program=\"test\",version=\"1.2.3\",commit=\"abc\"}"), 1.0);
    assert_eq!(scrape.value("raclette_cheese_grams"), 7.0, "what the service itself has to say");
    assert!(scrape.value("raclette_start_time_seconds") > 1.7e9);
}

#[tokio::test]
async fn two_services_in_one_process_do_not_count_for_each_other() {
    let (one, two) = (support::metrics(), support::metrics());
    let (first, second) = (start(&one).await, start(&two).await);
    first.raw("GET /names/alice HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(count(&scrape(&first).await.0, "GET", "/names/{name}", "2xx"), 1.0);
    assert_eq!(count(&scrape(&second).await.0, "GET", "/names/{name}", "2xx"), 0.0);
}
