//! One network, whoever comes first and whoever dies.

use raclette_api::{
    membership::{NewRegistration, Registration},
    network::GenesisReport,
};
use raclette_chain::{genesis::Genesis, parameters::Parameters};

use crate::support::{Peer, Tracker, data_dir, eventually, now};

fn genesis(parameters: Parameters) -> Genesis {
    Genesis { parameters, time: now() }
}

fn report(peer: &Peer, genesis: &Genesis) -> GenesisReport {
    GenesisReport::signed(genesis, now(), &peer.inner.key)
}

#[tokio::test]
async fn two_peers_that_register_at_once_make_one_network() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let (first, second) = tokio::join!(tracker.register(&alice), tracker.register(&bob));
    let mut tasks = [first.body["status"].as_str().unwrap(), second.body["status"].as_str().unwrap()];
    tasks.sort_unstable();
    assert_eq!(tasks, ["create_genesis", "genesis_pending"]);
    let pending = if first.body["status"] == "genesis_pending" { &first } else { &second };
    assert!(pending.body["retry_after_ms"].as_u64().unwrap() <= 500);

    // Even if both make one, as after a lease that ended too early.
    let (of_alice, of_bob) = (genesis(Parameters::default()), genesis(Parameters::default()));
    let of_bob = Genesis { time: of_bob.time.saturating_add(std::time::Duration::from_millis(5)), ..of_bob };
    let (from_alice, from_bob) = (report(&alice, &of_alice), report(&bob, &of_bob));
    let (first, second) = tokio::join!(tracker.post("/genesis", &from_alice), tracker.post("/genesis", &from_bob));
    let (winner, loser, expected) = match first.status {
        201 => (first, second, of_alice),
        _ => (second, first, of_bob),
    };
    assert_eq!((winner.status, loser.status, loser.code()), (201, 409, "genesis_exists"));
    let network = expected.network().to_string();
    assert_eq!(winner.body["network_id"], network);
    assert_eq!(loser.body["genesis"]["time"], expected.time.milliseconds());
    assert_eq!(tracker.network().await.network_id, Some(network));
    tracker.stop().await;
}

#[tokio::test]
async fn the_same_report_twice_is_fine_and_whoever_asks_again_is_a_member() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let made = tracker.begin(&alice).await;
    assert_eq!(tracker.post("/genesis", &report(&alice, &made)).await.status, 200);
    assert_eq!(tracker.register(&bob).await.body["status"], "member");
    assert_eq!(tracker.register(&alice).await.body["status"], "member");
    tracker.stop().await;
}

#[tokio::test]
async fn if_the_first_peer_dies_the_next_one_gets_the_task() {
    let directory = data_dir();
    let flags = ["--genesis-lease", "150ms", "--liveness-interval", "1h"];
    let tracker = Tracker::start_with(directory.path(), &flags).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    assert_eq!(tracker.register(&alice).await.body["status"], "create_genesis");
    alice.down(true);
    eventually!(tracker.register(&bob).await.body["status"] == "create_genesis");
    assert_eq!(tracker.network().await.genesis_lease.map(|lease| lease.name), Some(String::from("bob")));
    let made = genesis(Parameters::default());
    assert_eq!(tracker.post("/genesis", &report(&bob, &made)).await.status, 201);
    alice.down(false);
    let late = tracker.post("/genesis", &report(&alice, &genesis(Parameters::default()))).await;
    assert_eq!(late.code(), "genesis_exists");
    assert_eq!(late.body["network_id"], made.network().to_string());
    tracker.stop().await;
}

#[tokio::test]
async fn a_genesis_block_must_have_the_networks_parameters_and_come_from_a_member() {
    let directory = data_dir();
    let flags = ["--reward", "25", "--network-name", "brie", "--liveness-interval", "1h"];
    let tracker = Tracker::start_with(directory.path(), &flags).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    tracker.register(&alice).await;
    let answer = tracker.post("/genesis", &report(&alice, &genesis(Parameters::default()))).await;
    assert_eq!((answer.status, answer.code()), (409, "wrong_network"));
    let info = tracker.network().await;
    assert_eq!((info.parameters.name.as_str(), info.parameters.reward), ("brie", 25));
    let right = genesis(Parameters::try_from(&info.parameters).unwrap());
    assert_eq!(tracker.post("/genesis", &report(&bob, &right)).await.code(), "unknown_peer");
    let forged = GenesisReport { signature: report(&bob, &right).signature, ..report(&alice, &right) };
    assert_eq!(tracker.post("/genesis", &forged).await.code(), "bad_signature");
    let future = Genesis { time: now().saturating_add(std::time::Duration::from_secs(600)), ..right.clone() };
    assert_eq!(tracker.post("/genesis", &report(&alice, &future)).await.code(), "wrong_network");
    assert_eq!(tracker.post("/genesis", &report(&alice, &right)).await.status, 201);
    tracker.stop().await;
}

#[tokio::test]
async fn a_tracker_that_lost_its_file_takes_the_genesis_block_of_a_returning_peer() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (newcomer, returning) = (Peer::alice().await, Peer::bob().await);
    let old = genesis(Parameters::default());
    assert_eq!(tracker.register(&newcomer).await.body["status"], "create_genesis");
    let claims = NewRegistration { network: old.network(), ..returning.claims() };
    let answer = tracker.post("/register", &Registration::signed(&claims, &returning.inner.key)).await;
    assert_eq!(answer.body["status"], "create_genesis", "it has one already, and comes before one that would make one");
    assert_eq!(tracker.post("/genesis", &report(&returning, &old)).await.status, 201);
    assert_eq!(tracker.network().await.network_id, Some(old.network().to_string()));
    tracker.stop().await;
}
