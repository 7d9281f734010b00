//! What a peer tells of what happens.

use axum::body::Body;
use futures_util::StreamExt as _;
use raclette_api::{
    event::{DeliveryStep, EventBody, EventPage, MemberStep, MiningStep, TransactionStep},
    notice::ChangeKind,
};
use serde_json::json;

use crate::peer::{EASY, HARD, Peer, by_anybody};

/// Everything that was told so far, in a few words each.
async fn told(peer: &Peer, since: u64) -> Vec<String> {
    let page = peer.own_get(&format!("/events?limit=1000&since={since}")).await.ok();
    let page: EventPage = serde_json::from_value(page).unwrap();
    page.events.iter().map(|event| words(&event.body)).collect()
}

fn words(body: &EventBody) -> String {
    match body {
        EventBody::Genesis(_) => String::from("genesis"),
        EventBody::Transaction(data) => format!("transaction {}", name(&data.status)),
        EventBody::Block(data) => format!("block {} active {}", data.height, data.active),
        EventBody::Reorg(data) => {
            format!("reorg -{} +{} returned {}", data.disconnected, data.connected, data.returned)
        }
        EventBody::Member(data) => format!("{} {}", data.name, name(&data.state)),
        EventBody::Message(data) => format!("message {}", data.has_message),
        EventBody::Delivery(data) => format!("{} {}", data.kind, name(&data.status)),
        EventBody::Mining(data) => format!("mining {}", name(&data.status)),
    }
}

fn name(step: &impl serde::Serialize) -> String {
    json!(step).as_str().unwrap().to_owned()
}

#[tokio::test]
async fn everything_that_happens_is_told_once_and_in_order() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let sent = alice.send(json!({"to": "bob", "message": "cheese"})).await;
    let mined = alice.mine().await;
    let expected = [
        "genesis",
        &format!("bob {}", name(&MemberStep::Online)),
        &format!("transaction {}", name(&TransactionStep::Accepted)),
        &format!("delivery {}", name(&DeliveryStep::Queued)),
        &format!("mining {}", name(&MiningStep::Started)),
        "block 1 active true",
        &format!("transaction {}", name(&TransactionStep::Confirmed)),
        &format!("mining {}", name(&MiningStep::Found)),
    ];
    assert_eq!(told(&alice, 0).await, expected);

    // Bob gets the block alone: the transaction in it is news to him.
    bob.learns(&alice, &mined).await;
    assert_eq!(told(&bob, 1).await, ["block 1 active true", "transaction confirmed", "message true"]);

    let page = alice.get("/events?type=block,transaction").await.ok();
    let page: EventPage = serde_json::from_value(page).unwrap();
    let numbers: Vec<_> = page.events.iter().map(|event| event.id.unwrap()).collect();
    assert_eq!((numbers, page.next), (vec![3, 6, 7], 8));
    let EventBody::Transaction(confirmed) = &page.events[2].body else { panic!("{page:?}") };
    assert_eq!((json!(confirmed.id), confirmed.height), (sent["transaction"]["id"].clone(), Some(1)));
    assert!(page.events[0].time <= page.events[2].time);
}

#[tokio::test]
async fn strangers_are_not_told_of_the_owners_mail_mining_and_queue() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    alice.send(json!({"to": "bob", "message": "cheese"})).await;
    alice.mine().await;
    let page = alice.get("/events").await.ok();
    let page: EventPage = serde_json::from_value(page).unwrap();
    let words: Vec<_> = page.events.iter().map(|event| words(&event.body)).collect();
    let public = ["genesis", "bob online", "transaction accepted", "block 1 active true", "transaction confirmed"];
    assert_eq!(words, public);
    for kind in ["message", "delivery", "mining"] {
        alice.get(&format!("/events?type={kind}")).await.expect(401, Some("token_missing"));
        alice.own_get(&format!("/events?type={kind}")).await.ok();
    }
}

#[tokio::test]
async fn a_reorganisation_is_told_with_what_it_takes_back() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    alice.send(json!({"to": "bob", "message": "cheese"})).await;
    alice.mine().await;
    let before = alice.own_get("/events?limit=1000").await.ok()["next"].as_u64().unwrap();
    let blocks = [bob.mine().await, bob.mine().await];
    for block in &blocks {
        alice.learns(&bob, block).await;
    }
    let told = told(&alice, before).await;
    // Which of two blocks at one height is active depends on their hashes.
    let either = [
        vec!["block 1 active false", "block 2 active true", "reorg -1 +2 returned 1", "transaction returned"],
        vec!["block 1 active true", "reorg -1 +1 returned 1", "transaction returned", "block 2 active true"],
    ];
    assert!(either.iter().any(|one| *one == told), "{told:?}");
}

#[tokio::test]
async fn a_job_that_is_cancelled_is_told_and_what_is_given_up_too() {
    let (alice, bob) = (Peer::alice(HARD).await, Peer::bob(HARD).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    alice.hears_of(&bob, ChangeKind::Offline, 2).await;
    alice.send(json!({"to": "bob", "message": "wait for me"})).await;
    let entry = alice.own_get("/queue").await.ok()["entries"][0]["id"].clone();
    alice.own_delete(&format!("/queue/{entry}")).await.expect(204, None);
    let job = alice.own_post("/mine", &json!({})).await.expect(202, None).body["id"].as_str().unwrap().to_owned();
    alice.own_delete(&format!("/mine/{job}")).await.ok();
    let told = told(&alice, 1).await;
    let expected = [
        "bob online",
        "bob offline",
        "transaction accepted",
        "delivery queued",
        "delivery discarded",
        "mining started",
        "mining cancelled",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_stream_tells_what_happens_until_the_peer_stops() {
    let alice = Peer::alice(EASY).await;
    let request = by_anybody("GET", "/events?since=0").header("accept", "text/event-stream");
    let response = alice.stream(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut pieces = response.into_body().into_data_stream();
    let mut text = String::new();
    let mut mined = false;
    while !text.contains("event: block") {
        text.push_str(std::str::from_utf8(&pieces.next().await.unwrap().unwrap()).unwrap());
        if text.contains("event: genesis") && !mined {
            mined = true;
            alice.mine().await;
        }
    }
    assert!(!text.contains("event: mining"), "{text}");
    alice.stopping.cancel();
    while let Some(piece) = pieces.next().await {
        text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
    }
}
