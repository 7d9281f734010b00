//! Who gets in, and who hears of it.

use raclette_api::{
    membership::{Leave, NewRegistration, Registration},
    notice::ChangeKind,
};
use raclette_chain::{address::Address, hash::NetworkId, testing::ALICE_PEM};

use crate::support::{Peer, Tracker, data_dir, eventually, now};

#[tokio::test]
async fn a_newcomer_gets_the_list_and_is_announced_to_all_others() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let genesis = tracker.begin(&alice).await;
    let answer = tracker.register(&bob).await;
    assert_eq!((answer.status, answer.body["status"].as_str()), (201, Some("member")));
    assert_eq!(answer.body["network"]["network_id"], genesis.network().to_string());
    let names: Vec<_> =
        answer.body["peers"].as_array().unwrap().iter().map(|peer| peer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "bob"]);
    eventually!(alice.was_told("bob", ChangeKind::Online));
    for peer in [&alice, &bob] {
        assert!(!peer.was_told(&peer.inner.name, ChangeKind::Online), "nobody is told about itself");
    }
    let notice = alice.inner.notices.lock().unwrap()[0].clone();
    assert_eq!(notice.changes[0].registration.as_ref().unwrap().port, bob.inner.place.port());
    assert_eq!(tracker.waiting().await, 0);
    tracker.stop().await;
}

#[tokio::test]
async fn a_registration_that_another_key_signed_is_refused() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let signature = Registration::signed(&alice.claims(), &bob.inner.key).signature;
    let answer = tracker.post("/register", &Registration { signature, ..alice.registration() }).await;
    assert_eq!((answer.status, answer.code()), (403, "bad_signature"));
    let changed = Registration { port: bob.inner.place.port(), ..alice.registration() };
    assert_eq!(tracker.post("/register", &changed).await.code(), "bad_signature");
    tracker.stop().await;
}

#[tokio::test]
async fn a_malformed_registration_names_the_field() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let alice = Peer::alice().await;
    let answer = tracker.post("/register", &Registration { name: String::from("-A"), ..alice.registration() }).await;
    assert_eq!((answer.status, answer.code()), (422, "invalid_body"));
    assert_eq!(answer.body["errors"][0]["field"], "name");
    tracker.stop().await;
}

#[tokio::test]
async fn a_name_belongs_to_the_key_that_took_it_first() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.register(&alice).await;
    let thief = Registration::signed(&NewRegistration { name: "alice", ..bob.claims() }, &bob.inner.key);
    let answer = tracker.post("/register", &thief).await;
    assert_eq!((answer.status, answer.code()), (409, "name_taken"));
    assert!(answer.body["mend"].as_str().unwrap().contains("--name"));
    tracker.stop().await;
}

#[tokio::test]
async fn a_stale_epoch_is_told_the_current_one_and_a_higher_one_updates() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let alice = Peer::alice().await;
    alice.raise_epoch();
    assert_eq!(tracker.register(&alice).await.status, 201);
    assert_eq!(tracker.register(&alice).await.status, 200, "the same again is fine");
    let stale = Registration::signed(&NewRegistration { epoch: 1, ..alice.claims() }, &alice.inner.key);
    let answer = tracker.post("/register", &stale).await;
    assert_eq!((answer.status, answer.code()), (409, "stale_epoch"));
    assert_eq!(answer.body["epoch"], 2);
    alice.raise_epoch();
    let answer = tracker.register(&alice).await;
    assert_eq!((answer.status, answer.body["epoch"].as_u64()), (200, Some(3)));
    tracker.stop().await;
}

#[tokio::test]
async fn a_registration_for_another_tracker_or_network_is_refused() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let elsewhere = NewRegistration { tracker: Address::from_bytes([9; 32]), ..alice.claims() };
    let answer = tracker.post("/register", &Registration::signed(&elsewhere, &alice.inner.key)).await;
    assert_eq!((answer.status, answer.code()), (409, "wrong_tracker"));
    let genesis = tracker.begin(&alice).await;
    let other = NewRegistration { network: NetworkId::from_bytes([9; 32]), ..bob.claims() };
    let answer = tracker.post("/register", &Registration::signed(&other, &bob.inner.key)).await;
    assert_eq!((answer.status, answer.code()), (409, "wrong_network"));
    let same = NewRegistration { network: genesis.network(), ..bob.claims() };
    assert_eq!(tracker.post("/register", &Registration::signed(&same, &bob.inner.key)).await.status, 201);
    tracker.stop().await;
}

#[tokio::test]
async fn an_address_is_believed_only_if_this_very_peer_answers_there() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    alice.down(true);
    let answer = tracker.register(&alice).await;
    assert_eq!((answer.status, answer.code()), (409, "unreachable_address"));
    alice.down(false);
    let other_place = NewRegistration { port: bob.inner.place.port(), ..alice.claims() };
    let answer = tracker.post("/register", &Registration::signed(&other_place, &alice.inner.key)).await;
    assert_eq!(answer.code(), "unreachable_address");
    let other_epoch = NewRegistration { epoch: 7, ..alice.claims() };
    let answer = tracker.post("/register", &Registration::signed(&other_epoch, &alice.inner.key)).await;
    assert_eq!(answer.code(), "unreachable_address");
    assert!(tracker.states().await.is_empty());
    tracker.stop().await;
}

