//! Who may call what, and how wrong requests are answered.

use axum::body::Body;
use serde_json::json;

use crate::peer::{EASY, Peer, by_anybody, by_owner, with_json};

/// Every route of the owner.
const OWNER_ROUTES: [(&str, &str); 8] = [
    ("GET", "/wallet"),
    ("POST", "/send"),
    ("GET", "/messages"),
    ("POST", "/mine"),
    ("GET", "/mine/1"),
    ("DELETE", "/mine/1"),
    ("GET", "/queue"),
    ("DELETE", "/queue/1"),
];

#[tokio::test]
async fn the_owners_routes_want_the_token_and_say_where_it_is() {
    let peer = Peer::alice(EASY).await;
    for (method, path) in OWNER_ROUTES {
        let answer = peer.call(by_anybody(method, path).body(Body::empty()).unwrap()).await;
        let answer = answer.expect(401, Some("token_missing"));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.body["mend"], "the token is in FILE");
        let wrong = by_anybody(method, path).header("authorization", "Bearer wrong");
        peer.call(wrong.body(Body::empty()).unwrap()).await.expect(401, Some("token_wrong"));
    }
    peer.get("/status").await.ok();
    peer.own_get("/wallet").await.ok();
}

#[tokio::test]
async fn unknown_routes_methods_and_hosts_are_problems() {
    let peer = Peer::alice(EASY).await;
    peer.get("/nowhere").await.expect(404, Some("not_found"));
    peer.get("/wallet/1").await.expect(404, Some("not_found"));
    let answer = peer.call(by_anybody("PUT", "/tx").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.expect(405, Some("method_not_allowed")).header("allow"), "POST");
    let foreign = axum::http::Request::get("/status").header("host", "evil.example").body(Body::empty()).unwrap();
    let answer = peer.call(foreign).await.expect(421, Some("misdirected_request"));
    assert!(answer.body["mend"].as_str().unwrap().contains("--allow-host evil.example"));
}

#[tokio::test]
async fn the_root_is_a_page_for_browsers_and_a_hint_for_others() {
    let peer = Peer::alice(EASY).await;
    let page = by_anybody("GET", "/").header("accept", "text/html").body(Body::empty()).unwrap();
    let page = peer.call(page).await.expect(200, None);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(peer.get("/").await.expect(200, None).header("content-type"), "text/plain; charset=utf-8");
    for file in ["style.css", "main.js", "events.js"] {
        peer.get(&format!("/page/{file}")).await.expect(200, None);
    }
    assert_eq!(peer.get("/docs/").await.expect(200, None).header("content-type"), "text/html");
    assert_eq!(peer.get("/openapi.json").await.ok()["info"]["title"], "Raclette peer");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_say_why() {
    let peer = Peer::alice(EASY).await;
    for path in ["/send", "/tx", "/block", "/peers", "/mining-complete", "/mine"] {
        let plain = by_owner("POST", path).header("content-type", "text/plain").body(Body::from("{}")).unwrap();
        peer.call(plain).await.expect(415, Some("unsupported_media_type"));
        let broken = by_owner("POST", path).header("content-type", "application/json").body(Body::from("{")).unwrap();
        peer.call(broken).await.expect(400, Some("malformed_json"));
        peer.own_post(path, &json!({"surprise": 1})).await.expect(422, Some("invalid_body"));
        peer.own_post(path, &json!("text")).await.expect(422, Some("invalid_body"));
    }
    let long = json!({"to": "bob", "message": "x".repeat(70_000)});
    peer.own_post("/send", &long).await.expect(413, Some("payload_too_large"));
    // The limits of single routes: what is larger elsewhere is read here.
    let padded = format!("{}{{}}", " ".repeat(1 << 20));
    for path in ["/tx", "/block", "/peers"] {
        let request = by_anybody("POST", path).header("content-type", "application/json");
        let answer = peer.call(request.body(Body::from(padded.clone())).unwrap()).await;
        answer.expect(422, Some("invalid_body"));
    }
    let huge = vec![b' '; (16 << 20) + 1];
    let request = by_anybody("POST", "/block").header("content-type", "application/json");
    peer.call(request.body(Body::from(huge)).unwrap()).await.expect(413, Some("payload_too_large"));
}

#[tokio::test]
async fn a_value_that_is_malformed_inside_good_json_is_named() {
    let peer = Peer::alice(EASY).await;
    let mistyped = peer.address().to_string().replace("rac1", "rac1q")[..62].to_owned();
    for (body, field, status, code) in [
        (json!({"to": "BOB", "amount": 1}), "to", 422, "invalid_body"),
        (json!({"to": mistyped, "amount": 1}), "to", 409, "inconsistent_body"),
        (json!({"to": "bob"}), "amount", 409, "inconsistent_body"),
        (json!({"to": "bob", "amount": 9_007_199_254_740_992_u64}), "amount", 422, "invalid_body"),
        (json!({"to": "bob", "amount": -1}), "amount", 422, "invalid_body"),
        (json!({"to": "bob", "message": "x".repeat(4097)}), "message", 422, "invalid_body"),
        (json!({"to": "bob", "message": "ä".repeat(2049)}), "message", 409, "inconsistent_body"),
    ] {
        let answer = peer.own_post("/send", &body).await.expect(status, Some(code));
        assert_eq!(answer.body["errors"][0]["field"], field, "{body}");
    }
    let answer = peer.own_post("/mine", &json!({"threads": 0})).await.expect(422, Some("invalid_body"));
    assert_eq!(answer.body["errors"][0]["field"], "threads");
    let array = with_json(by_owner("POST", "/send"), &json!([{"to": "bob", "amount": 1}]));
    peer.call(array).await.expect(422, Some("invalid_body"));
}
