//! The tracker's notices, and the list of members.

use std::time::Duration;

use raclette_api::{
    membership::{NewProbe, ProbeAnswer, ProbeRequest},
    notice::ChangeKind,
};
use raclette_chain::{
    hash::NetworkId,
    keys::PrivateKey,
    testing::{CAROL_PEM, key},
    time::Timestamp,
};
use raclette_service::{client::SendError, clock::now_ms};
use serde_json::{Value, json};

use crate::peer::{EASY, Peer, change, notice, tracker};

#[tokio::test]
async fn members_come_go_and_return() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    assert_eq!(alice.hears_of(&bob, ChangeKind::Online, 1).await, json!({"applied": 1, "stale": 0}));
    let page = alice.get("/peers").await.ok();
    assert_eq!((&page["peers"][0]["name"], &page["membership_version"]), (&json!("bob"), &json!(1)));
    assert_eq!(page["peers"][0]["registration"]["port"], 7702);
    assert_eq!(alice.get("/status").await.ok()["peers"], json!({"online": 1, "offline": 0}));

    alice.hears_of(&bob, ChangeKind::Offline, 2).await;
    let gone = &alice.get("/peers").await.ok()["peers"][0];
    assert!(gone["state"] == "offline" && gone.get("registration").is_none(), "the connection details are deleted");
    assert_eq!(alice.get("/status").await.ok()["peers"], json!({"online": 0, "offline": 1}));
    assert_eq!(alice.hears_of(&bob, ChangeKind::Online, 1).await, json!({"applied": 0, "stale": 1}));
    assert_eq!(alice.hears_of(&bob, ChangeKind::Online, 3).await, json!({"applied": 1, "stale": 0}));
    assert_eq!(alice.get("/peers?state=online").await.ok()["peers"][0]["name"], "bob");
    assert_eq!(alice.get("/peers?state=offline").await.ok()["peers"], json!([]));
}

#[tokio::test]
async fn only_the_tracker_is_believed() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    let online = || vec![change(&bob, ChangeKind::Online, 1)];
    let forged = notice(&alice.network(), online(), &key(CAROL_PEM));
    alice.post("/peers", &forged).await.expect(403, Some("bad_signature"));
    let mut changed = notice(&alice.network(), online(), &tracker());
    changed["changes"][0]["version"] = json!(9);
    alice.post("/peers", &changed).await.expect(403, Some("bad_signature"));
    let elsewhere = notice(&NetworkId::from_bytes([7; 32]), online(), &tracker());
    alice.post("/peers", &elsewhere).await.expect(409, Some("wrong_network"));
    assert_eq!(alice.get("/peers").await.ok()["peers"], json!([]));
    assert!(!alice.status.tracker_status().reachable);

    let early = notice(&NetworkId::ZERO, online(), &tracker());
    assert_eq!(alice.post("/peers", &early).await.ok()["applied"], 1, "a notice from before the genesis block is good");
    assert!(alice.status.tracker_status().reachable);
}

#[tokio::test]
async fn a_peer_without_a_network_takes_its_trackers_word() {
    let bob = Peer::bob(EASY).await;
    let newcomer = Peer::newcomer("carol", key(CAROL_PEM)).await;
    let online = notice(&bob.network(), vec![change(&bob, ChangeKind::Online, 1)], &tracker());
    assert_eq!(newcomer.post("/peers", &online).await.ok()["applied"], 1);
}

#[tokio::test]
async fn the_list_comes_in_pages_by_name() {
    let alice = Peer::alice(EASY).await;
    let bob = Peer::bob(EASY).await;
    let carol = Peer::newcomer("carol", key(CAROL_PEM)).await;
    carol.node.found(crate::peer::genesis(EASY)).await.unwrap();
    alice.hears_of(&carol, ChangeKind::Online, 1).await;
    alice.hears_of(&bob, ChangeKind::Online, 2).await;
    let page = alice.get("/peers?limit=1").await.ok();
    assert_eq!((&page["peers"][0]["name"], &page["next_cursor"]), (&json!("bob"), &json!("bob")));
    let page = alice.get("/peers?limit=1&cursor=bob").await.ok();
    assert_eq!((&page["peers"][0]["name"], page.get("next_cursor")), (&json!("carol"), None));
    for query in ["limit=0", "limit=1001", "cursor=BOB", "state=happy"] {
        alice.get(&format!("/peers?{query}")).await.expect(400, Some("invalid_parameter"));
    }
}

#[tokio::test]
async fn news_about_the_peer_itself_changes_nothing() {
    let alice = Peer::alice(EASY).await;
    alice.hears_of(&alice, ChangeKind::Offline, 1).await;
    assert_eq!(alice.get("/peers").await.ok()["peers"], json!([]));
}

/// A request to `helper` to look for `subject`, signed with `key`.
fn probe(helper: &Peer, subject: &Peer, time: Timestamp, key: &PrivateKey) -> Value {
    let registration = change(subject, ChangeKind::Online, 1).registration.unwrap();
    let new = NewProbe {
        network: helper.network(),
        helper: helper.address(),
        subject: &registration,
        nonce: [9; 32],
        timeout_ms: 1_000,
        time,
    };
    json!(ProbeRequest::signed(&new, key).unwrap())
}

fn now() -> Timestamp {
    Timestamp::new(now_ms()).unwrap()
}

#[tokio::test]
async fn a_peer_looks_for_another_on_the_trackers_behalf_and_tells_what_came_back() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    let request = probe(&alice, &bob, now(), &tracker());
    let looking = async {
        let order = alice.orders.lock().await.recv().await.unwrap();
        assert_eq!((order.subject.address, order.subject.url.as_str()), (bob.address(), "http://127.0.0.1:7702"));
        let answer = bob.get(&format!("/challenge?nonce={}", "09".repeat(32))).await.ok();
        order.answer.send(Ok(serde_json::from_value(answer).unwrap())).unwrap();
    };
    let (answer, ()) = tokio::join!(alice.post("/probe", &request), looking);
    let answer: ProbeAnswer = serde_json::from_value(answer.ok()).unwrap();
    let proof = answer.answer.unwrap();
    proof.verify(&[9; 32], bob.node.identity().key.public()).unwrap();

    let failing = async {
        let order = alice.orders.lock().await.recv().await.unwrap();
        order.answer.send(Err(SendError::Unreachable { reason: String::from("connection refused") })).unwrap();
    };
    let (answer, ()) = tokio::join!(alice.post("/probe", &request), failing);
    assert_eq!(answer.ok(), json!({"reason": "unreachable: connection refused"}));
}

#[tokio::test]
async fn only_the_tracker_can_make_a_peer_look_for_another_and_only_now() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    let forged = probe(&alice, &bob, now(), &key(CAROL_PEM));
    alice.post("/probe", &forged).await.expect(403, Some("bad_signature"));
    let mut elsewhere = probe(&alice, &bob, now(), &tracker());
    elsewhere["registration"]["port"] = json!(22);
    alice.post("/probe", &elsewhere).await.expect(403, Some("bad_signature"));
    let old = now().saturating_sub(Duration::from_secs(180));
    alice.post("/probe", &probe(&alice, &bob, old, &tracker())).await.expect(409, Some("conflict"));
    let for_another = probe(&bob, &bob, now(), &tracker());
    alice.post("/probe", &for_another).await.expect(409, Some("conflict"));
    assert!(alice.orders.lock().await.try_recv().is_err(), "nobody was looked for");
}
