//! What the network does by itself if it is told to, and what its program does with copies.

use std::{collections::BTreeSet, process::Output};

use serde_json::Value;
use tokio::process::Command;

use crate::{
    kit::{self, SOON, eventually, free_ports, until},
    program::{Program, RUNNING},
};

async fn get(port: u16, path: &str) -> Value {
    kit::http::get(port, path, None).await.unwrap()
}

async fn height(port: u16) -> u64 {
    get(port, "/status").await["tip"]["height"].as_u64().unwrap()
}

/// The owner's command by curl.
async fn owner(program: &Program, name: &str, port: u16, arguments: &str, path: &str) -> Value {
    let token = format!("-H \"Authorization: Bearer $(cat raclette-data/{name}/token)\"");
    let curl = format!("curl -sS --fail-with-body {token} {arguments} http://127.0.0.1:{port}{path}");
    serde_json::from_str(&program.shell(&curl).await).unwrap()
}

/// How many transactions of others than miners are confirmed.
async fn confirmed(port: u16) -> usize {
    let page = get(port, "/chain?limit=100").await;
    let blocks = page["blocks"].as_array().unwrap().iter();
    blocks.map(|block| block["transactions"].as_array().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_come_by_themselves_and_the_peers_take_turns() {
    let program = Program::start(&["--auto-mine", "200ms"]);
    program.says(RUNNING).await;
    program.says("By itself: a block is mined every 200ms").await;
    let alice = program.base_port + 1;
    let miners = eventually("two peers have mined", SOON, async || {
        let page = get(alice, "/chain?limit=100").await;
        let blocks = page["blocks"].as_array()?.iter();
        let miners: BTreeSet<_> =
            blocks.filter_map(|block| block["reward"]["miner"].as_str().map(str::to_owned)).collect();
        (miners.len() >= 2).then_some(miners)
    })
    .await;
    assert!(miners.iter().all(|miner| miner.starts_with("rac1")), "{miners:?}");
    assert!(height(alice).await >= 2);
    program.quits().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_confirmed_without_a_word() {
    let mut program = Program::start(&["--mine-on-send"]);
    program.says(RUNNING).await;
    let alice = program.base_port + 1;
    assert_eq!(height(alice).await, 0, "nothing waits, nothing is mined");
    let json = "-H 'Content-Type: application/json' -d '{\"to\":\"bob\",\"message\":\"at once\"}'";
    let sent = owner(&program, "alice", alice, json, "/send").await;
    let path = format!("/tx/{}", sent["transaction"]["id"].as_str().unwrap());
    until("it is confirmed", async || get(alice, &path).await["confirmations"].as_u64() >= Some(1)).await;
    until("the status tells", async || {
        program.types("status").await;
        program.output().contains("By itself: 1 blocks mined, 0 transactions sent, 0 refused")
    })
    .await;
    program.quits().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_goes_between_the_peers_and_is_confirmed() {
    let mut program = Program::start(&["--tx-rate", "20", "--mine-on-send"]);
    program.says(RUNNING).await;
    program.says("20 messages a second go between the peers").await;
    let alice = program.base_port + 1;
    until("some of it is confirmed", async || confirmed(alice).await >= 10).await;
    let messages = owner(&program, "alice", alice, "", "/messages?limit=100").await;
    let directions: BTreeSet<_> =
        messages["messages"].as_array().unwrap().iter().map(|entry| entry["direction"].as_str().unwrap()).collect();
    assert_eq!(directions, BTreeSet::from(["received", "sent"]), "both ways");
    program.types("watch").await;
    program.says("transactions sent, 0 refused").await;
    program.quits().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_are_told_before_anything_starts() {
    for (arguments, told) in
        [(["--auto-mine", "1ms"], "shortest"), (["--auto-mine", "often"], "10s"), (["--tx-rate", "0"], "0.01 to 1000")]
    {
        let Output { status, stderr, .. } =
            Command::new(env!("CARGO_BIN_EXE_devnet")).args(arguments).output().await.unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.code() == Some(2) && stderr.contains(told), "{arguments:?}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_a_running_peer_made_is_put_back_by_the_program() {
    let arguments = ["--peers", "1", "--key-bits", "2048"];
    let program = Program::start_in(tempfile::tempdir().unwrap(), free_ports::row_of(2), &arguments);
    program.says(RUNNING).await;
    let alice = program.base_port + 1;
    let wait = "-X POST -H 'Prefer: wait=30'";
    assert_eq!(owner(&program, "alice", alice, wait, "/mine").await["outcome"], "mined");
    let copy = owner(&program, "alice", alice, "-X POST", "/backup").await;
    assert_eq!(copy["contents"]["height"], 1);
    assert_eq!(owner(&program, "alice", alice, wait, "/mine").await["outcome"], "mined");
    let file = program.data().join("alice/backups").join(copy["name"].as_str().unwrap());
    let restore = async || {
        let run = Command::new(env!("CARGO_BIN_EXE_devnet")).arg("restore").arg(&file).output().await.unwrap();
        (run.status.success(), String::from_utf8(run.stdout).unwrap() + &String::from_utf8(run.stderr).unwrap())
    };
    let (done, told) = restore().await;
    assert!(!done && told.contains("is in use by another process"), "{told}");
    let directory = program.quits().await;
    let (done, told) = restore().await;
    assert!(done && told.contains("at height 1") && told.contains("no copy holds them"), "{told}");
    let program = Program::start_in(directory, free_ports::row_of(2), &["--peers", "1"]);
    program.says(RUNNING).await;
    let tip = get(program.base_port + 1, "/status").await["tip"].clone();
    assert_eq!((&tip["hash"], &tip["state_hash"]), (&copy["contents"]["tip"], &copy["contents"]["state_hash"]));
    program.quits().await;
}
