//! Copies of the tracker's file: made while it works, and put back by `restore`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use raclette_service::{backup::RestoreError, data_dir::DataDirError};
use tracker_svc::restore;

use crate::support::{Peer, Tracker, data_dir};

#[tokio::test]
async fn a_restored_tracker_knows_whom_the_copy_knew() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let (alice, bob) = (Peer::alice().await, Peer::bob().await);
    let genesis = tracker.begin(&alice).await;
    assert_eq!(tracker.post("/backup", &()).await.code(), "token_missing");
    let made = tracker.operator("POST", "/backup").await;
    assert_eq!(made.status, 201, "{}", made.body);
    let contents = &made.body["contents"];
    assert_eq!((&made.body["service"], &contents["members"]), (&"tracker".into(), &1.into()));
    assert_eq!(contents["network_id"], genesis.network().to_string());
    assert_eq!(tracker.operator("GET", "/backups").await.body["backups"][0], made.body);
    let copy = directory.path().join("backups").join(made.body["name"].as_str().unwrap());
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);

    tracker.register(&bob).await;
    let refused = restore(directory.path(), &copy).await.unwrap_err();
    assert!(matches!(refused, RestoreError::DataDir(DataDirError::InUse { .. })), "{refused}");
    tracker.stop().await;
    let restored = restore(directory.path(), &copy).await.unwrap();
    assert_eq!(restored.contents.membership_version, contents["membership_version"].as_u64());

    let tracker = Tracker::start(directory.path()).await;
    let network = tracker.network().await;
    assert_eq!(network.network_id, Some(genesis.network().to_string()));
    assert_eq!(network.membership_version, contents["membership_version"].as_u64().unwrap());
    let names: Vec<_> = tracker.states().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["alice"], "bob came after the copy");
    tracker.register(&bob).await;
    assert_eq!(tracker.states().await.len(), 2, "and may come again");
    tracker.stop().await;
}
