//! `Idempotency-Key`: what is repeated is not done twice, not even over a crash.

use axum::{body::Body, http::request::Builder};
use raclette_api::notice::ChangeKind;
use serde_json::{Value, json};

use crate::{
    peer::{Answer, EASY, HARD, Peer, by_owner, eventually, genesis, with_json},
    process::{Home, Process},
};

const KEY: &str = "order-17";

fn keyed(path: &str, key: &str) -> Builder {
    by_owner("POST", path).header("idempotency-key", key)
}

async fn post(peer: &Peer, path: &str, key: &str, body: &Value) -> Answer {
    peer.call(with_json(keyed(path, key), body)).await
}

/// Status and body, and whether it is said to be a repetition.
fn outcome(answer: &Answer) -> (u16, &Value, bool) {
    (answer.status.as_u16(), &answer.body, answer.headers.get("idempotency-replayed").is_some_and(|it| it == "true"))
}

async fn sent(peer: &Peer) -> usize {
    peer.own_get("/messages").await.ok()["messages"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_sends_nothing() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let first = post(&alice, "/send", KEY, &json!({"to": "bob", "message": "hello"})).await.expect(201, None);
    assert!(!outcome(&first).2);
    // What became of it since then changes nothing.
    let id = first.body["transaction"]["id"].as_str().unwrap();
    alice.node.delivered(id.parse().unwrap(), Vec::new()).await.unwrap();
    alice.mine().await;
    let other_spelling = Body::from("{ \"message\" : \"hello\",\n\"to\":\"bob\" }");
    let request = keyed("/send", KEY).header("content-type", "application/json").body(other_spelling).unwrap();
    let again = alice.call(request).await;
    assert_eq!(outcome(&again), (201, &first.body, true));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(sent(&alice).await, 1);
    post(&alice, "/send", "order-18", &json!({"to": "bob", "message": "hello"})).await.expect(201, None);
    assert_eq!(sent(&alice).await, 2, "another key is another request");
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let alice = Peer::alice(EASY).await;
    post(&alice, "/send", KEY, &json!({"to": "alice", "message": "hello"})).await.expect(201, None);
    for (path, other) in [
        ("/send", json!({"to": "alice", "message": "hello!"})),
        ("/send", json!({"to": "alice", "message": "hello", "amount": 0})),
        ("/mine", json!({})),
    ] {
        post(&alice, path, KEY, &other).await.expect(409, Some("idempotency_key_reused"));
    }
    assert_eq!(sent(&alice).await, 1);
    assert_eq!(alice.get("/status").await.ok()["mining"], false);
}

#[tokio::test]
async fn what_was_refused_leaves_its_key_free() {
    let alice = Peer::alice(EASY).await;
    let order = json!({"to": "alice", "amount": 7});
    post(&alice, "/send", KEY, &order).await.expect(409, Some("insufficient_funds"));
    alice.mine().await;
    let answer = post(&alice, "/send", KEY, &order).await;
    assert_eq!((answer.status.as_u16(), outcome(&answer).2), (201, false));
}

#[tokio::test]
async fn whoever_repeats_too_early_is_asked_to_wait() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let order = json!({"to": "bob", "message": "hello"});
    let patient = with_json(keyed("/send", KEY).header("prefer", "wait=30"), &order);
    let meanwhile = async {
        let id = eventually("the transaction is in the ledger", || async {
            let page = alice.get("/ledger").await.ok();
            page["transactions"][0]["id"].as_str().map(str::to_owned)
        });
        let id = id.await;
        let early = post(&alice, "/send", KEY, &order).await.expect(409, Some("idempotency_key_in_use"));
        assert_eq!(early.header("retry-after"), "1");
        alice.node.delivered(id.parse().unwrap(), Vec::new()).await.unwrap();
    };
    let (first, ()) = tokio::join!(alice.call(patient), meanwhile);
    assert_eq!(first.body["status"], "delivered");
    assert_eq!(outcome(&post(&alice, "/send", KEY, &order).await), (201, &first.body, true));
}

