//! Mining on command, and the word of others that they were first.

use axum::body::Body;
use raclette_api::{mining::MiningComplete, notice::ChangeKind};
use raclette_chain::{header::Header, time::Timestamp};
use serde_json::{Value, json};

use crate::peer::{EASY, HARD, Peer, by_owner, eventually, with_json};

#[tokio::test]
async fn a_job_can_be_followed_until_it_has_mined() {
    let alice = Peer::alice(EASY).await;
    let started = alice.own_post("/mine", &json!({"threads": 1})).await.expect(202, None);
    let location = started.header("location").to_owned();
    let job = eventually("the block is found", || async {
        let job = alice.own_get(&location).await.ok();
        (job["state"] == "done").then_some(job)
    });
    let job = job.await;
    assert_eq!((&job["outcome"], &job["height"]), (&json!("mined"), &json!(1)));
    assert!(job["attempts"].as_u64().unwrap() > 0 && job["expected_attempts"].as_f64().unwrap() > 60.0);
    assert_eq!(alice.get("/status").await.ok()["tip"]["hash"], job["block"]);
    assert_eq!(alice.own_get("/wallet").await.ok()["balance"], 50, "an empty ledger mines, and mining pays");
}

#[tokio::test]
async fn whoever_prefers_to_wait_gets_the_outcome_and_needs_no_body() {
    let alice = Peer::alice(EASY).await;
    let request = by_owner("POST", "/mine").header("prefer", "wait=30").body(Body::empty()).unwrap();
    let answer = alice.call(request).await.expect(200, None);
    assert_eq!((answer.header("preference-applied"), &answer.body["outcome"]), ("wait=30", &json!("mined")));
}

#[tokio::test]
async fn whoever_asks_for_a_job_may_wait_for_its_end() {
    let alice = Peer::alice(HARD).await;
    let started = alice.own_post("/mine", &json!({"threads": 1})).await.expect(202, None);
    let location = started.header("location").to_owned();
    let patient = |wait| by_owner("GET", &location).header("prefer", wait).body(Body::empty()).unwrap();
    let short = alice.call(patient("wait=0")).await.expect(200, None);
    assert_eq!((short.header("preference-applied"), &short.body["state"]), ("wait=0", &json!("searching")));
    let (ended, cancelled) = tokio::join!(alice.call(patient("wait=30")), alice.own_delete(&location));
    let ended = ended.expect(200, None);
    assert_eq!((ended.header("preference-applied"), &ended.body["outcome"]), ("wait=30", &json!("cancelled")));
    assert_eq!(cancelled.ok()["outcome"], "cancelled");
    let again = alice.call(patient("wait=30")).await.expect(200, None);
    assert_eq!(again.body["outcome"], "cancelled", "what is over is shown at once");
}

#[tokio::test]
async fn there_is_one_job_at_a_time_and_it_can_be_cancelled() {
    let alice = Peer::alice(HARD).await;
    let patient = with_json(by_owner("POST", "/mine").header("prefer", "wait=0"), &json!({"threads": 1}));
    let started = alice.call(patient).await.expect(202, None);
    assert_eq!((started.header("preference-applied"), &started.body["state"]), ("wait=0", &json!("searching")));
    let id = started.body["id"].as_str().unwrap();
    assert_eq!(alice.get("/status").await.ok()["mining"], true);
    let busy = alice.own_post("/mine", &json!({})).await.expect(409, Some("conflict"));
    assert_eq!(busy.body["job"], id);
    let cancelled = alice.own_delete(&format!("/mine/{id}")).await.ok();
    assert_eq!((&cancelled["state"], &cancelled["outcome"]), (&json!("done"), &json!("cancelled")));
    assert_eq!(alice.own_delete(&format!("/mine/{id}")).await.ok()["outcome"], "cancelled");
    assert_eq!(alice.get("/status").await.ok()["mining"], false);
    alice.own_get("/mine/0").await.expect(404, Some("unknown_job"));
    alice.own_delete("/mine/0").await.expect(404, Some("unknown_job"));
}

