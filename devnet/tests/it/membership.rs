//! The tracker and its peers when one of them is away: nobody is lost, nobody is wrongly declared dead.

use std::{
    fs,
    time::{Duration, Instant},
};

use raclette_api::{
    agreement::Agreement,
    membership::PeerState,
    timeline::{TimelineKind, TimelinePage},
};
use serde_json::Value;

use crate::kit::{Network, SOON, Settings, http, scaled, until};

/// What `/readyz` says, and why.
async fn readiness(network: &Network, name: &str) -> (String, String) {
    let ready: Value = http::get(network.peer(name).port, "/readyz", None).await.expect("it is ready");
    let checks = ready["checks"].as_array().unwrap();
    let tracker = checks.iter().find(|check| check["name"] == "tracker").unwrap();
    (ready["status"].as_str().unwrap().to_owned(), tracker["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_go_on_without_the_tracker_and_find_it_again() {
    let mut network = Network::of(&["alice", "bob"]).await;
    network.tracker.stop().await;
    for name in ["alice", "bob"] {
        until("it says that the tracker is away", async || readiness(&network, name).await.0 == "degraded").await;
        assert!(readiness(&network, name).await.1.contains("tracker"), "and why");
    }
    network.peer("alice").mine().await;
    network.peer("alice").send("bob", Some(5), Some("who needs a tracker?")).await;
    network.peer("bob").receives("who needs a tracker?").await;
    network.peer("bob").mine().await;
    network.agreement().await;

    // Even after a restart it goes on with what it knew.
    network.peer_mut("bob").stop().await;
    network.peer_mut("bob").start().await;
    network.peer("bob").ready().await;
    assert_eq!(readiness(&network, "bob").await.0, "degraded");
    network.peer("bob").send("alice", None, Some("still here")).await;
    network.peer("alice").receives("still here").await;

    let epoch = network.peer("bob").status().await.epoch;
    network.tracker.start().await;
    for name in ["alice", "bob"] {
        until("it has found the tracker again", async || readiness(&network, name).await.0 == "ready").await;
    }
    assert!(network.peer("bob").status().await.epoch >= epoch);
    network.everybody_knows_everybody().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_lost_its_file_takes_the_network_from_those_who_register_again() {
    let mut network = Network::of(&["alice", "bob"]).await;
    network.peer("alice").mine().await;
    let before = network.info().await;
    network.tracker.stop().await;
    for file in fs::read_dir(&network.tracker.directory).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("tracker.sqlite") {
            fs::remove_file(path).unwrap();
        }
    }
    network.tracker.start().await;
    until("the tracker knows the network and both peers again", async || {
        let info = network.info().await;
        info.network_id == before.network_id && info.peers.online == 2
    })
    .await;
    network.everybody_knows_everybody().await;
    network.peer("bob").mine().await;
    network.agreement().await;
    // Whoever comes new gets the same network.
    network.add("carol").start().await;
    network.peer("carol").ready().await;
    assert_eq!(network.peer("carol").status().await.network_id, before.network_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tracker_says_whether_all_peers_agree() {
    let network = Network::of(&["alice", "bob"]).await;
    network.peer("alice").mine().await;
    network.peer("alice").send("bob", Some(1), None).await;
    network.agreement().await;
    let tip = network.peer("alice").status().await.tip;
    until("the tracker sees that they agree", async || {
        let found: Agreement = network.tracker.get("/network/agreement").await;
        found.agree && found.best == tip && found.peers.iter().all(|peer| peer.ledger_count == 1)
    })
    .await;
}

/// Kills bob at another moment of a round each time, so often, with a round each second. Gives how long it took each time
/// until all knew.
async fn kills(times: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for time in 0..times {
        // A new network each time: a peer that dies over and over in one is held back.
        let settings = Settings { liveness: "1s", ..Settings::default() };
        let mut network = Network::with(settings, &["alice", "carol"]).await;
        network.add("bob").start_process();
        network.peer("bob").ready().await;
        network.everybody_knows_everybody().await;
        // Anywhere in a round: the golden ratio spreads any number of kills evenly.
        tokio::time::sleep(Duration::from_secs_f64(0.618 * time as f64 % 1.0)).await;
        network.peer_mut("bob").kill().await;
        let killed = Instant::now();
        for who in ["alice", "carol"] {
            let knows = async || {
                network.peer(who).record_of("bob").await.is_some_and(|record| record.state == PeerState::Offline)
            };
            while !knows().await {
                if killed.elapsed() > SOON {
                    let page: serde_json::Value = network.tracker.get("/timeline?limit=50").await;
                    panic!("kill {time}: {who} does not know it, and the tracker says {page}");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        took.push(killed.elapsed());
        let page: TimelinePage = network.tracker.get("/timeline?name=bob&limit=2").await;
        let kinds: Vec<TimelineKind> = page.events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [TimelineKind::Offline, TimelineKind::Suspected], "it was suspected first");
        // From the end of the first failed round to the end of the third: one interval at the very least, however late the
        // rounds are.
        let between = page.events[0].time - page.events[1].time;
        assert!(between >= 950, "offline {between} ms after the first failed round");
    }
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_known_to_all_after_the_third_failed_round_1_kill() {
    kills(1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour"]
#[expect(clippy::print_stdout, reason = "the figure is what it is run for")]
async fn a_death_is_known_to_all_within_the_promised_time_100_kills() {
    let mut took = kills(scaled(100.0) as usize).await;
    took.sort();
    let (count, longest) = (took.len(), took[took.len() - 1]);
    println!("{count} kills: known to all after {:?} (median), {longest:?} (longest)", took[count / 2]);
    let promised = Duration::from_secs(1).mul_f64(3.3) + Duration::from_secs(8);
    assert!(longest <= promised, "promised {promised:?}, took {took:?}");
}
