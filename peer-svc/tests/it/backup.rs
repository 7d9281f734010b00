//! Copies of the database: made while the peer works, sound, kept in bounded number, and put back by `restore`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::FutureExt as _;
use peer_svc::restore;
use raclette_service::{
    backup::{self, Contents, Inspect, RestoreError},
    data_dir::{DataDirError, Format},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    peer::{EASY, Peer, genesis},
    process::{Home, Process},
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Makes a copy; what the peer says of it.
async fn copy(peer: &Peer) -> Value {
    peer.own_post("/backup", &json!({})).await.expect(201, None).body
}

#[tokio::test]
async fn a_copy_is_private_and_describes_what_it_holds() {
    let alice = Peer::alice(EASY).await;
    let empty = copy(&alice).await;
    assert_eq!((&empty["service"], &empty["contents"]["height"]), (&json!("peer"), &json!(0)));
    alice.mine().await;
    alice.send(json!({"to": alice.address().to_string(), "amount": 7, "message": "a word"})).await;
    let made = copy(&alice).await;
    let tip = alice.get("/status").await.ok()["tip"].clone();
    let contents = &made["contents"];
    assert_eq!((&contents["height"], &contents["tip"]), (&tip["height"], &tip["hash"]));
    assert_eq!(
        (&contents["state_hash"], &contents["network_id"]),
        (&tip["state_hash"], &json!(alice.network().to_string()))
    );
    assert_eq!(made["address"], json!(alice.address().to_string()));
    let folder = alice.file().with_file_name("backups");
    let file = folder.join(made["name"].as_str().unwrap());
    assert_eq!((mode(&folder), mode(&file), mode(&file.with_extension("json"))), (0o700, 0o600, 0o600));
    assert_eq!(made["bytes"], json!(fs::metadata(&file).unwrap().len()));
    let listed = alice.own_get("/backups").await.ok();
    assert_eq!(listed, json!({"backups": [made, empty], "most": 3}), "newest first");
    let bytes = fs::read(&file).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(holds(alice.network().to_string().as_bytes()) || holds(b"genesis"), "the search finds what is there");
    assert!(!holds(b"PRIVATE KEY") && !holds(b"a word"), "neither the key nor what it opens");
}

#[tokio::test]
async fn only_the_newest_are_kept_and_nothing_unfinished_is_left() {
    let alice = Peer::alice(EASY).await;
    fs::create_dir(alice.file().with_file_name("backups")).unwrap();
    let unfinished = alice.file().with_file_name("backups/.unfinished.sqlite");
    fs::write(&unfinished, "what a crash left behind").unwrap();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(copy(&alice).await);
    }
    made.reverse();
    assert_eq!(alice.own_get("/backups").await.ok()["backups"], json!(made[..3]));
    let files = fs::read_dir(unfinished.parent().unwrap()).unwrap().count();
    assert_eq!(files, 6, "three copies, each with its description");
}

#[tokio::test]
async fn copies_belong_to_the_owner() {
    let alice = Peer::alice(EASY).await;
    alice.get("/backups").await.expect(401, Some("token_missing"));
    alice.post("/backup", &json!({})).await.expect(401, Some("token_missing"));
    assert_eq!(alice.own_get("/backups").await.ok()["backups"], json!([]), "nothing was made");
}

#[tokio::test]
async fn what_is_not_sound_is_not_kept_as_a_copy() {
    let alice = Peer::alice(EASY).await;
    alice.mine().await;
    // A balance is changed behind the peer's back: SQLite finds nothing wrong with that, the checksum does.
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", alice.file().display())).await.unwrap();
    sqlx::query("update accounts set balance = balance + 1").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let made = alice.own_post("/backup", &json!({})).await.expect(500, Some("storage_damaged"));
    assert!(made.body["detail"].as_str().unwrap().contains("checksum"), "{made:?}");
    assert_eq!(alice.own_get("/backups").await.ok()["backups"], json!([]));
    assert_eq!(fs::read_dir(alice.file().with_file_name("backups")).unwrap().count(), 0);
}

/// Waits for a block, and returns the tip.
async fn mine(peer: &Process) -> Value {
    let job = peer.post_and_wait("/mine", &json!({})).await.unwrap();
    assert_eq!(job["outcome"], "mined", "{job}");
    peer.get("/status").await.unwrap()["tip"].clone()
}

/// A home whose peer has mined two blocks, been copied and mined a third; the copy, and the tip that it holds.
async fn copied() -> (Home, Process, PathBuf, Value) {
    let home = Home::in_network(&genesis(EASY), &[]).await;
    let mut peer = home.start(None);
    peer.serves().await.unwrap();
    mine(&peer).await;
    let tip = mine(&peer).await;
    let made = peer.post("/backup", &Value::Null).await.unwrap();
    assert_eq!((&made["contents"]["tip"], &made["contents"]["state_hash"]), (&tip["hash"], &tip["state_hash"]));
    let copy = home.path().join("backups").join(made["name"].as_str().unwrap());
    assert_eq!(mine(&peer).await["height"], 3);
    (home, peer, copy, tip)
}

#[tokio::test]
async fn a_restored_peer_has_the_tip_and_the_state_of_the_copy_and_goes_on() {
    let (home, mut peer, copy, tip) = copied().await;
    let refused = restore(home.path(), &copy).await.unwrap_err();
    assert!(matches!(refused, RestoreError::DataDir(DataDirError::InUse { .. })), "{refused}");
    peer.kill().await;
    let restored = restore(home.path(), &copy).await.unwrap();
    assert_eq!(restored.contents.state_hash.as_deref(), tip["state_hash"].as_str());
    assert!(restored.described.is_some_and(|described| described.contents == restored.contents));
    assert!(restored.aside.is_some_and(|aside| aside.exists()), "what was there is kept");
    assert_eq!(mode(&home.database()), 0o600);
    let mut peer = home.start(None);
    peer.serves().await.unwrap();
    let found = peer.get("/status").await.unwrap()["tip"].clone();
    assert_eq!(found, tip, "tip, work, time and state hash are those of the copy");
    assert_eq!(mine(&peer).await["height"], 3, "it goes on from there");
    peer.kill().await;
}

#[tokio::test]
async fn a_copy_that_was_changed_or_is_another_services_is_refused_and_changes_nothing() {
    let (home, mut peer, copy, _) = copied().await;
    peer.kill().await;
    let before = fs::read(home.database()).unwrap();
    let whole = fs::read(&copy).unwrap();
    let mut bytes = whole.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&copy, bytes).unwrap();
    let refused = restore(home.path(), &copy).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Changed { .. }), "{refused}");
    fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
    fs::remove_file(copy.with_extension("json")).unwrap();
    let refused = restore(home.path(), &copy).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Unsound { .. }), "without its description, SQLite tells: {refused}");
    fs::write(&copy, &whole).unwrap();
    let refused = tracker_restore(home.path(), &copy).await;
    assert!(matches!(refused, RestoreError::DataDir(DataDirError::Foreign { .. })), "{refused}");
    assert_eq!(fs::read(home.database()).unwrap(), before);
    assert!(!home.path().join("restoring.sqlite").exists(), "nothing is left");
    restore(home.path(), &copy).await.unwrap();
}

/// What a tracker would say to it.
async fn tracker_restore(directory: &Path, copy: &Path) -> RestoreError {
    let format = Format { service: "tracker", version: 1 };
    let inspect: Inspect = Arc::new(|_| async { Ok(Contents::default()) }.boxed());
    backup::restore(directory, format, "tracker.sqlite", copy, &inspect).await.unwrap_err()
}
