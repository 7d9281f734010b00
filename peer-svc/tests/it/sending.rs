//! Sending, and reading what was sent and received.

use axum::body::Body;
use raclette_api::notice::ChangeKind;
use serde_json::{Value, json};

use crate::peer::{EASY, Peer, by_owner, eventually, with_json};

#[tokio::test]
async fn money_that_is_not_there_is_refused_with_the_command_that_mends_it() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let order = json!({"to": "bob", "amount": 25});
    let problem = alice.own_post("/send", &order).await.expect(409, Some("insufficient_funds")).body;
    assert_eq!((&problem["needed"], &problem["confirmed"], &problem["pending"]), (&json!(25), &json!(0), &json!(0)));
    let mend = problem["mend"].as_str().unwrap();
    assert!(mend.contains("curl -X POST http://127.0.0.1:7701/mine -H TOKEN"), "{mend}");
    alice.mine().await;
    let sent = alice.own_post("/send", &order).await.expect(201, None);
    let id = sent.body["transaction"]["id"].as_str().unwrap();
    assert_eq!(sent.header("location"), format!("/tx/{id}"));
    assert_eq!((&sent.body["status"], &sent.body["recipient_name"]), (&json!("sent"), &json!("bob")));
    let wallet = alice.own_get("/wallet").await.ok();
    assert_eq!(
        (&wallet["balance"], &wallet["spendable"], &wallet["pending_out"]),
        (&json!(50), &json!(25), &json!(25))
    );
    assert_eq!(wallet["next_sequence"], 1);
    alice.own_post("/send", &json!({"to": "bob", "amount": 26})).await.expect(409, Some("insufficient_funds"));
}

#[tokio::test]
async fn unknown_recipients_are_told_apart() {
    let alice = Peer::alice(EASY).await;
    let answer = alice.own_post("/send", &json!({"to": "nobody", "amount": 1})).await.expect(404, Some("unknown_peer"));
    assert!(answer.body["mend"].as_str().unwrap().contains("curl http://127.0.0.1:7701/peers"));
    let stranger = Peer::bob(EASY).await.address().to_string();
    let message = json!({"to": stranger, "message": "hello"});
    alice.own_post("/send", &message).await.expect(409, Some("recipient_key_unknown"));
    alice.mine().await;
    let sent = alice.send(json!({"to": stranger, "amount": 1})).await;
    assert_eq!(sent["status"], "sent", "money can be sent to any address");
    assert!(sent.get("recipient_name").is_none());
}

#[tokio::test]
async fn a_message_to_oneself_is_delivered_and_can_be_read() {
    let alice = Peer::alice(EASY).await;
    let sent = alice.send(json!({"to": "alice", "message": "buy cheese"})).await;
    assert_eq!((&sent["status"], &sent["recipient_name"]), (&json!("delivered"), &json!("alice")));
    let page = alice.own_get("/messages").await.ok();
    let entry = &page["messages"][0];
    assert_eq!(
        (&entry["text"], &entry["status"], &entry["amount"]),
        (&json!("buy cheese"), &json!("pending"), &json!(0))
    );
    alice.mine().await;
    let entry = &alice.own_get("/messages").await.ok()["messages"][0];
    assert_eq!(
        (&entry["status"], &entry["height"], &entry["confirmations"]),
        (&json!("confirmed"), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn the_recipient_reads_what_others_cannot() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    let sent = alice.send(json!({"to": "bob", "message": "psst"})).await;
    bob.post_from(&alice, "/tx", &sent["transaction"]).await.expect(201, None);
    let entry = &bob.own_get("/messages").await.ok()["messages"][0];
    assert_eq!((&entry["text"], &entry["direction"]), (&json!("psst"), &json!("received")));
    assert_eq!((&entry["from_name"], &entry["to_name"]), (&json!("alice"), &json!("bob")));
    let id = sent["transaction"]["id"].as_str().unwrap();
    let sealed = alice.get(&format!("/tx/{id}/message")).await.ok();
    assert_eq!(sealed, sent["transaction"]["message"]);
    assert!(!sealed.to_string().contains("psst"));
}

#[tokio::test]
async fn whoever_prefers_to_wait_learns_that_the_recipient_has_it() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let order =
        with_json(by_owner("POST", "/send").header("prefer", "wait=30"), &json!({"to": "bob", "message": "hi"}));
    let acknowledge = async {
        let id = eventually("the transaction is in the ledger", || async {
            let page = alice.get("/ledger").await.ok();
            page["transactions"][0]["id"].as_str().map(str::to_owned)
        });
        alice.node.delivered(id.await.parse().unwrap(), Vec::new()).await.unwrap();
    };
    let (sent, ()) = tokio::join!(alice.call(order), acknowledge);
    let sent = sent.expect(201, None);
    assert_eq!((sent.header("preference-applied"), &sent.body["status"]), ("wait=30", &json!("delivered")));
    assert_eq!(alice.own_get("/messages").await.ok()["messages"][0]["status"], "delivered");
}

#[tokio::test]
async fn nobody_waits_for_a_recipient_that_is_offline() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    alice.hears_of(&bob, ChangeKind::Offline, 2).await;
    let order =
        with_json(by_owner("POST", "/send").header("prefer", "wait=30"), &json!({"to": "bob", "message": "hi"}));
    assert_eq!(alice.call(order).await.expect(201, None).body["status"], "queued");
    assert_eq!(alice.own_get("/messages").await.ok()["messages"][0]["status"], "queued");
}

#[tokio::test]
async fn the_mail_comes_in_pages_with_the_newest_first() {
    let alice = Peer::alice(EASY).await;
    for number in 0..5 {
        alice.send(json!({"to": "alice", "message": number.to_string()})).await;
    }
    let mut texts: Vec<Value> = Vec::new();
    let mut path = String::from("/messages?limit=2");
    loop {
        let page = alice.own_get(&path).await.ok();
        texts.extend(page["messages"].as_array().unwrap().iter().map(|entry| entry["text"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/messages?limit=2&cursor={cursor}");
    }
    assert_eq!(texts, ["4", "3", "2", "1", "0"]);
    for query in ["limit=0", "limit=501", "cursor=x", "page=1"] {
        alice.own_get(&format!("/messages?{query}")).await.expect(400, Some("invalid_parameter"));
    }
    let empty = by_owner("POST", "/send").header("content-type", "application/json").body(Body::empty()).unwrap();
    alice.call(empty).await.expect(400, Some("malformed_json"));
}
