//! `GET /metrics` of a peer: it parses, its values move as they should, and it keeps the owner's secrets.

use axum::body::{Body, to_bytes};
use raclette_api::notice::ChangeKind;
use raclette_chain::testing::{BOB_PEM, key};
use serde_json::json;

use crate::{
    adversaries::{post, without_work},
    exposition::Exposition,
    history::branch,
    peer::{EASY, HARD, Peer, by_anybody, eventually, genesis},
};

async fn text(peer: &Peer) -> String {
    // Prometheus knows a service by whatever name; the host allow-list spares it.
    let request = by_anybody("GET", "http://prometheus.example/metrics").body(Body::empty()).unwrap();
    let answer = peer.stream(request).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn scrape(peer: &Peer) -> Exposition {
    Exposition::parse(&text(peer).await)
}

#[tokio::test]
async fn chain_ledger_and_mining_move_with_what_happens() {
    let alice = Peer::alice(EASY).await;
    let first = scrape(&alice).await;
    for series in [
        "raclette_chain_height",
        "raclette_chain_work",
        "raclette_chain_reorganisations_total",
        "raclette_ledger_transactions",
        "raclette_ledger_bytes",
        "raclette_mining_attempts_total",
        "raclette_mining_blocks_found_total",
    ] {
        assert_eq!(first.value(series), 0.0, "{series}");
    }
    alice.send(json!({"to": alice.address().to_string(), "message": "to myself"})).await;
    let pending = scrape(&alice).await;
    assert_eq!(pending.value("raclette_ledger_transactions"), 1.0);
    assert!(pending.value("raclette_ledger_bytes") > 500.0);
    alice.mine().await;
    let mined = scrape(&alice).await;
    assert_eq!(mined.value("raclette_chain_height"), 1.0);
    assert_eq!(mined.value("raclette_chain_stored_blocks"), 2.0);
    assert!(mined.value("raclette_chain_work") > 0.0 && mined.value("raclette_chain_tip_timestamp_seconds") > 1.7e9);
    assert_eq!(mined.value("raclette_ledger_transactions"), 0.0);
    assert!(mined.value("raclette_mining_attempts_total") >= 1.0);
    assert_eq!(mined.value("raclette_mining_blocks_found_total"), 1.0);
    assert_eq!(mined.value("raclette_mining_jobs_total{outcome=\"mined\"}"), 1.0);
    let own = "method=\"POST\",route=\"/mine\",status=\"2xx\"";
    assert_eq!(mined.value(&format!("raclette_http_request_duration_seconds_count{{{own}}}")), 1.0);
    assert!(mined.value("raclette_database_bytes") > first.value("raclette_database_bytes") / 2.0);
}

#[tokio::test]
async fn a_running_job_shows_its_hash_rate_and_a_cancelled_one_is_counted() {
    let alice = Peer::alice(HARD).await;
    let job = alice.own_post("/mine", &json!({"threads": 1})).await.expect(202, None).body;
    eventually("the hash rate shows", || async {
        let running = scrape(&alice).await;
        assert_eq!(running.value("raclette_mining_active"), 1.0);
        (running.value("raclette_mining_hashes_per_second") > 0.0).then_some(())
    })
    .await;
    alice.own_delete(&format!("/mine/{}", job["id"].as_str().unwrap())).await.ok();
    let ended = scrape(&alice).await;
    assert_eq!(ended.value("raclette_mining_active"), 0.0);
    assert_eq!(ended.value("raclette_mining_hashes_per_second"), 0.0);
    assert_eq!(ended.value("raclette_mining_jobs_total{outcome=\"cancelled\"}"), 1.0);
    assert!(ended.value("raclette_mining_attempts_total") > 0.0, "what the job tried stays counted");
}

#[tokio::test]
async fn reorganisations_are_counted() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.mine().await;
    for block in [bob.mine().await, bob.mine().await] {
        alice.learns(&bob, &block).await;
    }
    let after = scrape(&alice).await;
    assert_eq!(after.value("raclette_chain_reorganisations_total"), 1.0);
    assert_eq!(after.value("raclette_chain_height"), 2.0);
    assert_eq!(after.value("raclette_chain_reorganisation_alarm"), 0.0);
    assert_eq!(scrape(&bob).await.value("raclette_chain_reorganisations_total"), 0.0);
}

#[tokio::test]
async fn members_and_what_waits_for_them_are_told_apart() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    let online = scrape(&alice).await;
    assert_eq!(online.value("raclette_members{state=\"online\"}"), 1.0);
    assert_eq!(online.value("raclette_queue_requests_waiting"), 0.0);
    alice.hears_of(&bob, ChangeKind::Offline, 2).await;
    alice.send(json!({"to": "bob", "message": "wait for me"})).await;
    let offline = scrape(&alice).await;
    assert_eq!(offline.value("raclette_members{state=\"online\"}"), 0.0);
    assert_eq!(offline.value("raclette_members{state=\"offline\"}"), 1.0);
    assert_eq!(offline.value("raclette_membership_version"), 2.0);
    assert_eq!(offline.value("raclette_queue_requests_waiting"), 1.0);
    assert_eq!(offline.value("raclette_queue_destination_requests{destination=\"bob\",state=\"waiting\"}"), 1.0);
    let age = "raclette_queue_destination_oldest_request_age_seconds{destination=\"bob\"}";
    eventually("it grows older", || async { (scrape(&alice).await.value(age) > offline.value(age)).then_some(()) })
        .await;
}

#[tokio::test]
async fn bans_are_counted_and_nobody_is_named() {
    let alice = Peer::alice(EASY).await;
    let blocks = branch(&genesis(EASY).header(), 1, &key(BOB_PEM), 0);
    assert_eq!(scrape(&alice).await.value("raclette_bans_total"), 0.0);
    post(&alice, "192.0.2.66", None, &without_work(&alice, &blocks[0])).await;
    let after = text(&alice).await;
    assert!(!after.contains("192.0.2.66"), "{after}");
    let after = Exposition::parse(&after);
    assert_eq!(after.value("raclette_banned_sources"), 1.0);
    assert_eq!(after.value("raclette_bans_total"), 1.0);
}

#[tokio::test]
async fn the_owners_secrets_are_not_among_the_metrics_and_a_newcomer_has_some_too() {
    let newcomer = Peer::newcomer("bob", key(BOB_PEM)).await;
    let before = scrape(&newcomer).await;
    assert_eq!((before.find("raclette_chain_height"), before.value("raclette_sync_synced")), (None, 0.0));
    let alice = newcomer.joined(EASY).await;
    alice.mine().await;
    alice.send(json!({"to": alice.address().to_string(), "amount": 7, "message": "a secret word"})).await;
    let told = text(&alice).await;
    for secret in ["correct-horse", "secret", "balance", "PRIVATE", &alice.address().to_string()] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}