#[tokio::test]
async fn addresses_outside_the_allowed_ranges_are_never_called() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let alice = Peer::alice().await;
    for (host, port) in [("169.254.169.254", 8080), ("93.184.216.34", 8080), ("127.0.0.1", 25)] {
        let claims = NewRegistration { host, port, ..alice.claims() };
        let answer = tracker.post("/register", &Registration::signed(&claims, &alice.inner.key)).await;
        assert_eq!((answer.status, answer.code()), (409, "forbidden_address"), "{host}:{port}");
    }
    tracker.stop().await;
}

#[tokio::test]
async fn a_network_may_ask_for_a_join_token() {
    let directory = data_dir();
    let secret = "sixteen-letters-or-more";
    let tracker = Tracker::start_with(directory.path(), &["--join-token", secret]).await;
    let alice = Peer::alice().await;
    assert!(tracker.network().await.join_token_required);
    let answer = tracker.register(&alice).await;
    assert_eq!((answer.status, answer.code()), (403, "join_token_wrong"));
    let with = |token: &str| {
        let request = tracker.http.post(format!("{}/register", tracker.url)).header("Raclette-Join-Token", token);
        tracker.call(request.json(&alice.registration()))
    };
    assert_eq!(with("another-long-token").await.code(), "join_token_wrong");
    assert_eq!(with(secret).await.status, 201);
    tracker.stop().await;
}

#[tokio::test]
async fn a_farewell_is_told_to_the_others_and_cannot_be_forged_or_replayed() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let network = tracker.begin(&alice).await.network();
    tracker.register(&bob).await;
    let leave = Leave::signed(&network, bob.epoch(), now(), &bob.inner.key);
    let forged = Leave { signature: Leave::signed(&network, 1, now(), &alice.inner.key).signature, ..leave.clone() };
    assert_eq!(tracker.post("/leave", &forged).await.code(), "bad_signature");
    assert_eq!(tracker.post("/leave", &leave).await.status, 204);
    eventually!(alice.was_told("bob", ChangeKind::Left));
    bob.raise_epoch();
    assert_eq!(tracker.register(&bob).await.status, 200);
    let replayed = tracker.post("/leave", &leave).await;
    assert_eq!((replayed.status, replayed.code()), (409, "stale_epoch"));
    let stranger = Peer::carol().await;
    let unknown = Leave::signed(&network, 1, now(), &stranger.inner.key);
    assert_eq!(tracker.post("/leave", &unknown).await.code(), "unknown_peer");
    tracker.stop().await;
}

#[tokio::test]
async fn of_two_keys_that_want_a_name_at_once_exactly_one_gets_it() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::start("alice", ALICE_PEM).await, Peer::bob().await);
    let thief = Registration::signed(&NewRegistration { name: "alice", ..bob.claims() }, &bob.inner.key);
    let (first, second) = tokio::join!(tracker.register(&alice), tracker.post("/register", &thief));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    tracker.stop().await;
}

#[tokio::test]
async fn members_are_listed_by_state_and_in_pages() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let peers = [Peer::alice().await, Peer::bob().await, Peer::carol().await];
    for peer in &peers {
        tracker.register(peer).await;
    }
    let first = tracker.get("/peers?limit=2").await.body;
    assert_eq!(first["peers"].as_array().unwrap().len(), 2);
    assert_eq!(first["next_cursor"], "bob");
    let second = tracker.get("/peers?limit=2&cursor=bob").await.body;
    assert_eq!(second["peers"][0]["name"], "carol");
    assert!(second.get("next_cursor").is_none());
    assert!(tracker.get("/peers?state=offline").await.body["peers"].as_array().unwrap().is_empty());
    for wrong in ["/peers?limit=0", "/peers?limit=1001", "/peers?state=asleep", "/peers?color=red"] {
        assert_eq!(tracker.get(wrong).await.code(), "invalid_parameter", "{wrong}");
    }
    tracker.stop().await;
}

/// Two keys that want the same name at the same time, so often: exactly one gets it each time.
#[expect(clippy::print_stdout, reason = "the figure is what it is run for")]
async fn two_keys_race_for_a_name(times: u64) {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let mut won = [0, 0];
    for time in 0..times {
        let claims = [&alice, &bob].map(|peer| {
            peer.raise_epoch();
            Registration::signed(&NewRegistration { name: "race", ..peer.claims() }, &peer.inner.key)
        });
        // Whoever is sent first has a head start: they take turns.
        let (one, other) = if time % 2 == 0 { (0, 1) } else { (1, 0) };
        let (first, second) =
            tokio::join!(tracker.post("/register", &claims[one]), tracker.post("/register", &claims[other]));
        let answers = if one == 0 { [first, second] } else { [second, first] };
        let winner = answers.iter().position(|answer| answer.status == 201).expect("one gets it");
        let loser = &answers[1 - winner];
        assert_eq!((loser.status, loser.code()), (409, "name_taken"), "only one gets it");
        won[winner] += 1;
        let winner = [&alice, &bob][winner];
        let farewell = Leave::signed(&NetworkId::ZERO, winner.epoch(), now(), &winner.inner.key);
        assert_eq!(tracker.post("/leave", &farewell).await.status, 204);
        assert_eq!(tracker.operator("DELETE", "/names/race").await.status, 204);
    }
    println!("{won:?} of {times} races were won by each");
    tracker.stop().await;
}

#[tokio::test]
async fn of_two_keys_that_race_for_a_name_exactly_one_gets_it_50_times() {
    two_keys_race_for_a_name(50).await;
}

#[tokio::test]
#[ignore = "takes a while"]
async fn of_two_keys_that_race_for_a_name_exactly_one_gets_it_1000_times() {
    two_keys_race_for_a_name(1_000).await;
}
