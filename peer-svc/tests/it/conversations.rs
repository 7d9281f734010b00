//! Conversations: both directions with one counterpart, with money and how far each has come.

use raclette_api::notice::ChangeKind;
use raclette_chain::testing::{CAROL_PEM, key};
use serde_json::{Value, json};

use crate::peer::{EASY, Peer};

/// Alice and bob know each other.
async fn acquainted() -> (Peer, Peer) {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    (alice, bob)
}

/// `from` sends, and `to` has it.
async fn brought(from: &Peer, to: &Peer, request: Value) {
    let sent = from.send(request).await;
    to.post_from(from, "/tx", &sent["transaction"]).await.expect(201, None);
}

/// The texts of a conversation, page by page along the links.
async fn texts(peer: &Peer, path: &str) -> Vec<String> {
    let (mut texts, mut path) = (Vec::new(), path.to_owned());
    loop {
        let answer = peer.own_get(&path).await.expect(200, None);
        let page = answer.body["messages"].as_array().unwrap();
        texts.extend(page.iter().map(|entry| entry["text"].as_str().unwrap_or("-").to_owned()));
        let Some(link) = answer.headers.get("link") else { return texts };
        assert!(answer.body["next_cursor"].is_string());
        path = link.to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    }
}

#[tokio::test]
async fn both_directions_are_in_one_conversation_with_money_and_status() {
    let (alice, bob) = acquainted().await;
    bob.learns(&alice, &alice.mine().await).await;
    brought(&alice, &bob, json!({"to": "bob", "amount": 7, "fee": 2, "message": "here are 7"})).await;
    brought(&bob, &alice, json!({"to": "alice", "message": "thanks"})).await;
    alice.mine().await;
    alice.send(json!({"to": "bob", "message": "more?"})).await;
    let page = alice.own_get("/conversations/bob").await.ok();
    assert_eq!((&page["name"], &page["address"]), (&json!("bob"), &json!(bob.address().to_string())));
    let [newest, thanks, money] = page["messages"].as_array().unwrap().as_slice() else { panic!("{page}") };
    assert_eq!((&newest["text"], &newest["status"]), (&json!("more?"), &json!("queued")));
    assert_eq!((&thanks["direction"], &thanks["text"]), (&json!("received"), &json!("thanks")));
    assert_eq!((&money["direction"], &money["amount"], &money["fee"]), (&json!("sent"), &json!(7), &json!(2)));
    assert_eq!((&money["status"], &money["height"]), (&json!("confirmed"), &json!(2)));
    let id = newest["id"].as_str().unwrap();
    alice.node.delivered(id.parse().unwrap(), Vec::new()).await.unwrap();
    let by_address = alice.own_get(&format!("/conversations/{}", bob.address())).await.ok();
    assert_eq!(by_address["messages"][0]["status"], "delivered");
}

#[tokio::test]
async fn a_conversation_is_read_from_either_end() {
    let (alice, bob) = acquainted().await;
    for number in 0..3 {
        brought(&alice, &bob, json!({"to": "bob", "message": format!("a{number}")})).await;
        alice.send(json!({"to": "alice", "message": "a note to myself"})).await;
        brought(&bob, &alice, json!({"to": "alice", "message": format!("b{number}")})).await;
    }
    let oldest = ["a0", "b0", "a1", "b1", "a2", "b2"];
    let newest: Vec<_> = oldest.iter().rev().copied().collect();
    assert_eq!(texts(&alice, "/conversations/bob?limit=4").await, newest);
    assert_eq!(texts(&alice, "/conversations/bob?order=newest&limit=1").await, newest);
    assert_eq!(texts(&alice, "/conversations/bob?order=oldest&limit=4").await, oldest);
    assert_eq!(texts(&alice, "/conversations/bob?order=oldest&limit=6").await, oldest);
    assert_eq!(texts(&alice, "/conversations/alice").await, ["a note to myself"; 3]);
}

#[tokio::test]
async fn the_list_counts_and_begins_with_the_newest() {
    let (alice, bob) = acquainted().await;
    let carol = Peer::newcomer("carol", key(CAROL_PEM)).await.joined(EASY).await;
    alice.hears_of(&carol, ChangeKind::Online, 2).await;
    assert_eq!(alice.own_get("/conversations").await.ok(), json!({"conversations": []}));
    alice.send(json!({"to": "carol", "message": "hello"})).await;
    brought(&alice, &bob, json!({"to": "bob", "message": "hello"})).await;
    alice.mine().await;
    brought(&bob, &alice, json!({"to": "alice", "message": "hello"})).await;
    alice.send(json!({"to": "bob", "message": "well"})).await;
    let list = alice.own_get("/conversations").await.ok();
    let shown = |number: usize| {
        let one = &list["conversations"][number];
        (one["name"].clone(), one["count"].clone(), one["sent"].clone(), one["pending"].clone())
    };
    assert_eq!(shown(0), (json!("bob"), json!(3), json!(2), json!(2)));
    assert_eq!(shown(1), (json!("carol"), json!(1), json!(1), json!(0)));
    assert!(list["conversations"][0]["last"].as_u64() >= list["conversations"][1]["last"].as_u64());
    assert!(list["conversations"].get(2).is_none());
    let first = alice.own_get("/conversations?limit=1").await.expect(200, None);
    assert_eq!(first.body["conversations"][0], list["conversations"][0]);
    let next = first.header("link").split(['<', '>']).nth(1).unwrap();
    let second = alice.own_get(next).await.ok();
    assert_eq!(second["conversations"], json!([list["conversations"][1]]));
    assert!(second.get("next_cursor").is_none());
}

#[tokio::test]
async fn who_is_unknown_and_what_is_malformed_is_told() {
    let (alice, bob) = acquainted().await;
    assert_eq!(alice.own_get("/conversations/bob").await.ok()["messages"], json!([]));
    alice.own_get("/conversations/nobody").await.expect(404, Some("unknown_peer"));
    for path in [
        "/conversations/Bob",
        "/conversations/bob?order=best",
        "/conversations/bob?limit=0",
        "/conversations?limit=501",
    ] {
        alice.own_get(path).await.expect(400, Some("invalid_parameter"));
    }
    let address = bob.address().to_string();
    for path in ["/conversations", "/conversations/bob", &format!("/conversations/{address}")] {
        alice.get(path).await.expect(401, Some("token_missing"));
    }
}

#[tokio::test]
async fn mail_of_an_older_program_finds_its_conversation() {
    let (alice, bob) = acquainted().await;
    brought(&alice, &bob, json!({"to": "bob", "message": "one"})).await;
    brought(&bob, &alice, json!({"to": "alice", "message": "two"})).await;
    let file = alice.file();
    let (mut writer, _readers) = peer_svc::store::open(&file).await.unwrap();
    sqlx::query("update mail set counterpart = null").execute(&mut writer).await.unwrap();
    drop(writer);
    assert_eq!(alice.own_get("/conversations/bob").await.ok()["messages"], json!([]));
    let _opened_again = peer_svc::store::open(&file).await.unwrap();
    assert_eq!(texts(&alice, "/conversations/bob").await, ["two", "one"]);
}
