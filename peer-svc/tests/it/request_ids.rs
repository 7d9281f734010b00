//! The id of a request goes along in the requests to others that it causes, and stands in the logs of both.

use std::sync::{Arc, Mutex};

use axum::{
    extract::Request,
    middleware::{self, Next},
};
use raclette_api::{
    membership::{NewRegistration, PeerRecord, PeerState, Registration},
    notice::ChangeKind,
};
use raclette_chain::time::Timestamp;
use raclette_service::clock::now_ms;
use serde_json::json;
use tokio::process::Command;

use crate::{
    history::serve,
    peer::{EASY, Peer, eventually, genesis, tracker},
    process::Home,
};

/// A peer as a member that is online at this port.
fn member(peer: &Peer, port: u16) -> PeerRecord {
    let identity = peer.node.identity();
    let new = NewRegistration {
        network: peer.network(),
        tracker: tracker().public().address(),
        name: &identity.name,
        host: "127.0.0.1",
        port,
        epoch: 1,
        time: Timestamp::new(now_ms()).unwrap(),
    };
    PeerRecord {
        name: identity.name.clone(),
        address: identity.address().to_string(),
        public_key: identity.key.public().to_pem(),
        state: PeerState::Online,
        epoch: 1,
        version: 1,
        last_seen: now_ms(),
        registration: Some(Registration::signed(&new, &identity.key)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_causes_at_others_carries_its_id() {
    let bob = Peer::bob(EASY).await;
    bob.hears_of(&Peer::alice(EASY).await, ChangeKind::Online, 1).await;
    let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let note = move |request: Request, next: Next| {
        let id = request.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
        noted.lock().unwrap().push((request.uri().path().to_owned(), id.unwrap_or_default()));
        next.run(request)
    };
    let port = serve(bob.router().layer(middleware::from_fn(note))).await;
    let home = Home::in_network(&genesis(EASY), &[member(&bob, port)]).await;
    let command = Command::new(env!("CARGO_BIN_EXE_peer-svc"));
    let mut alice = home.start_with(command, &["--log", "debug"], None);
    alice.serves().await.unwrap();

    let headers = |id| [("x-request-id", id), ("prefer", "wait=30")];
    let order = json!({"to": "bob", "message": "hello"});
    let (head, sent) = alice.post_with("/send", &order, &headers("sending.1")).await.unwrap();
    assert!(head.contains("x-request-id: sending.1"), "{head}");
    assert_eq!(sent["status"], "delivered");
    let (_, mined) = alice.post_with("/mine", &json!({}), &headers("mining.2")).await.unwrap();
    assert_eq!(mined["outcome"], "mined");
    let expected = [("/tx", "sending.1"), ("/mining-complete", "mining.2"), ("/block", "mining.2")];
    eventually("bob has the block", || async {
        let seen = seen.lock().unwrap();
        expected.iter().all(|(path, id)| seen.contains(&((*path).to_owned(), (*id).to_owned()))).then_some(())
    })
    .await;
    eventually("alice's log names both requests where they go out", || async {
        let log = alice.log();
        let lines = |id: &str| log.lines().filter(|line| line.contains("relay") && line.contains(id)).count();
        (lines("sending.1") > 0 && lines("mining.2") > 0).then_some(())
    })
    .await;
    alice.kill().await;
}
