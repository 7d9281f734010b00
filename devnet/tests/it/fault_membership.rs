//! Membership while links fail and processes hang: nobody is wrongly called dead, nobody dead is raised, and what was
//! missed arrives. Real services behind proxies; docs/testing.md says which promise each test shows.

use std::time::Duration;

use raclette_api::{
    membership::{PeerRecord, PeerState},
    queue::QueuePage,
    timeline::{TimelineKind, TimelinePage},
};
use serde_json::{Value, json};
use trials::proxy::Fault;

use crate::kit::{Network, Settings, http, until};

/// Links that can be disturbed, and callers that soon lose patience.
fn settings() -> Settings {
    Settings { proxies: true, call_timeout: "1s", ..Settings::default() }
}

/// What the tracker knows of a peer.
async fn record(network: &Network, name: &str) -> PeerRecord {
    network.records().await.into_iter().find(|record| record.name == name).expect("the tracker knows it")
}

/// What `who` believes of `whom`.
async fn believes(network: &Network, who: &str, whom: &str) -> PeerState {
    network.peer(who).record_of(whom).await.expect("it knows it").state
}

/// Waits for so many rounds in which the tracker reached this peer.
async fn rounds(network: &Network, reached: &str, count: usize) {
    for _ in 0..count {
        let before = record(network, reached).await.last_seen;
        until("a round is over", async || record(network, reached).await.last_seen > before).await;
    }
}

