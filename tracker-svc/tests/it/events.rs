//! What the tracker tells of what happens.

use raclette_api::{
    event::{DeliveryStep, EventBody, EventPage, MemberStep},
    notice::ChangeKind,
};

use crate::support::{Peer, Tracker, data_dir, eventually};

async fn members(tracker: &Tracker) -> Vec<(String, MemberStep)> {
    let page: EventPage = serde_json::from_value(tracker.get("/events").await.body).unwrap();
    let member = |body| match body {
        EventBody::Member(data) => Some((data.name, data.state)),
        _ => None,
    };
    page.events.into_iter().filter_map(|event| member(event.body)).collect()
}

/// Who was delivered news of whom.
async fn delivered(tracker: &Tracker) -> Vec<(String, String)> {
    let page = tracker.operator("GET", "/events?type=delivery").await.body;
    let page: EventPage = serde_json::from_value(page).unwrap();
    let news = |body| match body {
        EventBody::Delivery(data) if data.status == DeliveryStep::Delivered => Some((data.destination, data.subject)),
        _ => None,
    };
    page.events.into_iter().filter_map(|event| news(event.body)).collect()
}

#[tokio::test]
async fn who_came_and_went_is_told_to_everybody_and_who_was_told_to_the_operator() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.begin(&alice).await;
    tracker.register(&bob).await;
    eventually!(alice.was_told("bob", ChangeKind::Online));
    let news = (alice.address().to_string(), bob.address().to_string());
    eventually!(delivered(&tracker).await.contains(&news));
    let online = |name: &str| (name.to_owned(), MemberStep::Online);
    assert_eq!(members(&tracker).await, [online("alice"), online("bob")]);
    assert_eq!(tracker.get("/events?type=delivery").await.code(), "token_missing");
    let all: EventPage = serde_json::from_value(tracker.operator("GET", "/events").await.body).unwrap();
    let genesis = all.events.iter().filter(|event| matches!(event.body, EventBody::Genesis(_))).count();
    let numbers: Vec<_> = all.events.iter().map(|event| event.id.unwrap()).collect();
    assert_eq!((genesis, numbers), (1, (1..=all.next).collect::<Vec<_>>()));
    tracker.stop().await;

    // A restart tells on where it was.
    let tracker = Tracker::start(directory.path()).await;
    assert_eq!(members(&tracker).await, [online("alice"), online("bob")]);
    bob.raise_epoch();
    tracker.register(&bob).await;
    assert_eq!(members(&tracker).await, [online("alice"), online("bob"), online("bob")]);
    tracker.stop().await;
}

#[tokio::test]
async fn a_stream_ends_when_the_tracker_stops() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let stream = tracker.http.get(format!("{}/events", tracker.url)).header("accept", "text/event-stream");
    let response = stream.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let rest = tokio::spawn(response.text());
    tracker.stop().await;
    assert!(rest.await.unwrap().unwrap().contains("retry: 2000"), "it ends in good order");
}
