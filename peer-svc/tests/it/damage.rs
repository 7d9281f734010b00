//! Bytes of a stopped peer's file change. Either the peer says what is damaged and how to mend it, or all that it shows is
//! right: never a wrong balance, never a panic. And `--rebuild` mends it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use raclette_api::block::BlockMessage;
use raclette_chain::{
    hash::BlockHash,
    testing::{ALICE_PEM, key},
};
use raclette_service::{client::SendError, problem::Code};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    process::{Home, Process},
    world::{World, messages},
};

/// A stopped peer with some history.
struct Whole {
    home: Home,
    world: World,
    /// The bytes of its file.
    bytes: Vec<u8>,
    tip: BlockHash,
    /// The transactions that it acknowledged, as it showed them, by id.
    transactions: BTreeMap<String, Value>,
    /// Its blocks, as it showed them, by height.
    blocks: BTreeMap<u64, Value>,
    /// Blocks that would win over the tip.
    branch: Vec<BlockMessage>,
}

impl Whole {
    async fn new(random: &mut StdRng) -> Self {
        let mut world = World::new();
        let home = Home::in_network(&world.genesis, &world.members()).await;
        let mut process = home.start(None);
        process.serves().await.unwrap();
        let mut tip = world.genesis_hash();
        let mut ids = Vec::new();
        for block in world.mine_first_blocks() {
            tip = block.hash();
            process.post("/block", &BlockMessage::full(&block, &world.rules.network)).await.unwrap();
        }
        for _ in 0..15 {
            let signed: Vec<_> = (0..4).filter_map(|_| world.sign(&tip, random)).collect();
            process.post("/tx", &messages(&signed)).await.unwrap();
            ids.extend(signed.iter().map(|transaction| transaction.id().to_string()));
            let block = world.mine(&tip, random);
            tip = block.hash();
            process.post("/block", &BlockMessage::full(&block, &world.rules.network)).await.unwrap();
        }
        for text in ["Is there any cheese left?", "There is."] {
            let sent = process.post("/send", &json!({"to": "bob", "message": text})).await.unwrap();
            ids.push(sent["transaction"]["id"].as_str().unwrap().to_owned());
        }
        let mut transactions = BTreeMap::new();
        for id in ids {
            let shown = process.get(&format!("/tx/{id}")).await.unwrap()["transaction"].clone();
            assert_eq!(shown["id"], id);
            transactions.insert(id, shown);
        }
        let mut blocks = BTreeMap::new();
        for height in 1..=u64::from(world.height(&tip)) {
            blocks.insert(height, process.get(&format!("/block/{height}")).await.unwrap());
        }
        process.signal(Signal::TERM);
        assert!(process.ended().await.success(), "{}", process.log());
        let mut parent = world.below(&tip, 3, 3);
        let branch = (0..4).map(|_| {
            let block = world.mine(&parent, random);
            parent = block.hash();
            BlockMessage::full(&block, &world.rules.network)
        });
        let branch = branch.collect();
        let bytes = fs::read(home.database()).unwrap();
        Self { home, world, bytes, tip, transactions, blocks, branch }
    }

    /// Makes the file these bytes, and nothing else.
    fn put(&self, bytes: &[u8]) {
        for file in fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if file.file_name().unwrap().to_str().unwrap().contains(".sqlite") {
                fs::remove_file(file).unwrap();
            }
        }
        fs::write(self.home.database(), bytes).unwrap();
    }

    /// Starts the peer on these bytes, and looks at all it shows; whether it noticed the damage at its start.
    async fn judge(&mut self, bytes: &[u8], what: &str) -> bool {
        self.put(bytes);
        let mut process = self.home.start(None);
        if let Err(status) = process.serves().await {
            let log = process.log();
            assert_eq!(status.code(), Some(1), "{what}: {status}\n{log}");
            let error = log.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{what}: {log}"));
            assert!(error.contains("--rebuild") || error.contains("use the newer program"), "{what}: {error}");
            self.rebuild(what).await;
            return true;
        }
        self.look(&process, self.tip, false, what).await;
        self.reorganise(&process, what).await;
        process.signal(Signal::TERM);
        let status = process.ended().await;
        assert!(status.code().is_some() && !process.log().contains("panicked"), "{what}: {status}\n{}", process.log());
        false
    }

    async fn rebuild(&mut self, what: &str) {
        let command = tokio::process::Command::new(env!("CARGO_BIN_EXE_peer-svc"));
        let mut process = self.home.start_with(command, &["--rebuild"], None);
        if let Err(status) = process.serves().await {
            panic!("{what}: {status}\n{}", process.log());
        }
        let kept: Vec<PathBuf> = fs::read_dir(self.home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(
            kept.iter().any(|path| path.file_name().unwrap().to_str().unwrap().starts_with("damaged-")),
            "{kept:?}"
        );
        let status = process.get("/status").await.unwrap();
        // Nothing at all if the genesis block is lost: then the tracker has it.
        if let Some(tip) = status["tip"]["hash"].as_str() {
            self.look(&process, tip.parse().unwrap(), true, what).await;
        }
        assert!(!process.log().contains("panicked"), "{what}: {}", process.log());
        process.kill().await;
    }

    /// Everything that is shown is right, or said to be damaged. Some transactions may be gone: those of a losing branch, and
    /// those that were only in a damaged row, which other peers have.
    async fn look(&self, process: &Process, tip: BlockHash, some_gone: bool, what: &str) {
        let status = process.get("/status").await.unwrap();
        assert_eq!(status["tip"]["hash"], tip.to_string(), "{what}");
        assert_eq!(status["tip"]["state_hash"], self.world.state_hash(&tip).to_string(), "{what}");
        for (address, account) in self.world.accounts(&tip) {
            let shown = process.get(&format!("/accounts/{address}")).await.unwrap();
            assert_eq!(shown["balance"], account.balance.units(), "{what}: {address}");
            assert_eq!(shown["next_sequence"], account.next_sequence, "{what}: {address}");
        }
        let mut hash = tip;
        for height in (1..=status["tip"]["height"].as_u64().unwrap()).rev() {
            if let Some(block) = right_or_damaged(process.get(&format!("/block/{height}")).await, what) {
                assert_eq!(block["header"]["hash"], hash.to_string(), "{what}");
                assert_eq!(block["state_hash"], self.world.state_hash(&hash).to_string(), "{what}");
                if let Some(shown) = self.blocks.get(&height).filter(|shown| shown["header"] == block["header"]) {
                    assert_eq!(*shown, block, "{what}");
                }
            }
            hash = self.world.below(&hash, 1, 0);
        }
        right_or_damaged(process.get("/messages").await, what);
        right_or_damaged(process.get("/ledger").await, what);
        right_or_damaged(process.get("/queue").await, what);
        for (id, shown) in &self.transactions {
            match process.get(&format!("/tx/{id}")).await {
                Err(error) if error.code() == Some(Code::UnknownTransaction) && some_gone => {}
                answer => {
                    if let Some(answer) = right_or_damaged(answer, what) {
                        assert_eq!(answer["transaction"], *shown, "{what}: {id}");
                    }
                }
            }
        }
    }

    /// A branch that wins takes blocks off, by what the file says of them.
    async fn reorganise(&self, process: &Process, what: &str) {
        for block in &self.branch {
            if right_or_damaged(process.post("/block", block).await, what).is_none() {
                return;
            }
        }
        let status = process.get("/status").await.unwrap();
        let tip: BlockHash = status["tip"]["hash"].as_str().unwrap().parse().unwrap();
        assert_ne!(tip, self.tip, "{what}");
        self.look(process, tip, true, what).await;
    }
}

