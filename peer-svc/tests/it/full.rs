//! The disk is full: whatever would write is refused with 507, reading goes on, and everything goes on by itself as soon as
//! there is room.

use raclette_api::{
    block::BlockMessage,
    chain::{SyncState, SyncStatus},
    notice::ChangeKind,
};
use raclette_chain::testing::{ALICE_PEM, key};
use raclette_service::problem::Code;
use rand::{SeedableRng as _, rngs::StdRng};
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use tokio::process::Command;

use crate::{
    file::File,
    peer::{EASY, Peer, eventually, genesis},
    process::Home,
    world::{World, messages},
};

const LONG: usize = 4_000;

/// What a peer said of its storage.
fn storage(ready: &Value) -> &str {
    let checks = ready["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "storage").unwrap()["state"].as_str().unwrap()
}

#[tokio::test]
async fn a_full_disk_stops_what_writes_and_nothing_else_until_there_is_room() {
    let alice = Peer::with_pages("alice", key(ALICE_PEM), 120).await;
    alice.node.found(genesis(EASY)).await.unwrap();
    let bob = Peer::bob(EASY).await;
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    let block = alice.mine().await;
    bob.learns(&alice, &block).await;
    let foreign = bob.send(json!({"to": "alice", "message": "from bob"})).await["transaction"].clone();
    let next = bob.mine().await;
    let mut next = bob.get(&format!("/block/{next}")).await.ok();
    next.as_object_mut().unwrap().retain(|name, _| name != "work" && name != "state_hash");

    // She sends until there is no room.
    let order = json!({"to": "bob", "message": "x".repeat(LONG)});
    let mut acknowledged = Vec::new();
    let refused = loop {
        let answer = alice.own_post("/send", &order).await;
        if answer.status != 201 {
            break answer;
        }
        acknowledged.push(answer.body["transaction"]["id"].as_str().unwrap().to_owned());
    };
    assert!(!acknowledged.is_empty());
    let refused = refused.expect(507, Some("storage_full"));
    assert!(refused.body["mend"].as_str().unwrap().contains("free some space"), "{refused:?}");

    let notice = crate::peer::notice(
        &alice.network(),
        vec![crate::peer::change(&bob, ChangeKind::Offline, 2)],
        &crate::peer::tracker(),
    );
    assert_eq!(alice.get("/peers").await.ok()["peers"][0]["state"], "online");
    let row = alice.own_get("/queue").await.ok()["entries"][0]["id"].clone();
    for (path, body) in [
        ("/tx", &foreign),
        ("/block", &next),
        ("/peers", &notice),
        ("/send", &order),
        ("/mine", &json!({})),
        (&*format!("/queue/{row}/retry"), &json!({})),
    ] {
        let answer = alice.own_post(path, body).await;
        assert_eq!(answer.status.as_u16(), 507, "{path}: {answer:?}");
        answer.expect(507, Some("storage_full"));
    }
    alice.own_delete(&format!("/queue/{row}")).await.expect(507, Some("storage_full"));

    // Reading goes on, and nothing that was acknowledged is missing.
    for path in ["/status", "/chain", "/ledger", "/peers", "/block/1", "/healthz"] {
        alice.get(path).await.ok();
    }
    alice.own_get("/wallet").await.ok();
    alice.own_get("/messages").await.ok();
    for id in &acknowledged {
        assert_eq!(alice.get(&format!("/tx/{id}")).await.ok()["status"], "pending");
    }
    alice.status.set_sync(SyncStatus::at_rest(SyncState::Synced, 1));
    let ready = alice.get("/readyz").await.ok();
    assert_eq!((&ready["status"], storage(&ready)), (&json!("degraded"), "degraded"), "{ready}");

    // There is room again: nobody has to tell her.
    let mut other = SqliteConnectOptions::new().filename(alice.file()).connect().await.unwrap();
    sqlx::query("delete from filler").execute(&mut other).await.unwrap();
    eventually("she goes on", || async { (storage(&alice.get("/readyz").await.ok()) == "ok").then_some(()) }).await;
    // A notice that could not be stored is news when it comes again.
    assert_eq!(alice.post("/peers", &notice).await.ok(), json!({"applied": 1, "stale": 0}));
    assert_eq!(alice.get("/peers").await.ok()["peers"][0]["state"], "offline");
    assert_eq!(alice.post("/block", &next).await.ok()["status"], "accepted");
    alice.send(json!({"to": "bob", "message": "at last"})).await;
    alice.mine().await;
    for id in &acknowledged {
        assert_eq!(alice.get(&format!("/tx/{id}")).await.ok()["status"], "confirmed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_cannot_write_to_its_file_goes_on_when_it_can() {
    let mut random = StdRng::seed_from_u64(5);
    let mut world = World::new();
    let home = Home::in_network(&world.genesis, &world.members()).await;
    // The system's limit for the size of a file stands for the end of the disk; without the trap its signal would end the
    // peer, as no full disk does.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_peer-svc")]);
    let mut process = home.start_with(shell, &[], None);
    process.serves().await.unwrap();
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: None };
    prlimit(Some(process.pid()), Resource::Fsize, limit(600 << 10)).unwrap();

    let mut tip = world.genesis_hash();
    for block in world.mine_first_blocks() {
        tip = block.hash();
        process.post("/block", &BlockMessage::full(&block, &world.rules.network)).await.unwrap();
    }
    let mut acknowledged = Vec::new();
    let refused = loop {
        let signed: Vec<_> = (0..5).filter_map(|_| world.sign(&tip, &mut random)).collect();
        let block = world.mine(&tip, &mut random);
        if let Err(error) = process.post("/tx", &messages(&signed)).await {
            break error;
        }
        acknowledged.extend(signed.iter().map(|transaction| transaction.id().to_string()));
        if let Err(error) = process.post("/block", &BlockMessage::full(&block, &world.rules.network)).await {
            break error;
        }
        tip = block.hash();
    };
    assert_eq!(refused.code(), Some(Code::StorageFull), "{refused}");
    assert_eq!(process.get("/status").await.unwrap()["tip"]["hash"], tip.to_string());
    let refused = process.post("/mine", &json!({})).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::StorageFull), "{refused}");

    prlimit(Some(process.pid()), Resource::Fsize, limit(1 << 30)).unwrap();
    let job = eventually("it mines again", || async { process.post_and_wait("/mine", &json!({})).await.ok() }).await;
    assert_eq!(job["outcome"], "mined", "{job}");
    process.signal(Signal::TERM);
    assert!(process.ended().await.success(), "{}", process.log());
    assert!(!process.log().contains("panicked"), "{}", process.log());
    let file = File::read(&home.database(), &world.rules.network).await;
    for id in acknowledged {
        assert!(file.ledger.contains(&id) || file.confirmed.contains(&id), "{id} was acknowledged and is lost");
    }
}