#[tokio::test]
async fn a_caller_that_went_away_gets_its_answer_later() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let order = json!({"to": "bob", "message": "hello"});
    let patient = with_json(keyed("/send", KEY).header("prefer", "wait=30"), &order);
    let in_ledger = eventually("the transaction is in the ledger", || async {
        (alice.get("/ledger").await.ok()["count"] == 1).then_some(())
    });
    tokio::select! {
        answer = alice.call(patient) => panic!("nobody has it: {answer:?}"),
        () = in_ledger => {}
    }
    let again = post(&alice, "/send", KEY, &order).await;
    assert_eq!((again.status.as_u16(), outcome(&again).2, &again.body["status"]), (201, true, &json!("sent")));
    let id = again.body["transaction"]["id"].as_str().unwrap();
    alice.node.delivered(id.parse().unwrap(), Vec::new()).await.unwrap();
    let third = post(&alice, "/send", KEY, &order).await;
    assert_eq!(outcome(&third), (201, &again.body, true), "what was answered once stays the answer");
    assert_eq!(sent(&alice).await, 1);
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let alice = Peer::alice(EASY).await;
    let too_long = "x".repeat(129);
    for key in ["", "a b", too_long.as_str()] {
        post(&alice, "/send", key, &json!({"to": "alice", "message": "hello"}))
            .await
            .expect(400, Some("invalid_parameter"));
        post(&alice, "/mine", key, &json!({})).await.expect(400, Some("invalid_parameter"));
    }
    assert_eq!(sent(&alice).await, 0);
}

#[tokio::test]
async fn a_repeated_command_to_mine_gets_the_same_job() {
    let alice = Peer::alice(HARD).await;
    let one = json!({"threads": 1});
    let first = post(&alice, "/mine", KEY, &one).await.expect(202, None);
    assert!(!outcome(&first).2);
    let again = post(&alice, "/mine", KEY, &one).await;
    assert_eq!((again.status.as_u16(), outcome(&again).2, &again.body["id"]), (202, true, &first.body["id"]));
    assert_eq!(again.header("location"), first.header("location"));
    post(&alice, "/mine", KEY, &json!({"threads": 2})).await.expect(409, Some("idempotency_key_reused"));
    post(&alice, "/mine", "other", &one).await.expect(409, Some("conflict"));
    alice.own_delete(first.header("location")).await.ok();
    let over = post(&alice, "/mine", KEY, &one).await;
    assert_eq!((over.status.as_u16(), outcome(&over).2, &over.body["outcome"]), (200, true, &json!("cancelled")));
    let free = post(&alice, "/mine", "other", &one).await.expect(202, None);
    alice.own_delete(free.header("location")).await.ok();
}

fn is_repetition(head: &str) -> bool {
    head.contains("\r\nidempotency-replayed: true")
}

/// Sends with the key; the answer, and whether it is said to be a repetition.
async fn send(process: &Process) -> Option<(Value, bool)> {
    let order = json!({"to": "alice", "message": "only once"});
    let (head, body) = process.post_with("/send", &order, &[("idempotency-key", KEY)]).await.ok()?;
    Some((body, is_repetition(&head)))
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(debug_assertions), ignore = "crash points are in debug builds only")]
async fn a_crash_at_any_step_of_a_commit_neither_sends_twice_nor_loses_the_key() {
    let (mut committed, mut lost) = (0, 0);
    for step in 1.. {
        let home = Home::in_network(&genesis(EASY), &[]).await;
        let mut process = home.start(Some(&format!("commit:{step}")));
        let first = match process.serves().await {
            Ok(()) => send(&process).await,
            Err(_) => None,
        };
        // Once the steps of all commits so far are behind, nothing crashes any more.
        let crashed = first.is_none();
        process.kill().await;
        process.ended().await;
        let mut process = home.start(None);
        process.serves().await.unwrap();
        let (answer, again) = send(&process).await.unwrap();
        let page = process.get("/messages").await.unwrap();
        assert_eq!(page["messages"].as_array().unwrap().len(), 1, "step {step}: {page}");
        assert_eq!(page["messages"][0]["id"], answer["transaction"]["id"], "step {step}");
        assert_eq!(send(&process).await.unwrap(), (answer.clone(), true), "step {step}");
        process.kill().await;
        if let Some((first, _)) = first {
            assert_eq!((first, true), (answer, again), "step {step}: the answer is the same after a restart");
        } else if again {
            committed += 1;
        } else {
            lost += 1;
        }
        if !crashed {
            break;
        }
    }
    assert!(committed >= 2 && lost >= 2, "crashes behind the commit: {committed}, before it: {lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_a_restart_ended_is_not_started_again_by_its_key() {
    let home = Home::in_network(&genesis(EASY), &[]).await;
    let mut process = home.start(None);
    process.serves().await.unwrap();
    let headers = [("idempotency-key", KEY), ("prefer", "wait=30")];
    let (head, mined) = process.post_with("/mine", &json!({}), &headers).await.unwrap();
    assert_eq!((&mined["outcome"], is_repetition(&head)), (&json!("mined"), false));
    process.kill().await;
    process.ended().await;
    let mut process = home.start(None);
    process.serves().await.unwrap();
    let (head, again) = process.post_with("/mine", &json!({}), &headers).await.unwrap();
    assert_eq!((&again, is_repetition(&head)), (&mined, true));
    assert_eq!(process.get("/status").await.unwrap()["tip"]["height"], 1);
    process.kill().await;
}
