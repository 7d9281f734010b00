//! The queue of what has not arrived, as its owner sees it.

use peer_svc::node::RELAYED_TRANSACTION;
use raclette_api::notice::ChangeKind;
use raclette_chain::time::Timestamp;
use raclette_service::queue::{QueueChange, QueuedRequest};
use serde_json::json;

use crate::peer::{EASY, Peer};

/// Alice, who has sent bob something that cannot be delivered.
async fn waiting() -> (Peer, u64) {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    alice.hears_of(&bob, ChangeKind::Offline, 2).await;
    let sent = alice.send(json!({"to": "bob", "message": "wait for me"})).await;
    let page = alice.own_get("/queue").await.ok();
    assert_eq!(page["counts"], json!({"waiting": 1, "dead": 0}));
    let entry = &page["entries"][0];
    assert_eq!((&entry["destination_name"], &entry["state"]), (&json!("bob"), &json!("waiting")));
    assert_eq!((&entry["kind"], &entry["subject"]), (&json!("delivery"), &sent["transaction"]["id"]));
    (alice, entry["id"].as_u64().unwrap())
}

#[tokio::test]
async fn what_waits_can_be_found_by_destination_and_state() {
    let (alice, _) = waiting().await;
    for (query, found) in [("state=waiting", 1), ("state=dead", 0), ("destination=bob", 1), ("limit=1", 1)] {
        let page = alice.own_get(&format!("/queue?{query}")).await.ok();
        assert_eq!(page["entries"].as_array().unwrap().len(), found, "{query}");
    }
    let bob = alice.own_get("/queue").await.ok()["entries"][0]["destination"].as_str().unwrap().to_owned();
    assert_eq!(alice.own_get(&format!("/queue?destination={bob}")).await.ok()["entries"][0]["attempts"], 0);
    assert_eq!(alice.own_get(&format!("/queue?destination={}", alice.address())).await.ok()["entries"], json!([]));
    alice.own_get("/queue?destination=nobody").await.expect(404, Some("unknown_peer"));
    for query in ["state=sending", "kind=block"] {
        assert_eq!(alice.own_get(&format!("/queue?{query}")).await.ok()["entries"], json!([]));
    }
    for query in ["destination=X", "state=sent", "limit=0", "cursor=x", "kind=", "kind=A"] {
        alice.own_get(&format!("/queue?{query}")).await.expect(400, Some("invalid_parameter"));
    }
}

#[tokio::test]
async fn a_refused_request_can_be_tried_again_by_hand() {
    let (alice, id) = waiting().await;
    let row = i64::try_from(id).unwrap();
    let bury = QueueChange::Bury { id: row, version: 1, error: String::from("422 invalid_body") };
    alice.node.change_queue(vec![bury]).await.unwrap();
    let page = alice.own_get("/queue?state=dead").await.ok();
    assert_eq!((&page["counts"]["dead"], &page["entries"][0]["last_error"]), (&json!(1), &json!("422 invalid_body")));
    alice.own_post(&format!("/queue/{id}/retry"), &json!({})).await.expect(204, None);
    let entry = alice.own_get("/queue").await.ok()["entries"][0].clone();
    assert_eq!(entry["state"], "waiting");
    let now = Timestamp::new(raclette_service::clock::now_ms()).unwrap();
    assert!(entry["next_try"].as_u64().unwrap() <= now.milliseconds(), "it is due");
}

#[tokio::test]
async fn a_request_can_be_given_up_once() {
    let (alice, id) = waiting().await;
    alice.own_delete(&format!("/queue/{id}")).await.expect(204, None);
    assert_eq!(alice.own_get("/queue").await.ok()["entries"], json!([]));
    alice.own_delete(&format!("/queue/{id}")).await.expect(404, Some("not_found"));
    alice.own_post(&format!("/queue/{id}/retry"), &json!({})).await.expect(404, Some("not_found"));
    alice.own_delete("/queue/x").await.expect(400, Some("invalid_parameter"));
}

#[tokio::test]
async fn what_waits_is_summed_up_for_each_destination_and_tried_at_once_when_asked_for() {
    let (alice, id) = waiting().await;
    let page = alice.own_get("/queue/destinations").await.ok();
    let summary = &page["destinations"][0];
    assert_eq!((&summary["destination_name"], &summary["reachable"]), (&json!("bob"), &json!(false)));
    assert_eq!((&summary["waiting"], &summary["dead"]), (&json!(1), &json!(0)));
    alice.own_get("/queue/destinations?limit=0").await.expect(400, Some("invalid_parameter"));
    let row = i64::try_from(id).unwrap();
    let far = Timestamp::new(raclette_service::clock::now_ms() + 600_000).unwrap();
    let postpone = QueueChange::Postpone { id: row, version: 1, error: String::from("503"), next_at: far };
    alice.node.change_queue(vec![postpone]).await.unwrap();
    assert_eq!(alice.own_get("/queue/destinations").await.ok()["destinations"][0]["next_try"], far.milliseconds());
    alice.own_post("/queue/destinations/bob/retry", &json!({})).await.expect(204, None);
    let summary = alice.own_get("/queue/destinations").await.ok()["destinations"][0].clone();
    assert!(summary["next_try"].as_u64().unwrap() < far.milliseconds(), "it is due");
    assert_eq!((&summary["attempts"], &summary["last_error"]), (&json!(1), &json!("503")));
    alice.own_post("/queue/destinations/nobody/retry", &json!({})).await.expect(404, Some("unknown_peer"));
    let own = format!("/queue/destinations/{}/retry", alice.address());
    alice.own_post(&own, &json!({})).await.expect(404, Some("not_found"));
}

#[tokio::test]
async fn nobody_has_to_be_told_of_a_transaction_any_more_once_it_is_confirmed_but_its_recipient() {
    let (alice, _) = waiting().await;
    let carol = Peer::carol_in(crate::peer::genesis(EASY)).await;
    let id = alice.own_get("/queue").await.ok()["entries"][0]["subject"].as_str().unwrap().to_owned();
    let relayed = QueuedRequest {
        destination: carol.address(),
        destination_name: String::from("carol"),
        url: String::from("http://127.0.0.1:7703"),
        path: String::from("/tx"),
        kind: String::from(RELAYED_TRANSACTION),
        subject: id.clone(),
        version: 1,
        body: b"{}".to_vec(),
        expires_at: None,
    };
    alice.node.change_queue(vec![QueueChange::put(relayed, Timestamp::new(1).unwrap())]).await.unwrap();
    assert_eq!(alice.own_get("/queue?kind=transaction").await.ok()["entries"][0]["subject"], json!(id));
    alice.mine().await;
    let page = alice.own_get("/queue").await.ok();
    assert_eq!(page["counts"]["waiting"], 1, "{page}");
    assert_eq!(page["entries"][0]["kind"], "delivery");
}
