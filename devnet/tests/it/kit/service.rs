//! One service under test: a task of this process, or a process of its own that can be killed or suspended.

use std::{net::Ipv4Addr, path::PathBuf, process::Stdio, time::Duration};

use clap::Parser;
use raclette_service::dice::Dice;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use trials::proxy::Proxy;

use super::{eventually, http, keys, until};

/// Which program a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Tracker,
    Peer,
}

/// A service: its place and its settings stay when it stops and starts again.
#[derive(Debug)]
pub(crate) struct Service {
    role: Role,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) directory: PathBuf,
    arguments: Vec<String>,
    running: Option<Running>,
    /// What stands between it and the other services, if anything does.
    proxy: Option<Proxy>,
    /// Where its log goes as a process of its own.
    log_file: PathBuf,
}

#[derive(Debug)]
enum Running {
    Task { stop: CancellationToken, task: JoinHandle<Result<(), String>> },
    Process(Child),
}

#[derive(Debug, Parser)]
struct TrackerCli {
    #[command(flatten)]
    config: tracker_svc::config::Config,
}

#[derive(Debug, Parser)]
struct PeerCli {
    #[command(flatten)]
    config: peer_svc::Config,
}

impl Service {
    /// A service that does not run yet. Its key is the committed one of its name.
    pub(crate) fn new(role: Role, name: &str, directory: PathBuf, arguments: Vec<String>) -> Self {
        keys::provide(name, &directory);
        let log_file = directory.join("log.txt");
        Self { role, name: name.to_owned(), port: 0, directory, arguments, running: None, proxy: None, log_file }
    }

    /// Has its log written there from its next start as a process on.
    pub(crate) fn log_to(&mut self, file: &str) {
        self.log_file = file.into();
    }

    /// Lets the other services reach it through a proxy from its next start on.
    pub(crate) async fn stand_behind_proxy(&mut self) {
        let proxy = Proxy::start(Dice::system()).await.unwrap();
        self.arguments.extend(["--advertise-port".to_owned(), proxy.port().to_string()]);
        self.proxy = Some(proxy);
    }

