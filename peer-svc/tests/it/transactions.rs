//! Transactions on their way in, and what becomes of them.

use raclette_api::{encoding::signature, notice::ChangeKind};
use serde_json::{Value, json};

use crate::peer::{EASY, Peer};

/// Alice with money, and bob who knows her and her first block.
async fn two() -> (Peer, Peer) {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    let block = alice.mine().await;
    assert_eq!(bob.learns(&alice, &block).await["status"], "accepted");
    (alice, bob)
}

#[tokio::test]
async fn a_transaction_is_new_once_and_known_after_that() {
    let (alice, bob) = two().await;
    let sent = alice.send(json!({"to": "bob", "amount": 5, "message": "for you"})).await;
    let transaction = &sent["transaction"];
    let id = transaction["id"].as_str().unwrap();
    let first = bob.post_from(&alice, "/tx", transaction).await.expect(201, None);
    assert_eq!(
        (first.header("location"), &first.body),
        (format!("/tx/{id}").as_str(), &json!({"id": id, "status": "accepted"}))
    );
    assert_eq!(bob.post("/tx", transaction).await.ok()["status"], "known");
    let block = alice.mine().await;
    // Bob has the transaction: the hash of its leaf is enough.
    assert_eq!(bob.learns(&alice, &block).await["status"], "accepted");
    assert_eq!(bob.post("/tx", transaction).await.ok()["status"], "confirmed");
    let status = bob.get(&format!("/tx/{id}")).await.ok();
    assert_eq!(
        (&status["status"], &status["height"], &status["block"]),
        (&json!("confirmed"), &json!(2), &json!(block))
    );
    assert_eq!((&status["position"], &status["confirmations"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn what_was_signed_can_be_verified_with_what_is_shown() {
    let (alice, _) = two().await;
    let id = alice.send(json!({"to": "bob", "amount": 5})).await["transaction"]["id"].as_str().unwrap().to_owned();
    let status = alice.get(&format!("/tx/{id}")).await.ok();
    assert_eq!(status["status"], "pending");
    assert!(status["received"].as_u64().unwrap() > 0);
    let hex = status["signed_bytes"].as_str().unwrap();
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|start| u8::from_str_radix(&hex[start..start + 2], 16).unwrap()).collect();
    let signature = signature("signature", status["transaction"]["signature"].as_str().unwrap()).unwrap();
    alice.node.identity().key.public().verify(&bytes, &signature).unwrap();
    alice.get(&format!("/tx/{id}/message")).await.expect(404, Some("unknown_message"));
    alice.get(&format!("/tx/{}", "ab".repeat(32))).await.expect(404, Some("unknown_transaction"));
    alice.get("/tx/x").await.expect(400, Some("invalid_parameter"));
}

#[tokio::test]
async fn an_array_gets_a_result_each_and_the_bad_do_not_keep_the_good_out() {
    let (alice, bob) = two().await;
    let first = alice.send(json!({"to": "bob", "amount": 1})).await["transaction"].clone();
    let second = alice.send(json!({"to": "bob", "amount": 2})).await["transaction"].clone();
    let mut forged = second.clone();
    forged["signature"] = first["signature"].clone();
    let mut malformed = second.clone();
    malformed["recipient"] = json!("rac1");
    let answer = bob.post_from(&alice, "/tx", &json!([first, forged, malformed, second, first])).await.ok();
    let outcome = |position: usize| {
        let result = &answer["results"][position];
        result["status"].as_str().or(result["problem"]["code"].as_str()).unwrap().to_owned()
    };
    let outcomes: Vec<_> = (0..5).map(outcome).collect();
    assert_eq!(outcomes, ["accepted", "bad_signature", "invalid_body", "accepted", "known"]);
    assert_eq!(answer["results"][1]["problem"]["status"], 403);
    assert!(answer["results"][2].get("id").is_none());
    assert_eq!(bob.get("/status").await.ok()["ledger"]["count"], 2);
    assert_eq!(bob.get("/status").await.ok()["ledger"]["digest"], alice.get("/status").await.ok()["ledger"]["digest"]);
    bob.post("/tx", &json!([])).await.expect(422, Some("invalid_body"));
    bob.post("/tx", &Value::from(vec![first; 501])).await.expect(422, Some("invalid_body"));
}

#[tokio::test]
async fn a_transaction_that_is_refused_says_by_which_rule() {
    let (alice, bob) = two().await;
    let sent = alice.send(json!({"to": "bob", "amount": 1, "message": "one"})).await["transaction"].clone();
    let other = alice.send(json!({"to": "bob", "amount": 1, "message": "two"})).await["transaction"].clone();
    let with = |member: &str, value: &Value| {
        let mut changed = sent.clone();
        changed[member] = value.clone();
        changed
    };
    bob.post("/tx", &with("signature", &other["signature"])).await.expect(403, Some("bad_signature"));
    let answer = bob.post("/tx", &with("message", &other["message"])).await.expect(409, Some("transaction_refused"));
    assert_eq!(answer.body["rule"], "wrong_message");
    let answer = bob.post("/tx", &with("amount", &json!(2))).await.expect(409, Some("inconsistent_body"));
    assert_eq!(answer.body["errors"][0]["field"], "id");

    // A stranger must pay a fee.
    let stranger = Peer::bob(EASY).await;
    let answer = stranger.post("/tx", &sent).await.expect(409, Some("transaction_refused"));
    assert_eq!(answer.body["rule"], "free_for_members_only");
    // What spends more than is confirmed says what it needs.
    let poor = Peer::bob(EASY).await;
    poor.hears_of(&alice, ChangeKind::Online, 1).await;
    let problem = poor.post("/tx", &sent).await.expect(409, Some("insufficient_funds")).body;
    assert_eq!((&problem["needed"], &problem["confirmed"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_forged_signature_is_refused_however_often_it_comes() {
    let (alice, bob) = two().await;
    let first = alice.send(json!({"to": "bob", "amount": 1})).await["transaction"].clone();
    let mut forged = alice.send(json!({"to": "bob", "amount": 1})).await["transaction"].clone();
    forged["signature"] = first["signature"].clone();
    let answer = bob.post_from(&alice, "/tx", &json!([forged, forged, forged])).await.ok();
    for result in answer["results"].as_array().unwrap() {
        assert_eq!(result["problem"]["code"], "bad_signature", "{answer}");
    }
    assert_eq!(bob.get("/status").await.ok()["ledger"]["count"], 0);
}

#[tokio::test]
async fn another_message_cannot_take_the_place_of_the_signed_one() {
    let (alice, bob) = two().await;
    let sent = alice.send(json!({"to": "bob", "message": "the real one"})).await["transaction"].clone();
    let other = alice.send(json!({"to": "bob", "message": "another one"})).await["transaction"].clone();
    let mut bare = sent.clone();
    bare.as_object_mut().unwrap().remove("message");
    bob.post_from(&alice, "/tx", &bare).await.expect(201, None);
    assert_eq!(bob.own_get("/messages").await.ok()["messages"][0]["unreadable"], true, "it has not come yet");
    let mut poisoned = sent.clone();
    poisoned["message"] = other["message"].clone();
    let answer = bob.post_from(&alice, "/tx", &poisoned).await.expect(409, Some("transaction_refused"));
    assert_eq!(answer.body["rule"], "wrong_message", "although the transaction itself is known");
    assert_eq!(bob.post_from(&alice, "/tx", &sent).await.ok()["status"], "known");
    assert_eq!(bob.own_get("/messages").await.ok()["messages"][0]["text"], "the real one");
}

#[tokio::test]
async fn the_ledger_comes_in_pages_that_miss_nothing() {
    let (alice, _) = two().await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(alice.send(json!({"to": "bob", "amount": 1})).await["transaction"]["id"].clone());
    }
    let mut listed = Vec::new();
    let mut path = String::from("/ledger?limit=2");
    loop {
        let page = alice.get(&path).await.ok();
        assert_eq!(page["count"], 5);
        listed.extend(page["transactions"].as_array().unwrap().iter().map(|transaction| transaction["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/ledger?limit=2&cursor={cursor}");
    }
    sent.sort_by_key(ToString::to_string);
    assert_eq!(listed, sent);
    for query in ["limit=0", "limit=501", "cursor=x", "cursor="] {
        alice.get(&format!("/ledger?{query}")).await.expect(400, Some("invalid_parameter"));
    }
}