/// What the timeline says of a peer, the newest first.
async fn timeline(network: &Network, name: &str) -> Vec<TimelineKind> {
    let page: TimelinePage = network.tracker.get(&format!("/timeline?limit=500&name={name}")).await;
    page.events.into_iter().map(|event| event.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_late_or_loses_every_fifth_request_is_not_called_dead() {
    let network = Network::with(settings(), &["alice", "bob", "carol"]).await;
    network.peer("bob").proxy().set(Fault::Delay(Duration::from_millis(60)));
    network.peer("carol").proxy().set(Fault::Drop(20));
    rounds(&network, "alice", 12).await;
    for name in ["bob", "carol"] {
        let seen = timeline(&network, name).await;
        assert!(!seen.contains(&TimelineKind::Offline), "{name}: {seen:?}");
    }
    // And all goes on, only later.
    network.peer("alice").send("bob", None, Some("take your time")).await;
    network.peer("bob").receives("take your time").await;
    network.peer("carol").mine().await;
    network.agreement().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_to_the_tracker_alone_stays_in_the_lists() {
    let network = Network::with(settings(), &["alice", "bob", "carol"]).await;
    network.disturb("tracker", "bob", Fault::BlackHole);
    until("the tracker misses bob", async || record(&network, "bob").await.state == PeerState::Suspect).await;
    rounds(&network, "alice", 6).await;
    assert_eq!(record(&network, "bob").await.state, PeerState::Suspect, "the others can reach bob, and say so");
    for who in ["alice", "carol"] {
        assert_eq!(believes(&network, who, "bob").await, PeerState::Online);
    }
    assert!(!timeline(&network, "bob").await.contains(&TimelineKind::Offline));
    network.heal();
    until("the tracker reaches bob again", async || record(&network, "bob").await.state == PeerState::Online).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_is_cut_off_from_all_deletes_nobody_and_later_still_notices_a_death() {
    let names = ["alice", "bob", "carol", "dave"];
    let network = Network::with(settings(), &names).await;
    network.split(&[&names], Fault::BlackHole);
    until("the tracker doubts itself", async || network.info().await.self_preservation).await;
    // Each of its rounds comes to a proxy, where it is held back: some rounds more.
    let probes = |network: &Network| network.peer("alice").proxy().counts().connections;
    let before = probes(&network);
    until("more rounds are over", async || probes(&network) >= before + 8).await;
    assert!(network.info().await.self_preservation);
    // Meanwhile the others work.
    network.peer("alice").send("bob", None, Some("who watches us?")).await;
    network.peer("bob").receives("who watches us?").await;
    network.peer("carol").mine().await;
    network.agreement().await;
    for who in names {
        for whom in names.iter().filter(|whom| **whom != who) {
            assert_eq!(believes(&network, who, whom).await, PeerState::Online, "{who} of {whom}");
        }
    }

    network.heal();
    until("the tracker trusts itself again", async || {
        let info = network.info().await;
        !info.self_preservation && info.peers.online == 4
    })
    .await;
    for name in names {
        let seen = timeline(&network, name).await;
        assert!(!seen.contains(&TimelineKind::Offline), "{name}: {seen:?}");
    }

    // Caution does not hide a real death.
    network.split(&[&["tracker", "alice", "bob", "carol"]], Fault::BlackHole);
    until("dave's end is known", async || believes(&network, "alice", "dave").await == PeerState::Offline).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_news_of_a_death_does_not_delete_who_has_come_back() {
    let mut network = Network::with(settings(), &["alice", "carol"]).await;
    network.add("bob");
    network.stand_behind_proxy("bob").await;
    network.peer_mut("bob").start_process();
    network.peer("bob").ready().await;
    network.everybody_knows_everybody().await;

    // Alice is told nothing, and cannot ask: the news of bob's end waits for her.
    network.disturb("tracker", "alice", Fault::BlackHole);
    network.disturb("alice", "tracker", Fault::BlackHole);
    let epoch = network.peer("bob").status().await.epoch;
    network.peer_mut("bob").kill().await;
    until("carol knows of bob's end", async || believes(&network, "carol", "bob").await == PeerState::Offline).await;
    network.peer_mut("bob").start_process();
    network.peer("bob").ready().await;
    until("carol knows of bob's return", async || believes(&network, "carol", "bob").await == PeerState::Online).await;
    assert_eq!(network.peer("alice").record_of("bob").await.unwrap().epoch, epoch, "alice knows nothing yet");

    network.heal();
    until("nothing waits for alice any more", async || {
        let queue: QueuePage = network.tracker.get_as_owner("/queue").await;
        queue.counts.waiting == 0
    })
    .await;
    until("alice knows bob as he is now", async || {
        let record = network.peer("alice").record_of("bob").await.unwrap();
        record.state == PeerState::Online && record.epoch > epoch && record.registration.is_some()
    })
    .await;
    network.peer("alice").send("bob", None, Some("welcome back")).await;
    network.peer("bob").receives("welcome back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_to_a_peer_behind_a_dead_link_arrives_when_the_link_is_back() {
    let mut network = Network::with(settings(), &["alice", "bob"]).await;
    network.disturb("tracker", "alice", Fault::Reset);
    network.disturb("alice", "tracker", Fault::Reset);
    network.add("carol");
    network.stand_behind_proxy("carol").await;
    network.peer_mut("carol").start().await;
    network.peer("carol").ready().await;
    until("the announcement waits", async || {
        let queue: QueuePage = network.tracker.get_as_owner("/queue").await;
        queue.entries.iter().any(|entry| entry.destination_name.as_deref() == Some("alice"))
    })
    .await;
    assert!(network.peer("alice").record_of("carol").await.is_none());
    network.heal();
    network.everybody_knows_everybody().await;
    until("nothing waits any more", async || {
        let queue: QueuePage = network.tracker.get_as_owner("/queue").await;
        queue.counts.waiting == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_mines_on_all_cores_is_not_called_dead() {
    let settings = Settings { difficulty_bits: 60, liveness: "500ms", ..Settings::default() };
    let mut network = Network::with(settings, &["alice"]).await;
    network.add("bob").start_process();
    network.peer("bob").ready().await;
    network.everybody_knows_everybody().await;
    let bob = network.peer("bob");
    let cores = std::thread::available_parallelism().unwrap().get();
    let job: Value = http::post(bob.port, "/mine", &json!({ "threads": cores }), &[("authorization", &bob.bearer())])
        .await
        .expect("it mines");
    assert_eq!(job["outcome"], Value::Null, "nobody finds a block here");
    rounds(&network, "bob", 8).await;
    http::get::<Value>(bob.port, "/healthz", None).await.expect("it answers meanwhile");
    assert!(bob.status().await.mining);
    assert!(!timeline(&network, "bob").await.contains(&TimelineKind::Offline));
}
