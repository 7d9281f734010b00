//! First steps: what a peer tells those who have just found it.

use axum::body::Body;
use raclette_api::notice::ChangeKind;

use crate::peer::{EASY, Peer, by_anybody};

#[tokio::test]
async fn the_first_steps_name_this_peer_and_whom_it_can_write_to() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let request = by_anybody("GET", "/quickstart").header("accept", "application/json").body(Body::empty()).unwrap();
    let steps = alice.call(request).await.ok();
    let text = steps.to_string();
    for part in ["alice", r#"\"to\":\"bob\""#, "http://127.0.0.1:7701/send", "-H TOKEN"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let plain = alice.get("/quickstart").await.expect(200, None);
    assert!(plain.header("content-type").starts_with("text/plain"));
}

#[tokio::test]
async fn the_collection_carries_the_names_of_this_network() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let collection = bob.get("/postman.json").await.ok();
    let value = |collection: &serde_json::Value, name: &str| {
        let variables = collection["variable"].as_array().unwrap();
        variables.iter().find(|variable| variable["key"] == name).unwrap()["value"].as_str().unwrap().to_owned()
    };
    // Bob knows of nobody else: it plays all parts itself.
    assert_eq!(["sender_name", "recipient_name"].map(|name| value(&collection, name)), ["bob", "bob"]);
    let collection = alice.get("/postman.json").await.ok();
    assert_eq!(["sender_name", "recipient_name"].map(|name| value(&collection, name)), ["alice", "bob"]);
    assert_eq!(value(&collection, "witness_name"), "bob");
    assert!(collection["item"].as_array().is_some_and(|folders| folders.len() >= 6));
}
