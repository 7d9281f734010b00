//! A real peer in a process of its own, which a test can crash, kill and stop; and the directory that outlives it.

use std::{
    fs::{self, File},
    io,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use peer_svc::store;
use raclette_api::{membership::PeerRecord, network::GenesisMessage};
use raclette_chain::{genesis::Genesis, testing::ALICE_PEM};
use raclette_service::{
    client::{AddressPolicy, Answer, CallOptions, Client, Destination, SendError, Settings},
    data_dir::create_secret,
};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
};

use crate::peer::eventually;

const TOKEN: &str = "correct-horse-battery";

/// The data directory of alice's peer.
pub(crate) struct Home(TempDir);

impl Home {
    /// One that holds nothing but her key.
    pub(crate) fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        create_secret(&home.path().join("key.pem"), ALICE_PEM.as_bytes()).unwrap();
        home
    }

    /// One whose peer belongs to a network and knows these members.
    pub(crate) async fn in_network(genesis: &Genesis, members: &[PeerRecord]) -> Self {
        let home = Self::new();
        let (mut writer, readers) = store::open(&home.database()).await.unwrap();
        let genesis = serde_json::to_string(&GenesisMessage::from(genesis)).unwrap();
        store::meta::set(&mut writer, store::meta::key::GENESIS, &genesis).await.unwrap();
        store::peers::write(&mut writer, members).await.unwrap();
        readers.close().await;
        store::close(writer).await.unwrap();
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("peer.sqlite")
    }

    /// Starts the peer; `crash_at` is where it crashes by itself, as `PLACE:N`. Its tracker never answers.
    pub(crate) fn start(&self, crash_at: Option<&str>) -> Process {
        self.start_with(Command::new(env!("CARGO_BIN_EXE_peer-svc")), &[], crash_at)
    }

    /// The same by a command of one's own, with more flags.
    pub(crate) fn start_with(&self, mut command: Command, flags: &[&str], crash_at: Option<&str>) -> Process {
        let log = self.path().join("log.txt");
        command
            .env_clear()
            .envs(crash_at.map(|place| ("RACLETTE_CRASH_AT", place)))
            .current_dir(self.path())
            .args(["--name", "alice", "--data-dir", ".", "--port", "0", "--token", TOKEN])
            .args(["--tracker", "http://127.0.0.1:1", "--tracker-interval", "1h", "--sync-interval", "1h"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true);
        let settings = Settings { call_timeout: Duration::from_secs(60), ..Settings::default() };
        let client = Client::new(settings, AddressPolicy::private(true)).unwrap();
        Process { child: command.spawn().unwrap(), client, log, port: 0 }
    }
}

/// A running peer.
pub(crate) struct Process {
    child: Child,
    client: Client,
    log: PathBuf,
    port: u16,
}

impl Process {
    /// Waits until it serves; how it ended if it does not come so far.
    pub(crate) async fn serves(&mut self) -> Result<(), ExitStatus> {
        let Self { child, log, port, .. } = self;
        let outcome = eventually("the peer is up, or has ended", || {
            let ended = child.try_wait().unwrap();
            let told = port_in(&fs::read_to_string(&*log).unwrap());
            async move {
                match (ended, told) {
                    (Some(status), _) => Some(Err(status)),
                    (None, Some(port)) => Some(Ok(port)),
                    (None, None) => None,
                }
            }
        })
        .await;
        *port = outcome?;
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, SendError> {
        self.client.get_json(&self.place(), path, &owner()).await.map(body)
    }

    pub(crate) async fn post(&self, path: &str, message: &(impl Serialize + Sync)) -> Result<Value, SendError> {
        self.client.post_json(&self.place(), path, message, &owner()).await.map(body)
    }

    /// Posts and waits for the outcome.
    pub(crate) async fn post_and_wait(&self, path: &str, message: &Value) -> Result<Value, SendError> {
        let mut options = owner();
        options.headers.insert("prefer", "wait=30".parse().unwrap());
        self.client.post_json(&self.place(), path, message, &options).await.map(body)
    }

    /// Posts with headers of one's own; the answer with its head in lower case, or an error if the peer ends over it.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        message: &Value,
        headers: &[(&str, &str)],
    ) -> io::Result<(String, Value)> {
        let body = message.to_string();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        assert!(head.starts_with("HTTP/1.1 20"), "{answer}");
        Ok((head.to_ascii_lowercase(), serde_json::from_str(body)?))
    }

    fn place(&self) -> Destination {
        Destination::configured("alice", None, "127.0.0.1", self.port)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw).expect("the process runs")
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it goes on and on:\n{}", self.log())).unwrap()
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The crash point at which it ended, as place and step; it must have been one, or SIGKILL, which has none.
    pub(crate) fn crash_point(&self, status: ExitStatus) -> Option<(String, String)> {
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
        let Some(line) = log.lines().find(|line| line.contains("the crash point is reached")) else {
            assert_eq!(status.signal(), Some(9), "{status}\n{log}");
            return None;
        };
        assert_eq!(status.signal(), Some(6), "{status}\n{log}");
        let value = |name: &str| line.split(name).nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
        Some((value("place="), value("step=")))
    }
}

fn body(answer: Answer<Value>) -> Value {
    answer.body
}

fn owner() -> CallOptions {
    let mut options = CallOptions::default();
    options.headers.insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    options
}

/// The port in the line that says that the peer is up.
fn port_in(log: &str) -> Option<u16> {
    let line = log.lines().find(|line| line.contains("the peer is up"))?;
    line.split("127.0.0.1:").nth(1)?.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}
