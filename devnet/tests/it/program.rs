//! The program itself: one command starts a network, the printed curl lines work, and nothing is left behind.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    net::TcpListener,
    process::{Child, ChildStdin, Command},
};

use crate::kit::{self, SOON, eventually, free_ports, until};

/// The program as a person runs it, in a directory of its own.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Mutex<String>>,
    directory: TempDir,
    pub(crate) base_port: u16,
}

impl Program {
    /// Starts it with these flags and free ports; its keys are there already.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["tracker", "alice", "bob", "carol"] {
            kit::provide_key(name, &directory.path().join("raclette-data").join(name));
        }
        Self::start_in(directory, free_ports::row_of(4), arguments)
    }

    pub(crate) fn start_in(directory: TempDir, base_port: u16, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_devnet"))
            .current_dir(directory.path())
            .args(["--base-port", &base_port.to_string()])
            .args(arguments)
            // A setting for one service must not reach all of them.
            .env("RACLETTE_PORT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = Arc::default();
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        Self { stdin: child.stdin.take(), child, output, directory, base_port }
    }

    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until it has written this.
    pub(crate) async fn says(&self, text: &str) {
        self.says_again(text, 1).await;
    }

    /// Waits until it has written this so many times.
    async fn says_again(&self, text: &str, times: usize) {
        let found = tokio::time::timeout(SOON, async {
            while self.output().matches(text).count() < times {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(found.await.is_ok(), "it never said {text:?} {times} times:\n{}", self.output());
    }

    pub(crate) async fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it runs");
        kill_process(id, signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(SOON, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it goes on and on:\n{}", self.output.lock().unwrap())).unwrap()
    }

    /// Waits until nobody listens on its ports any more.
    async fn all_ports_are_free(&self) {
        for port in self.base_port..self.base_port + 4 {
            until(&format!("port {port} is free"), async || TcpListener::bind(("127.0.0.1", port)).await.is_ok()).await;
        }
    }

    /// Runs a command of a shell in its directory; what that printed.
    pub(crate) async fn shell(&self, command: &str) -> String {
        let run = Command::new("sh").args(["-c", command]).current_dir(self.directory.path()).output().await.unwrap();
        let (out, error) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8_lossy(&run.stderr).into_owned());
        assert!(run.status.success(), "{command}\n{out}{error}");
        out
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("raclette-data")
    }
}

/// Keeps what a process writes.
fn collect(from: impl AsyncRead + Unpin + Send + 'static, into: &Arc<Mutex<String>>) {
    let into = Arc::clone(into);
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut all = into.lock().unwrap();
            all.push_str(&line);
            all.push('\n');
        }
    });
}

pub(crate) const RUNNING: &str = "Type here:";

