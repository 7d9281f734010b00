//! What requests of all kinds are answered.

use raclette_service::server::Limits;

use crate::support::{Service, TOKEN, router};

/// Sends a request with these headers and body; returns status, head and body of the answer.
async fn ask(service: &Service, line: &str, headers: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let request = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    let answer = service.raw(&request).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).expect("an answer has a status").parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

const LOCAL: &str = "Host: localhost\r\n";
const LOCAL_JSON: &str = "Host: localhost\r\nContent-Type: application/json\r\n";

#[track_caller]
fn assert_problem((status, head, body): &(u16, String, String), expected_status: u16, code: &str) {
    assert_eq!(*status, expected_status, "{head} {body}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert!(head.contains("raclette-address: rac1service"), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], code, "{body}");
    assert_eq!(problem["status"], expected_status);
    assert!(problem["instance"].is_string() && problem["request_id"].is_string(), "{body}");
}

#[tokio::test]
async fn wrong_requests_are_answered_with_problems() {
    let service = Service::start(router(), Limits::default()).await;
    for (line, headers, body, status, code) in [
        ("GET /nowhere", LOCAL, "", 404, "not_found"),
        ("GET /docs/nothing.js", LOCAL, "", 404, "not_found"),
        ("GET /double", LOCAL, "", 405, "method_not_allowed"),
        ("POST /double", LOCAL, "{}", 415, "unsupported_media_type"),
        ("POST /double", LOCAL_JSON, "", 400, "malformed_json"),
        ("POST /double", LOCAL_JSON, "{", 400, "malformed_json"),
        ("POST /double", LOCAL_JSON, r#"{"value":1}{}"#, 400, "malformed_json"),
        ("POST /double", LOCAL_JSON, "[1]", 422, "invalid_body"),
        ("POST /double", LOCAL_JSON, r#"{"value":-1}"#, 422, "invalid_body"),
        ("POST /double", LOCAL_JSON, r#"{"value":1,"more":2}"#, 422, "invalid_body"),
        (
            "POST /double",
            "Host: evil.example\r\nContent-Type: application/json\r\n",
            r#"{"value":1}"#,
            421,
            "misdirected_request",
        ),
        ("POST /double", LOCAL_JSON, &format!(r#"{{"value":1{}}}"#, " ".repeat(2000)), 413, "payload_too_large"),
    ] {
        assert_problem(&ask(&service, line, headers, body).await, status, code);
    }
    let (status, _, body) = ask(&service, "POST /double", LOCAL_JSON, r#"{"value":21}"#).await;
    assert_eq!((status, body.as_str()), (200, r#"{"value":42}"#));
}

#[tokio::test]
async fn a_wrong_method_is_told_the_allowed_ones() {
    let service = Service::start(router(), Limits::default()).await;
    let (_, head, _) = ask(&service, "DELETE /double", LOCAL, "").await;
    assert!(head.contains("\r\nallow: post"), "{head}");
}

#[tokio::test]
async fn foreign_host_names_reach_the_probes_only() {
    let service = Service::start(router(), Limits::default()).await;
    let foreign = "Host: evil.example:7701\r\n";
    assert_eq!(ask(&service, "GET /healthz", foreign, "").await.0, 200);
    assert_eq!(ask(&service, "GET /readyz", foreign, "").await.0, 200);
    let refused = ask(&service, "GET /docs/", foreign, "").await;
    assert_problem(&refused, 421, "misdirected_request");
    assert!(refused.2.contains("--allow-host evil.example"), "{}", refused.2);
    let by_address = format!("Host: {}\r\n", service.at);
    assert_eq!(ask(&service, "GET /docs/", &by_address, "").await.0, 200);
}

#[tokio::test]
async fn the_owners_routes_need_the_token() {
    let service = Service::start(router(), Limits::default()).await;
    let without = ask(&service, "GET /secret", LOCAL, "").await;
    assert_problem(&without, 401, "token_missing");
    assert!(without.1.contains("www-authenticate: bearer"), "{}", without.1);
    assert!(without.2.contains("FILE"), "{}", without.2);
    let wrong = format!("{LOCAL}Authorization: Bearer {TOKEN}x\r\n");
    assert_problem(&ask(&service, "GET /secret", &wrong, "").await, 401, "token_wrong");
    let right = format!("{LOCAL}Authorization: Bearer {TOKEN}\r\n");
    let (status, _, body) = ask(&service, "GET /secret", &right, "").await;
    assert_eq!((status, body.as_str()), (200, r#""127.0.0.1""#));
}

#[tokio::test]
async fn the_document_says_which_routes_are_the_owners() {
    let service = Service::start(router(), Limits::default()).await;
    let (_, _, body) = ask(&service, "GET /openapi.json", LOCAL, "").await;
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    let secret = &document["paths"]["/secret"]["get"];
    assert!(secret["security"][0]["owner_token"].is_array(), "{secret}");
    assert!(secret["responses"]["401"].is_object(), "{secret}");
    assert_eq!(document["paths"]["/double"]["post"]["security"], serde_json::json!([]), "and says so of the others");
    assert_eq!(document["components"]["securitySchemes"]["owner_token"]["scheme"], "bearer");
    assert_eq!(
        document["paths"]["/double"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Number"
    );
}