    /// What stands between it and the other services.
    pub(crate) fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("it stands behind a proxy")
    }

    /// By which port other services reach it.
    pub(crate) fn advertised_port(&self) -> u16 {
        self.proxy.as_ref().map_or(self.port, Proxy::port)
    }

    fn forward(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.forward_to((Ipv4Addr::LOCALHOST, self.port).into());
        }
    }

    /// Starts it as a task of this process; on its port of before, if it had one.
    pub(crate) async fn start(&mut self) {
        assert!(self.running.is_none(), "{} runs already", self.name);
        let port = self.port;
        let listener = eventually("the port is free again", Duration::from_secs(20), async || {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok()
        })
        .await;
        self.port = listener.local_addr().unwrap().port();
        self.forward();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = match self.role {
            Role::Tracker => {
                let config = parse::<TrackerCli>(&self.full_arguments()).config;
                tokio::spawn(async {
                    tracker_svc::run(config, listener, stopped).await.map_err(|error| error.to_string())
                })
            }
            Role::Peer => {
                let config = parse::<PeerCli>(&self.full_arguments()).config;
                tokio::spawn(async {
                    peer_svc::run(config, listener, stopped).await.map_err(|error| error.to_string())
                })
            }
        };
        self.running = Some(Running::Task { stop, task });
    }

    /// Starts it as a process of its own; on its port of before, if it had one.
    pub(crate) fn start_process(&mut self) {
        self.start_process_with(&[]);
    }

    /// The same with more in its environment.
    pub(crate) fn start_process_with(&mut self, environment: &[(&str, &str)]) {
        assert!(self.running.is_none(), "{} runs already", self.name);
        if self.port == 0 {
            self.port = super::free_ports::row_of(1);
        }
        self.forward();
        let role = match self.role {
            Role::Tracker => "tracker",
            Role::Peer => "peer",
        };
        let log = std::fs::File::options().append(true).create(true).open(&self.log_file).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_devnet"))
            .arg(role)
            .args(self.full_arguments())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.running = Some(Running::Process(child));
    }

    fn full_arguments(&self) -> Vec<String> {
        let directory = self.directory.to_str().unwrap().to_owned();
        let common = ["--port".to_owned(), self.port.to_string(), "--data-dir".to_owned(), directory];
        common.into_iter().chain(self.arguments.iter().cloned()).collect()
    }

    /// Waits until it is ready for everything.
    pub(crate) async fn ready(&self) {
        until(&format!("{} is ready", self.name), async || {
            http::get::<IgnoredAny>(self.port, "/readyz", None).await.is_ok()
        })
        .await;
    }

    /// Starts it with another value of this flag from now on.
    pub(crate) fn replace_argument(&mut self, flag: &str, value: &str) {
        let position = self.arguments.iter().position(|argument| argument == flag).expect("it has this flag");
        value.clone_into(&mut self.arguments[position + 1]);
    }

    /// Whether it was started and not stopped since.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Stops it as SIGTERM does, which must not take longer than five seconds.
    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().unwrap_or_else(|| panic!("{} does not run", self.name));
        let stopping = async {
            match running {
                Running::Task { stop, task } => {
                    stop.cancel();
                    task.await.unwrap().unwrap();
                }
                Running::Process(mut child) => {
                    signal(&child, Signal::TERM);
                    let status = child.wait().await.unwrap();
                    assert!(status.success(), "{} ended with {status}", self.name);
                }
            }
        };
        let stopped = timeout(Duration::from_secs(5), stopping).await;
        assert!(stopped.is_ok(), "{} does not stop", self.name);
    }

    /// Ends its process with SIGKILL.
    pub(crate) async fn kill(&mut self) {
        match self.running.take() {
            Some(Running::Process(mut child)) => child.kill().await.unwrap(),
            Some(Running::Task { .. }) | None => panic!("{} is no process", self.name),
        }
    }

    /// Whether its process has ended by itself; then it can be started again.
    pub(crate) fn has_ended(&mut self) -> bool {
        let Some(Running::Process(child)) = &mut self.running else { panic!("{} is no process", self.name) };
        let ended = child.try_wait().unwrap().is_some();
        if ended {
            self.running = None;
        }
        ended
    }

    /// Suspends its process: it is there, but answers nothing.
    pub(crate) fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a suspended process go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, which: Signal) {
        match &self.running {
            Some(Running::Process(child)) => signal(child, which),
            Some(Running::Task { .. }) | None => panic!("{} is no process", self.name),
        }
    }

    /// What it has logged as a process of its own.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log.txt")).unwrap()
    }

    /// Its owner's token, as the value of an Authorization header.
    pub(crate) fn bearer(&self) -> String {
        let token = std::fs::read_to_string(self.directory.join("token")).unwrap();
        format!("Bearer {}", token.trim())
    }

    /// Gets what everybody may see.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = http::get(self.port, path, None).await;
        answer.unwrap_or_else(|error| panic!("GET {path} of {}: {error}", self.name))
    }

    /// Gets what only the owner may see.
    pub(crate) async fn get_as_owner<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = http::get(self.port, path, Some(&self.bearer())).await;
        answer.unwrap_or_else(|error| panic!("GET {path} of {}: {error}", self.name))
    }
}

/// Reads flags without the environment: what is set there is not meant for tests.
fn parse<C: Parser>(arguments: &[String]) -> C {
    let command = C::command().mut_args(|argument| argument.env(None::<&str>));
    let matches = command.get_matches_from(std::iter::once("service").chain(arguments.iter().map(String::as_str)));
    C::from_arg_matches(&matches).unwrap_or_else(|error| panic!("{error}"))
}

fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("the process runs");
    kill_process(id, signal).unwrap();
}
