//! `GET /metrics` of the tracker: it parses, and its values move as members come and go.

use crate::{
    exposition::Exposition,
    support::{Peer, TOKEN, Tracker, data_dir, eventually},
};

async fn scrape(tracker: &Tracker) -> Exposition {
    let answer = tracker.http.get(format!("{}/metrics", tracker.url)).header("host", "prometheus.example").send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200, "any host name will do");
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    assert!(!text.contains(TOKEN) && !text.contains("PRIVATE KEY"), "no secrets");
    Exposition::parse(&text)
}

async fn members(tracker: &Tracker, state: &str) -> f64 {
    scrape(tracker).await.value(&format!("raclette_members{{state=\"{state}\"}}"))
}

#[tokio::test]
async fn the_metrics_tell_who_is_there_and_what_waits_for_whom() {
    let directory = data_dir();
    let flags = ["--liveness-interval", "50ms", "--failed-rounds", "2"];
    let tracker = Tracker::start_with(directory.path(), &flags).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    let first = scrape(&tracker).await;
    assert_eq!(first.value("raclette_network_founded"), 0.0);
    assert_eq!(first.value("raclette_members{state=\"online\"}"), 0.0);
    assert_eq!(first.value("raclette_queue_requests_waiting"), 0.0);
    assert!(first.value("raclette_database_bytes") > 0.0);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    tracker.register(&carol).await;
    let known = scrape(&tracker).await;
    assert_eq!(known.value("raclette_network_founded"), 1.0);
    assert_eq!(known.value("raclette_members{state=\"online\"}"), 3.0);
    assert!(known.value("raclette_membership_version") > first.value("raclette_membership_version"));
    assert_eq!(known.value("raclette_self_preservation"), 0.0);
    let registrations =
        "raclette_http_request_duration_seconds_count{method=\"POST\",route=\"/register\",status=\"2xx\"}";
    assert_eq!(known.value(registrations), 3.0);
    // Bob is gone for good; carol answers probes but takes no notices, so that the news of bob wait for her.
    carol.deaf(true);
    bob.down(true);
    eventually!(members(&tracker, "offline").await == 1.0);
    let waiting = "raclette_queue_destination_requests{destination=\"carol\",state=\"waiting\"}";
    eventually!(scrape(&tracker).await.find(waiting).is_some_and(|count| count > 0.0));
    let queued = scrape(&tracker).await;
    assert!(queued.value("raclette_queue_requests_waiting") > 0.0);
    assert!(queued.find("raclette_queue_destination_oldest_request_age_seconds{destination=\"carol\"}").is_some());
    carol.deaf(false);
    // What waits for bob, if there is something, goes on waiting.
    eventually!(scrape(&tracker).await.find(waiting).is_none());
    let calm = scrape(&tracker).await;
    assert!(calm.value("raclette_queue_delivered_total") > 0.0);
    assert!(calm.value("raclette_queue_failed_attempts_total") >= 0.0);
    tracker.stop().await;
}