#[tokio::test]
async fn nobody_is_kept_waiting_when_the_peer_stops() {
    let alice = Peer::alice(HARD).await;
    let request = with_json(by_owner("POST", "/mine").header("prefer", "wait=30"), &json!({"threads": 1}));
    let started = std::time::Instant::now();
    let stop = async {
        eventually("the job runs", || async { (alice.get("/status").await.ok()["mining"] == true).then_some(()) })
            .await;
        alice.stopping.cancel();
    };
    let (answer, ()) = tokio::join!(alice.call(request), stop);
    assert_eq!(answer.expect(202, None).body["state"], "searching");
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}

/// The word of `miner` that it has found the block at this height.
async fn word(miner: &Peer, height: u32) -> Value {
    let page = miner.get(&format!("/chain/headers?from={height}&limit=1")).await.ok();
    let message = serde_json::from_value(page["headers"][0].clone()).unwrap();
    let header = Header::try_from(&message).unwrap();
    let now = Timestamp::new(raclette_service::clock::now_ms()).unwrap();
    json!(MiningComplete::signed(&header, &miner.network(), now, &miner.node.identity().key))
}

#[tokio::test]
async fn a_members_word_pauses_the_search_and_its_block_ends_it() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    let block = alice.mine().await;
    let answer = bob.post("/mining-complete", &word(&alice, 1).await).await.ok();
    assert_eq!(answer, json!({"accepted": true, "paused": false, "reason": "this peer is not mining"}));
    // Bob would find his own block at once, but for alice's word.
    let job = bob.own_post("/mine", &json!({})).await.expect(202, None);
    let location = job.header("location").to_owned();
    eventually("the search pauses", || async {
        (bob.own_get(&location).await.ok()["state"] == "paused").then_some(())
    })
    .await;
    assert_eq!(
        bob.post("/mining-complete", &word(&alice, 1).await).await.ok(),
        json!({"accepted": true, "paused": true})
    );
    assert_eq!(bob.learns(&alice, &block).await["status"], "accepted");
    let lost = eventually("the job ends", || async {
        let job = bob.own_get(&location).await.ok();
        (job["state"] == "done").then_some(job)
    });
    let lost = lost.await;
    assert_eq!(lost["outcome"], "lost_race");
    assert_eq!((&lost["winner"]["name"], &lost["winner"]["block"]), (&json!("alice"), &json!(block)));
    let again = bob.post("/mining-complete", &word(&alice, 1).await).await.ok();
    assert_eq!(again["reason"], "the block is here already");
}

#[tokio::test]
async fn a_word_counts_only_from_a_member_with_work_and_a_signature() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.mine().await;
    let good = word(&alice, 1).await;
    let answer = bob.post("/mining-complete", &good).await.ok();
    assert_eq!(answer["accepted"], false, "alice is no member that bob knows: {answer}");
    bob.hears_of(&alice, ChangeKind::Online, 1).await;

    let mut forged = good.clone();
    forged["time"] = json!(1);
    bob.post("/mining-complete", &forged).await.expect(403, Some("bad_signature"));
    let mut workless = good.clone();
    workless["header"].as_object_mut().unwrap().remove("hash");
    workless["header"]["target"] = json!("1d00ffff");
    let answer = bob.post("/mining-complete", &workless).await.ok();
    assert!(answer["reason"].as_str().unwrap().contains("expected target"), "{answer}");
    let mut elsewhere = good.clone();
    elsewhere["network_id"] = json!("ab".repeat(32));
    bob.post("/mining-complete", &elsewhere).await.expect(409, Some("wrong_network"));
    let mut unknown = good;
    unknown["protocol"] = json!(2);
    bob.post("/mining-complete", &unknown).await.expect(409, Some("unsupported_protocol"));

    alice.mine().await;
    let answer = bob.post("/mining-complete", &word(&alice, 2).await).await.ok();
    assert_eq!(answer["reason"], "the block before it is not known here");
}