#[tokio::test(flavor = "multi_thread")]
async fn one_command_starts_a_network_and_the_printed_curl_lines_work() {
    let mut program = Program::start(&[]);
    program.says(RUNNING).await;
    let output = program.output();
    for name in ["tracker", "alice", "bob", "carol"] {
        assert!(output.contains(&format!("raclette-data/{name}/token")), "{output}");
    }
    let lines: Vec<_> = output.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 6, "{output}");
    let mut answers: Vec<Value> = Vec::new();
    for line in &lines {
        let printed = program.shell(line).await;
        answers.push(serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{line}\n{printed}")));
    }
    assert_eq!(answers[1]["outcome"], "mined", "{}", answers[1]);
    assert_eq!(answers[2]["transaction"]["amount"], 25, "{}", answers[2]);
    assert_eq!(answers[3]["outcome"], "mined", "{}", answers[3]);
    let messages = answers[4]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "{}", answers[4]);
    assert!(messages.iter().any(|entry| entry["text"] == "Here are 25 for the cheese."), "{}", answers[4]);
    // The last line may come before carol has the block, so it is asked again.
    until("carol has both blocks", async || program.shell(lines[5]).await.contains(r#""height":2"#)).await;
    assert!(!program.shell(lines[5]).await.contains("cheese."));

    program.types("quit").await;
    assert!(program.ended().await.success());
    program.all_ports_are_free().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_stopped_and_started_by_typing() {
    let mut program = Program::start(&["--liveness-interval", "200ms"]);
    program.says(RUNNING).await;
    // All are ready then; that they know each other comes a moment later.
    let peers = format!("curl -sS http://127.0.0.1:{}/peers", program.base_port + 1);
    until("alice knows bob", async || program.shell(&peers).await.contains("\"bob\"")).await;
    program.types("stop bob").await;
    program.says("bob has stopped").await;
    program.types("status").await;
    program.says("bob      down").await;
    let (alice, token) = (program.base_port + 1, "$(cat raclette-data/alice/token)");
    let send = format!(
        "curl -sS --fail -H \"Authorization: Bearer {token}\" -H 'Content-Type: application/json' \
         -d '{{\"to\":\"bob\",\"message\":\"while you were out\"}}' http://127.0.0.1:{alice}/send"
    );
    program.shell(&send).await;

    program.types("start bob").await;
    program.says_again("bob        ready", 2).await;
    let read = format!(
        "curl -sS -H \"Authorization: Bearer $(cat raclette-data/bob/token)\" http://127.0.0.1:{}/messages",
        program.base_port + 2
    );
    until("bob has the message", async || program.shell(&read).await.contains("while you were out")).await;

    program.types("kill carol").await;
    program.says("carol was killed").await;
    program.types("start carol").await;
    program.says_again("carol      ready", 2).await;
    program.types("stop nobody").await;
    program.says("there is no \"nobody\" here").await;
    program.types("dance").await;
    program.says("type help").await;

    // The end of its input is not the end of the network; a signal is.
    drop(program.stdin.take());
    program.shell(&format!("curl -sS --fail http://127.0.0.1:{alice}/status")).await;
    let begun = Instant::now();
    program.signal(Signal::INT);
    assert!(program.ended().await.success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    program.all_ports_are_free().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_is_left_behind_when_the_program_is_killed() {
    let mut program = Program::start(&[]);
    program.says(RUNNING).await;
    program.signal(Signal::KILL);
    assert_eq!(program.ended().await.signal(), Some(9));
    program.all_ports_are_free().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_told_before_anything_starts() {
    let base_port = free_ports::row_of(4);
    let other = TcpListener::bind(("127.0.0.1", base_port + 2)).await.unwrap();
    let mut program = Program::start_in(tempfile::tempdir().unwrap(), base_port, &[]);
    assert_eq!(program.ended().await.code(), Some(1));
    program.says(&format!("port {}, meant for bob, is in use by", base_port + 2)).await;
    program.says("cargo run --release -- --base-port").await;
    assert!(!program.data().join("tracker").exists());
    drop(other);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_start_shows_the_end_of_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("raclette-data");
    kit::provide_key("tracker", &data.join("tracker"));
    fs::create_dir_all(data.join("alice")).unwrap();
    fs::write(data.join("alice").join("format"), "something else\n").unwrap();
    let mut program = Program::start_in(directory, free_ports::row_of(2), &["--peers", "1"]);
    assert_eq!(program.ended().await.code(), Some(1));
    program.says("alice did not come up (exit code 1)").await;
    program.says("something else").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn starting_over_forgets_the_chain_and_the_keys() {
    let first =
        Program::start_in(tempfile::tempdir().unwrap(), free_ports::row_of(2), &["--peers", "1", "--key-bits", "2048"]);
    let (directory, network, key) = run_and_quit(first).await;
    let second = Program::start_in(directory, free_ports::row_of(2), &["--peers", "1"]);
    let (directory, same_network, same_key) = run_and_quit(second).await;
    assert_eq!((&same_network, &same_key), (&network, &key));
    let arguments = ["--peers", "1", "--key-bits", "2048", "--fresh"];
    let third = Program::start_in(directory, free_ports::row_of(2), &arguments);
    let (_, other_network, other_key) = run_and_quit(third).await;
    assert_ne!(other_network, network);
    assert_ne!(other_key, key);
}

impl Program {
    /// Ends it as a person does, and gives back its directory.
    pub(crate) async fn quits(mut self) -> TempDir {
        self.types("quit").await;
        assert!(self.ended().await.success());
        self.directory
    }
}

/// Runs it until it is up; its directory, the network's id and alice's key file.
async fn run_and_quit(program: Program) -> (TempDir, String, String) {
    program.says(RUNNING).await;
    let alice = program.base_port + 1;
    let status = eventually("alice knows the network", SOON, async || {
        let status: Value = kit::http::get(alice, "/status", None).await.ok()?;
        status["network_id"].as_str().map(str::to_owned)
    })
    .await;
    let key = key_file(&program.data());
    (program.quits().await, status, key)
}

fn key_file(data: &Path) -> String {
    fs::read_to_string(data.join("alice").join("key.pem")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_asks_its_service_whether_it_is_well() {
    let network = kit::Network::of(&["alice"]).await;
    let check = async |url: String| {
        let run = Command::new(env!("CARGO_BIN_EXE_devnet")).args(["healthcheck", &url]).output().await.unwrap();
        run.status.success()
    };
    let port = network.peer("alice").port;
    assert!(check(format!("http://127.0.0.1:{port}/healthz")).await);
    assert!(check(format!("http://localhost:{port}/readyz")).await);
    assert!(!check(format!("http://127.0.0.1:{port}/no/such/route")).await);
    assert!(!check(format!("http://127.0.0.1:{}/healthz", free_ports::one())).await);
}
