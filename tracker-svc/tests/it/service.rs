//! Start, stop, restart, and what the service says about itself.

use raclette_api::notice::ChangeKind;
use tokio_util::sync::CancellationToken;

use crate::support::{Peer, Tracker, data_dir, eventually, tracker_address};

#[tokio::test]
async fn a_restart_forgets_nobody() {
    let directory = data_dir();
    let quick = ["--liveness-interval", "150ms", "--reward", "25"];
    let tracker = Tracker::start_with(directory.path(), &quick).await;
    let (alice, bob, carol) = (Peer::alice().await, Peer::bob().await, Peer::carol().await);
    let parameters = raclette_chain::parameters::Parameters::try_from(&tracker.network().await.parameters).unwrap();
    tracker.register(&alice).await;
    let genesis = raclette_chain::genesis::Genesis { parameters, time: crate::support::now() };
    let report = raclette_api::network::GenesisReport::signed(&genesis, crate::support::now(), &alice.inner.key);
    assert_eq!(tracker.post("/genesis", &report).await.status, 201);
    tracker.register(&bob).await;
    tracker.register(&carol).await;
    carol.down(true);
    eventually!(alice.was_told("carol", ChangeKind::Offline));
    let members = [("alice", "online"), ("bob", "online"), ("carol", "offline")];
    let members = members.map(|(name, state)| (name.to_owned(), state.to_owned()));
    eventually!(tracker.states().await == members);
    let before = tracker.network().await;
    tracker.stop().await;

    let tracker = Tracker::start(directory.path()).await;
    let after = tracker.network().await;
    assert_eq!(tracker.states().await, members);
    assert_eq!((after.network_id, after.tracker_key), (before.network_id, before.tracker_key));
    assert_eq!(after.parameters, before.parameters, "without any flag");
    assert_eq!(after.tracker, tracker_address().to_string());
    assert!(after.membership_version >= before.membership_version);
    tracker.stop().await;
}

#[tokio::test]
async fn it_stops_in_time_while_a_newcomer_is_being_called_back() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    let alice = Peer::alice().await;
    let hold = CancellationToken::new();
    *alice.inner.hold.lock().unwrap() = Some(hold.clone());
    let request = tracker.http.post(format!("{}/register", tracker.url)).json(&alice.registration()).send();
    let waiting = tokio::spawn(request);
    tracker.stop().await;
    hold.cancel();
    // Whatever it got, it got an answer or a closed connection, and not for ever nothing.
    let outcome = waiting.await.unwrap();
    assert!(outcome.is_err() || outcome.unwrap().status().as_u16() >= 400);
}

#[tokio::test]
async fn it_says_what_it_is_and_how_it_fares() {
    let directory = data_dir();
    let tracker = Tracker::start(directory.path()).await;
    assert_eq!(tracker.get("/healthz").await.status, 200);
    let ready = tracker.get("/readyz").await.body;
    let names: Vec<_> =
        ready["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["database", "register", "connection"]);
    let served = tracker.get("/openapi.json").await.body;
    assert_eq!(served, serde_json::to_value(tracker_svc::http::openapi()).unwrap());
    let paths: Vec<_> = served["paths"].as_object().unwrap().keys().cloned().collect();
    for path in
        ["/network", "/genesis", "/register", "/leave", "/peers", "/names/{name}", "/queue", "/healthz", "/readyz"]
    {
        assert!(paths.iter().any(|known| known == path), "{path} is missing in {paths:?}");
    }
    let page = tracker.http.get(format!("{}/docs", tracker.url)).send().await.unwrap();
    assert!(page.url().path().starts_with("/docs"));
    assert!(page.text().await.unwrap().contains("<title>raclette - Raclette tracker</title>"));
    let lost = tracker.get("/nowhere").await;
    assert_eq!((lost.status, lost.code()), (404, "not_found"));
    let address = tracker.http.get(format!("{}/network", tracker.url)).send().await.unwrap();
    assert_eq!(address.headers()["raclette-address"], tracker_address().to_string());
    tracker.stop().await;
}

#[tokio::test]
async fn a_second_tracker_on_the_same_directory_is_told_how_to_mend_that() {
    let directory = data_dir();
    let start = || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tracker-svc"));
        let data = directory.path().to_str().unwrap();
        command.env_clear().args(["--port", "0", "--data-dir", data]).stderr(std::process::Stdio::piped());
        command.kill_on_drop(true).spawn().unwrap()
    };
    let first = start();
    let process = first.id().unwrap().to_string();
    let lock = directory.path().join("lock");
    eventually!(std::fs::read_to_string(&lock).is_ok_and(|holder| holder.trim() == process));
    let second = start().wait_with_output().await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8(second.stderr).unwrap();
    let expected = format!(
        "the data directory {} is in use by another process (process {process}); stop it, or choose another with --data-dir",
        directory.path().display()
    );
    assert!(told.contains(&expected), "{told}");
}
