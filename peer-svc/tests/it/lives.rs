//! What happened: lives of transactions, the journal of reorganisations, and the audit.

use axum::body::Body;
use raclette_api::notice::ChangeKind;
use raclette_chain::{amount::Amount, time::Timestamp};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    explain::{as_json, signed},
    peer::{EASY, Peer, by_anybody},
};

/// Alice with 50, and bob who knows her and her block.
async fn two() -> (Peer, Peer) {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    let block = alice.mine().await;
    assert_eq!(bob.learns(&alice, &block).await["status"], "accepted");
    (alice, bob)
}

/// The events in the life of a transaction, by name; their times must be in order.
async fn life(peer: &Peer, id: &str) -> (Vec<String>, Value) {
    let answer = peer.get(&format!("/tx/{id}")).await.ok();
    let events = answer["life"].as_array().unwrap();
    let times: Vec<_> = events.iter().map(|event| event["time"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{answer}");
    (events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect(), answer)
}

async fn learn_all(peer: &Peer, other: &Peer, heights: std::ops::RangeInclusive<u32>) {
    for height in heights {
        peer.learns(other, &height.to_string()).await;
    }
}

#[tokio::test]
async fn whoever_prefers_to_wait_learns_that_a_block_holds_it() {
    let alice = Peer::alice(EASY).await;
    let sent = alice.send(json!({"to": "alice", "message": "hello"})).await;
    let path = format!("/tx/{}", sent["transaction"]["id"].as_str().unwrap());
    let patient = |wait| by_anybody("GET", &path).header("prefer", wait).body(Body::empty()).unwrap();
    let short = alice.call(patient("wait=0")).await.expect(200, None);
    assert_eq!((short.header("preference-applied"), &short.body["status"]), ("wait=0", &json!("pending")));
    let (confirmed, _) = tokio::join!(alice.call(patient("wait=30")), alice.mine());
    let confirmed = confirmed.expect(200, None);
    assert_eq!((confirmed.header("preference-applied"), &confirmed.body["status"]), ("wait=30", &json!("confirmed")));
    assert_eq!(alice.call(patient("wait=30")).await.ok()["height"], 1, "what is confirmed is shown at once");
    let unknown = by_anybody("GET", &format!("/tx/{}", "0".repeat(64))).header("prefer", "wait=30");
    alice.call(unknown.body(Body::empty()).unwrap()).await.expect(404, Some("unknown_transaction"));
}

#[tokio::test]
async fn a_life_goes_from_pending_to_confirmed_and_through_a_reorganisation() {
    let (alice, bob) = two().await;
    let id = alice.send(json!({"to": "bob", "amount": 5})).await["transaction"]["id"].as_str().unwrap().to_owned();
    assert_eq!(life(&alice, &id).await.0, ["pending"]);
    let first = alice.mine().await;
    let (events, answer) = life(&alice, &id).await;
    assert_eq!(events, ["pending", "confirmed"]);
    assert_eq!((&answer["life"][1]["block"], &answer["life"][1]["height"]), (&json!(first), &json!(2)));

    for _ in 0..2 {
        bob.mine().await;
    }
    learn_all(&alice, &bob, 2..=3).await;
    let (events, answer) = life(&alice, &id).await;
    assert_eq!(events, ["pending", "confirmed", "returned"]);
    assert_eq!((&answer["status"], &answer["life"][2]["block"]), (&json!("pending"), &json!(first)));

    let second = alice.mine().await;
    let (events, answer) = life(&alice, &id).await;
    assert_eq!(events, ["pending", "confirmed", "returned", "confirmed"]);
    assert_eq!((&answer["life"][3]["block"], &answer["life"][3]["height"]), (&json!(second), &json!(4)));
    assert_eq!(answer["confirmations"], 1);
}

#[tokio::test]
async fn what_is_gone_is_told_with_the_reason() {
    let (alice, bob) = two().await;
    let fee = |units| Amount::new(units).unwrap();
    let (cheap, dear) = (signed(&bob, |_| {}), signed(&bob, |one| one.fee = fee(2)));
    let expiring = signed(&bob, |one| (one.sequence, one.valid_until) = (1, 2));
    for one in [&cheap, &expiring, &dear] {
        bob.post("/tx", &as_json(one)).await.expect(201, None);
    }
    let (events, answer) = life(&bob, &cheap.id().to_string()).await;
    assert_eq!(events, ["pending", "replaced"]);
    assert_eq!((&answer["status"], &answer["life"][1]["by"]), (&json!("dropped"), &json!(dear.id().to_string())));
    assert!(answer["reason"].as_str().unwrap().contains(&dear.id().to_string()), "{answer}");

    // Alice, who has seen none of them, confirms another transaction with the same sequence number; height 2 passes.
    let rival = signed(&bob, |one| one.amount = fee(3));
    alice.post("/tx", &as_json(&rival)).await.expect(201, None);
    alice.mine().await;
    learn_all(&bob, &alice, 2..=2).await;
    let (events, answer) = life(&bob, &dear.id().to_string()).await;
    assert_eq!(events, ["pending", "refused"]);
    let last = &answer["life"][1];
    assert_eq!((&last["rule"], &last["by"]), (&json!("wrong_sequence"), &json!(rival.id().to_string())));
    let (events, answer) = life(&bob, &expiring.id().to_string()).await;
    assert_eq!(events, ["pending", "expired"]);
    assert_eq!(answer["life"][1]["rule"], "expired", "{answer}");
    assert_eq!(answer["transaction"]["signature"], as_json(&expiring)["signature"], "it still answers");

    // One that this peer never had is not remembered; the owner's own is.
    let strangers = signed(&bob, |one| one.created = Timestamp::new(1).unwrap());
    bob.post("/tx", &as_json(&strangers)).await.expect(409, Some("transaction_refused"));
    bob.get(&format!("/tx/{}", strangers.id())).await.expect(404, Some("unknown_transaction"));
    alice.post("/tx", &as_json(&strangers)).await.expect(409, Some("transaction_refused"));
    let (events, answer) = life(&alice, &strangers.id().to_string()).await;
    assert_eq!((events.as_slice(), &answer["life"][0]["rule"]), (&["refused".to_owned()][..], &json!("too_old")));
}

#[tokio::test]
async fn the_journal_says_what_lost_to_what_and_what_became_of_the_transactions() {
    let (alice, bob) = two().await;
    let ancestor = alice.get("/block/1").await.ok()["header"]["hash"].clone();
    let [returning, moving, losing] = [0, 1, 2]
        .map(|number| signed(&bob, |one| (one.sequence, one.amount) = (number, Amount::new(number + 1).unwrap())));
    // Alice's branch holds all three, in an order of the numbers 0 to 2; bob's holds the first, and a rival of the second.
    for one in [&returning, &moving, &losing] {
        alice.post("/tx", &as_json(one)).await.expect(201, None);
    }
    let lost = alice.mine().await;
    let rival = signed(&bob, |one| (one.sequence, one.amount) = (1, Amount::new(9).unwrap()));
    for one in [&returning, &rival] {
        bob.post("/tx", &as_json(one)).await.expect(201, None);
    }
    let won = [bob.mine().await, bob.mine().await];
    learn_all(&alice, &bob, 2..=3).await;

    let page = alice.get("/reorgs").await.ok();
    let entry = &page["reorgs"][0];
    assert_eq!(page["reorgs"].as_array().unwrap().len(), 1);
    assert_eq!(entry["ancestor"], json!({"height": 1, "hash": ancestor}));
    assert_eq!((&entry["depth"], &entry["alarm"]), (&json!(1), &json!(false)));
    assert_eq!(entry["lost"], json!([{"height": 2, "hash": lost}]));
    // The first of them wins alone if its hash happens to be the lower one.
    let both = [json!({"height": 2, "hash": won[0]}), json!({"height": 3, "hash": won[1]})];
    let found = entry["won"].as_array().unwrap();
    assert!(!found.is_empty() && both.starts_with(found), "{entry}");
    assert_eq!(entry["won_count"], json!(found.len()));
    assert_eq!(entry["moved"], json!([returning.id().to_string()]), "both branches hold it");
    assert_eq!(entry["returned"], json!([losing.id().to_string()]));
    assert_eq!(entry["not_returned"][0]["id"], json!(moving.id().to_string()));
    assert_eq!(entry["not_returned"][0]["rule"], "wrong_sequence");
    assert_eq!(entry["not_returned"][0]["by"], json!(rival.id().to_string()));
    let counts = ["moved_count", "returned_count", "not_returned_count"].map(|count| entry[count].as_u64());
    assert_eq!(counts, [Some(1); 3]);
    assert_eq!(life(&alice, &returning.id().to_string()).await.0, ["pending", "confirmed", "moved", "confirmed"]);
    let (events, _) = life(&alice, &moving.id().to_string()).await;
    assert_eq!(events, ["pending", "confirmed", "refused"]);
    assert!(bob.get("/reorgs").await.ok()["reorgs"].as_array().unwrap().is_empty(), "bob's branch only grew");
    assert!(alice.get("/status").await.ok().get("reorganisation_alarm").is_none(), "one block is no reason for alarm");
}

#[tokio::test]
async fn the_journal_comes_in_pages_and_a_deep_reorganisation_raises_an_alarm() {
    let (alice, bob) = two().await;
    // Branches in turn: bob's with two blocks wins over alice's with one, and so on; then alice loses seven at once.
    alice.mine().await;
    for _ in 0..2 {
        bob.mine().await;
    }
    learn_all(&alice, &bob, 2..=3).await;
    assert_eq!(alice.get("/readyz").await.body["checks"][4], json!({"name": "chain", "state": "ok"}));
    for _ in 0..7 {
        alice.mine().await;
    }
    for _ in 0..8 {
        bob.mine().await;
    }
    learn_all(&alice, &bob, 4..=11).await;
    assert_eq!(alice.get("/status").await.ok()["tip"]["height"], 11);

    let first = alice.get("/reorgs?limit=1").await.ok();
    let deep = &first["reorgs"][0];
    assert_eq!((&deep["depth"], &deep["alarm"], &deep["ancestor"]["height"]), (&json!(7), &json!(true), &json!(3)));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = alice.get(&format!("/reorgs?limit=1&cursor={cursor}")).await.ok();
    assert_eq!(second["reorgs"][0]["depth"], 1);
    assert!(second.get("next_cursor").is_none());
    let alarm = alice.get("/status").await.ok()["reorganisation_alarm"].clone();
    assert_eq!((&alarm["depth"], &alarm["id"], &alarm["time"]), (&json!(7), &deep["id"], &deep["time"]));
    let check = alice.get("/readyz").await.body["checks"][4].clone();
    assert_eq!((&check["name"], &check["state"]), (&json!("chain"), &json!("degraded")), "{check}");
    for query in ["limit=0", "limit=101", "cursor=x"] {
        alice.get(&format!("/reorgs?{query}")).await.expect(400, Some("invalid_parameter"));
    }
}

/// Alice with four blocks and two payments, audited and sound.
async fn audited() -> Peer {
    let (alice, bob) = two().await;
    for sequence in 0..2 {
        alice.post("/tx", &as_json(&signed(&bob, |one| one.sequence = sequence))).await.expect(201, None);
        alice.mine().await;
    }
    let report = alice.own_get("/audit").await.ok();
    assert_eq!(report["sound"], true, "{report}");
    let status = alice.get("/status").await.ok();
    assert_eq!(report["state_hash"], status["tip"]["state_hash"]);
    assert_eq!(report["tip"]["hash"], status["tip"]["hash"]);
    assert_eq!((&report["blocks"], &report["transactions"]), (&json!(3), &json!(2)));
    assert_eq!((&report["issued"], &report["balances"], &report["accounts"]), (&json!(150), &json!(150), &json!(2)));
    alice
}

/// Damages the file behind the peer's back.
async fn damage(peer: &Peer, sql: &'static str) {
    let url = format!("sqlite://{}", peer.file().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_audit_finds_a_flipped_balance() {
    let alice = audited().await;
    damage(&alice, "update accounts set balance = balance + 1 where balance < 100").await;
    let report = alice.own_get("/audit").await.ok();
    assert_eq!(report["sound"], false);
    assert!(report.get("bad_block").is_none(), "{report}");
    let stored = &report["stored_accounts"];
    assert_eq!((&stored["differences"], &report["working_accounts"]["differences"]), (&json!(1), &json!(0)));
    let first = &stored["first"][0];
    assert_eq!((&first["balance"], &first["seen_balance"]), (&json!(20), &json!(21)));
    damage(&alice, "update accounts set balance = -3 where balance = 21").await;
    let report = alice.own_get("/audit").await.ok();
    assert_eq!(report["sound"], false);
    assert!(report["stored_accounts"]["unreadable"].as_str().unwrap().contains("-3"), "{report}");
}

#[tokio::test]
async fn an_audit_finds_damaged_blocks_and_state_hashes() {
    let cases = [
        (
            "update blocks set body = cast(substr(body, 1, 39) || x'07' || substr(body, 41) as blob) where height = 2",
            "wrong_merkle_root",
        ),
        ("update blocks set body = substr(body, 1, 300) where height = 2", "damaged"),
        ("update blocks set header = cast(substr(header, 1, 91) || x'07' as blob) where height = 2", "damaged"),
        ("update blocks set state_hash = zeroblob(32) where height = 2", "wrong_state_hash"),
        ("delete from blocks where height = 2", "damaged"),
    ];
    for (sql, rule) in cases {
        let alice = audited().await;
        damage(&alice, sql).await;
        let report = alice.own_get("/audit").await.ok();
        assert_eq!(report["sound"], false, "{sql}");
        let bad = &report["bad_block"];
        assert_eq!((&bad["height"], &bad["rule"], &report["blocks"]), (&json!(2), &json!(rule), &json!(1)), "{report}");
    }
}

#[tokio::test]
async fn an_audit_of_nothing_but_the_genesis_block_is_sound_and_only_the_owner_may_ask() {
    let alice = Peer::alice(EASY).await;
    let report = alice.own_get("/audit").await.ok();
    assert_eq!((&report["sound"], &report["blocks"], &report["issued"]), (&json!(true), &json!(0), &json!(0)));
    assert_eq!(report["tip"]["hash"], json!(alice.network().to_string()));
    alice.get("/audit").await.expect(401, Some("token_missing"));
}
