//! How both services answer what is wrong: problem documents (RFC 9457) for everything, and the owner's routes for the
//! owner only.

use serde_json::{Value, json};

use crate::kit::{
    Network,
    http::{self, raw},
};

const JSON: &str = "Content-Type: application/json";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_request_the_answer_is_a_problem_document() {
    let network = Network::of(&["alice"]).await;
    let peer = network.peer("alice").port;
    for port in [network.tracker.port, peer] {
        assert_eq!(raw(port, "GET /no/such/route", &[], "").await.problem(404), "not_found");
        let wrong_method = raw(port, "DELETE /peers", &[], "").await;
        assert!(wrong_method.header("allow").is_some_and(|allowed| allowed.contains("GET")), "{wrong_method:?}");
        assert_eq!(wrong_method.problem(405), "method_not_allowed");
        let foreign = raw(port, "GET /peers", &["Host: evil.example"], "").await;
        assert_eq!(foreign.problem(421), "misdirected_request");
        assert!(foreign.body.contains("--allow-host evil.example"), "{}", foreign.body);
        assert_eq!(raw(port, "GET /peers?limit=lots", &[], "").await.problem(400), "invalid_parameter");
    }
    for (port, route) in [(network.tracker.port, "POST /register"), (peer, "POST /tx"), (peer, "POST /block")] {
        assert_eq!(raw(port, route, &[JSON], "{not json").await.problem(400), "malformed_json", "{route}");
        assert_eq!(raw(port, route, &[JSON], r#"{"surprise":1}"#).await.problem(422), "invalid_body", "{route}");
        assert_eq!(
            raw(port, route, &["Content-Type: text/plain"], "{}").await.problem(415),
            "unsupported_media_type",
            "{route}"
        );
    }
    for (path, code) in [
        (format!("/tx/{}", "0".repeat(64)), "unknown_transaction"),
        (format!("/block/{}", "0".repeat(64)), "unknown_block"),
        (String::from("/block/1000000"), "unknown_block"),
    ] {
        assert_eq!(raw(peer, &format!("GET {path}"), &[], "").await.problem(404), code, "{path}");
    }
    assert_eq!(raw(peer, "GET /block/neither", &[], "").await.problem(400), "invalid_parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_routes_need_the_token_and_no_other_route_does() {
    let network = Network::of(&["alice"]).await;
    let alice = network.peer("alice");
    for (port, bearer, expected) in [
        (network.tracker.port, network.tracker.bearer(), ["DELETE /names/{name}", "GET /queue"].as_slice()),
        (
            alice.port,
            alice.bearer(),
            [
                "DELETE /mine/{id}",
                "GET /messages",
                "GET /mine/{id}",
                "GET /queue",
                "GET /wallet",
                "POST /mine",
                "POST /send",
            ]
            .as_slice(),
        ),
    ] {
        let owners = owners_routes(port).await;
        for route in expected {
            assert!(owners.iter().any(|found| found == route), "{route} is not the owner's in {owners:?}");
        }
        for route in &owners {
            let line = route.replace("{name}", "nobody").replace("{id}", "1");
            let without = raw(port, &line, &[JSON], "").await;
            assert_eq!(without.problem(401), "token_missing", "{route}");
            assert!(without.body.contains("Authorization: Bearer"), "{}", without.body);
            let wrong = raw(port, &line, &[JSON, "Authorization: Bearer 0123456789abcdef"], "").await;
            assert_eq!(wrong.problem(401), "token_wrong", "{route}");
        }
        let with = raw(port, "GET /queue", &[&format!("Authorization: {bearer}")], "").await;
        assert_eq!(with.status, 200, "{with:?}");
    }
    for path in ["/status", "/peers", "/ledger", "/chain", "/chain/headers"] {
        assert_eq!(raw(alice.port, &format!("GET {path}"), &[], "").await.status, 200, "{path}");
    }
}

/// The routes that ask for the owner's token, by the service's own description.
async fn owners_routes(port: u16) -> Vec<String> {
    let document: Value = http::get(port, "/openapi.json", None).await.unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            // An empty alternative means that the token is welcome and not needed.
            let needed = |schemes: &Vec<Value>| !schemes.is_empty() && schemes.iter().all(|one| *one != json!({}));
            if operation["security"].as_array().is_some_and(needed) {
                routes.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    routes.sort();
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_the_address_of_its_service() {
    let network = Network::of(&["alice"]).await;
    let alice = network.peer("alice");
    for path in ["/status", "/healthz", "/readyz", "/no/such/route", "/docs/", "/openapi.json"] {
        let answer = raw(alice.port, &format!("GET {path}"), &[], "").await;
        assert_eq!(answer.header("raclette-address"), Some(alice.address().as_str()), "{path}");
    }
    let tracker = network.info().await.tracker;
    let answer = raw(network.tracker.port, "GET /network", &[], "").await;
    assert_eq!(answer.header("raclette-address"), Some(tracker.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn page_and_docs_work_without_the_internet_and_lead_to_each_other() {
    let network = Network::of(&["alice"]).await;
    for (port, name) in [(network.tracker.port, "tracker"), (network.peer("alice").port, "alice")] {
        let root = raw(port, "GET /", &[], "").await;
        assert!(root.status == 200 && root.body.contains("/docs/"), "{root:?}");
        let page = raw(port, "GET /", &["Accept: text/html"], "").await;
        assert!(page.status == 200 && page.body.contains("/page/main.js"), "{page:?}");
        assert!(!page.body.contains("https://"), "the page fetches something from elsewhere: {}", page.body);
        let docs = raw(port, "GET /docs/", &[], "").await;
        assert_eq!(docs.status, 200);
        assert!(!docs.body.contains("https://"), "the docs fetch something from elsewhere: {}", docs.body);
        let title = docs.body.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
        assert!(title.to_lowercase().contains(name), "{title}");
    }
}