fn right_or_damaged(answer: Result<Value, SendError>, what: &str) -> Option<Value> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert_eq!(error.code(), Some(Code::StorageDamaged), "{what}: {error}");
            None
        }
    }
}

/// Damages the file so many times with each of these lengths.
async fn damage(seed: u64, trials: usize) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut whole = Whole::new(&mut random).await;
    let mut noticed = 0;
    for (trial, length) in (0..trials).flat_map(|trial| [(trial, 200), (trial, 1)]) {
        let at = random.random_range(0..whole.bytes.len() - length);
        let mut bytes = whole.bytes.clone();
        for byte in &mut bytes[at..at + length] {
            *byte ^= random.random_range(1..=255);
        }
        let what = format!("seed {seed}, trial {trial}: {length} bytes at {at} of {}", bytes.len());
        noticed += usize::from(whole.judge(&bytes, &what).await);
    }
    assert!(noticed > 0, "none of {} was noticed at the start", 2 * trials);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_bytes_are_named_or_do_no_harm() {
    damage(7, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; run it with --ignored"]
async fn changed_bytes_are_named_or_do_no_harm_a_thousand_times() {
    damage(rand::random_range(1_000..1 << 40), 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_that_was_changed_in_the_file_is_noticed_and_mended_by_a_rebuild() {
    let mut random = StdRng::seed_from_u64(11);
    let mut whole = Whole::new(&mut random).await;
    for (change, table) in [
        ("update accounts set balance = balance + 1 where id = 1", "accounts"),
        ("delete from accounts where id = 1", "accounts"),
        ("update blocks set active = 0 where height = (select max(height) from blocks)", "blocks"),
        ("update blocks set undo = zeroblob(length(undo)) where height = 15", "block"),
        (
            "update ledger set body = cast(substr(body, 1, length(body) - 1) ||
                 case when substr(body, -1) = x'00' then x'01' else x'00' end as blob)
             where id = (select max(id) from ledger)",
            "pending",
        ),
    ] {
        whole.put(&whole.bytes);
        let (mut writer, readers) = peer_svc::store::open(&whole.home.database()).await.unwrap();
        let changed = sqlx::raw_sql(change).execute(&mut writer).await.unwrap().rows_affected();
        assert_eq!(changed, 1, "{change}");
        readers.close().await;
        peer_svc::store::close(writer).await.unwrap();
        let bytes = fs::read(whole.home.database()).unwrap();
        assert!(whole.judge(&bytes, change).await, "{change} was not noticed");
        let log = fs::read_to_string(whole.home.path().join("log.txt")).unwrap();
        assert!(log.contains("the database has been made anew"), "{table}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_peer_on_the_same_directory_is_told_how_to_mend_that() {
    let home = Home::new();
    let mut first = home.start(None);
    first.serves().await.unwrap();
    let address = first.get("/status").await.unwrap()["address"].clone();
    assert_eq!(address, key(ALICE_PEM).public().address().to_string());
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_peer-svc"))
        .env_clear()
        .args(["--name", "bob", "--port", "0", "--data-dir", home.path().to_str().unwrap()])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "the data directory {} is in use by another process (process {}); stop it, or choose another with --data-dir",
        home.path().display(),
        first.pid().as_raw_nonzero()
    );
    assert!(told.contains(&expected), "{told}");
    // And the first one has not noticed anything.
    assert_eq!(first.get("/healthz").await.unwrap()["status"], "ok");
}
