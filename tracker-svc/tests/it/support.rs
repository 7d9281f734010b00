//! A tracker to be started and stopped, peers that answer it, and waiting without sleeping.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use clap::Parser as _;
use raclette_api::{
    chain::StatusMessage,
    encoding::from_hex,
    example,
    membership::{ChallengeAnswer, NewRegistration, PeerPage, ProbeAnswer, ProbeRequest, Registration},
    network::{GenesisReport, NetworkInfo},
    notice::{ChangeKind, Notice},
    timeline::{TimelineEvent, TimelineKind, TimelinePage},
};
use raclette_chain::{
    address::Address,
    genesis::Genesis,
    hash::NetworkId,
    keys::PrivateKey,
    parameters::Parameters,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM, key},
    time::Timestamp,
};
use raclette_service::{clock::now_ms, data_dir::create_secret};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracker_svc::{RunError, config::Config};

/// The operator's token of every tracker here.
pub(crate) const TOKEN: &str = "operator-token-of-the-tests";

/// Waits until the condition holds, at most twenty seconds.
macro_rules! eventually {
    ($condition:expr) => {{
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        while !$condition {
            assert!(tokio::time::Instant::now() < deadline, "never: {}", stringify!($condition));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }};
}
pub(crate) use eventually;

pub(crate) fn now() -> Timestamp {
    Timestamp::new(now_ms()).unwrap()
}

/// A running tracker.
pub(crate) struct Tracker {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
}

/// An answer of the tracker.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("none")
    }
}

/// A data directory with a key in it, so that no test has to make one.
pub(crate) fn data_dir() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    create_secret(&directory.path().join("key.pem"), DAVE_PEM.as_bytes()).unwrap();
    directory
}

impl Tracker {
    /// Starts a tracker that asks its members only now and then.
    pub(crate) async fn start(directory: &Path) -> Self {
        Self::start_with(directory, &["--liveness-interval", "1h"]).await
    }

    pub(crate) async fn start_with(directory: &Path, flags: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fixed = ["raclette-tracker", "--token", TOKEN, "--data-dir", directory.to_str().unwrap()];
        let config = Config::try_parse_from(fixed.iter().chain(flags)).unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = tokio::spawn(async move { tracker_svc::run(config, listener, stopped.cancelled_owned()).await });
        let tracker = Self { url, http: reqwest::Client::new(), stop, running };
        eventually!(tracker.http.get(format!("{}/readyz", tracker.url)).send().await.is_ok());
        tracker
    }

    /// Stops it; it must have ended within five seconds.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), self.running).await.expect("it stops in time").unwrap().unwrap();
    }

    pub(crate) async fn call(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl serde::Serialize) -> Answer {
        self.call(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub(crate) async fn operator(&self, method: &str, path: &str) -> Answer {
        let method = method.parse().unwrap();
        self.call(self.http.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN)).await
    }

    pub(crate) async fn network(&self) -> NetworkInfo {
        serde_json::from_value(self.get("/network").await.body).unwrap()
    }

    /// The states of all members, by name.
    pub(crate) async fn states(&self) -> Vec<(String, String)> {
        let page: PeerPage = serde_json::from_value(self.get("/peers").await.body).unwrap();
        page.peers.into_iter().map(|peer| (peer.name, peer.state.as_str().to_owned())).collect()
    }

    /// What happened, from old to new, as (kind, name).
    pub(crate) async fn happened(&self) -> Vec<(TimelineKind, Option<String>)> {
        let events = self.timeline("limit=1000").await.events;
        events.into_iter().rev().map(|event| (event.kind, event.name)).collect()
    }

    /// The newest event of this kind about this peer.
    pub(crate) async fn last(&self, kind: TimelineKind, name: &str) -> Option<TimelineEvent> {
        self.timeline(&format!("kind={}&name={name}&limit=1", kind.as_str())).await.events.pop()
    }

    pub(crate) async fn timeline(&self, query: &str) -> TimelinePage {
        serde_json::from_value(self.get(&format!("/timeline?{query}")).await.body).unwrap()
    }

    pub(crate) async fn waiting(&self) -> u64 {
        self.operator("GET", "/queue").await.body["counts"]["waiting"].as_u64().unwrap()
    }

    /// Registers a peer that makes the genesis block, so that there is a network.
    pub(crate) async fn begin(&self, peer: &Peer) -> Genesis {
        assert_eq!(self.register(peer).await.body["status"], "create_genesis");
        let genesis = Genesis { parameters: Parameters::default(), time: now() };
        let report = GenesisReport::signed(&genesis, now(), &peer.inner.key);
        assert_eq!(self.post("/genesis", &report).await.status, 201);
        genesis
    }

    pub(crate) async fn register(&self, peer: &Peer) -> Answer {
        self.post("/register", &peer.registration()).await
    }
}

/// The address of every tracker here.
pub(crate) fn tracker_address() -> Address {
    key(DAVE_PEM).public().address()
}

/// A peer that answers the tracker.
pub(crate) struct Peer {
    pub(crate) inner: Arc<Inner>,
    _server: Aborting,
}

struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a peer says when it is asked to look for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Helper {
    /// What it finds.
    #[default]
    Honest,
    /// That it is there, with a signature of its own.
    LiesItAlive,
    /// It does not know the request.
    Ignorant,
}

pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) key: PrivateKey,
    pub(crate) place: SocketAddr,
    pub(crate) epoch: AtomicU64,
    /// It answers nothing, as if somebody else sat at its port.
    pub(crate) down: AtomicBool,
    /// It answers probes, but takes no notices.
    pub(crate) deaf: AtomicBool,
    /// It answers challenges and takes notices, but the tracker's probes do not reach it.
    pub(crate) hidden: AtomicBool,
    /// What it says when it is asked to look for another peer.
    pub(crate) helper: Mutex<Helper>,
    /// How often it was asked.
    pub(crate) asked: AtomicU64,
    /// How it says that it is.
    pub(crate) says: Mutex<StatusMessage>,
    /// Nobody gets an answer to a challenge until this is cancelled.
    pub(crate) hold: Mutex<Option<CancellationToken>>,
    pub(crate) probes: AtomicU64,
    pub(crate) notices: Mutex<Vec<Notice>>,
}

impl Peer {
    pub(crate) async fn alice() -> Self {
        Self::start("alice", ALICE_PEM).await
    }

    pub(crate) async fn bob() -> Self {
        Self::start("bob", BOB_PEM).await
    }

    pub(crate) async fn carol() -> Self {
        Self::start("carol", CAROL_PEM).await
    }

    pub(crate) async fn start(name: &str, pem: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Arc::new(Inner {
            name: name.to_owned(),
            key: key(pem),
            place: listener.local_addr().unwrap(),
            epoch: AtomicU64::new(1),
            down: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            hidden: AtomicBool::new(false),
            helper: Mutex::default(),
            asked: AtomicU64::new(0),
            says: Mutex::new(serde_json::from_value(example::of::<StatusMessage>()).unwrap()),
            hold: Mutex::default(),
            probes: AtomicU64::new(0),
            notices: Mutex::default(),
        });
        let router = Router::new()
            .route("/challenge", get(challenge))
            .route("/status", get(status))
            .route("/peers", post(notice))
            .route("/probe", post(look))
            .layer(middleware::from_fn_with_state(inner.clone(), address))
            .with_state(inner.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inner, _server: Aborting(server) }
    }

    pub(crate) fn address(&self) -> Address {
        self.inner.key.public().address()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.inner.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn raise_epoch(&self) {
        self.inner.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn down(&self, down: bool) {
        self.inner.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn deaf(&self, deaf: bool) {
        self.inner.deaf.store(deaf, Ordering::SeqCst);
    }

    /// What it says about itself, before it is signed.
    pub(crate) fn claims(&self) -> NewRegistration<'_> {
        NewRegistration {
            network: NetworkId::ZERO,
            tracker: tracker_address(),
            name: &self.inner.name,
            host: "127.0.0.1",
            port: self.inner.place.port(),
            epoch: self.epoch(),
            time: now(),
        }
    }

    pub(crate) fn registration(&self) -> Registration {
        Registration::signed(&self.claims(), &self.inner.key)
    }

    /// All changes it was told, as (name, kind, epoch).
    pub(crate) fn told(&self) -> Vec<(String, ChangeKind, u64)> {
        let notices = self.inner.notices.lock().unwrap();
        let changes = notices.iter().flat_map(|notice| &notice.changes);
        changes.map(|change| (change.name.clone(), change.kind, change.epoch)).collect()
    }

    pub(crate) fn was_told(&self, name: &str, kind: ChangeKind) -> bool {
        self.told().iter().any(|(told, what, _)| told == name && *what == kind)
    }
}

async fn address(State(peer): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    if peer.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut response = next.run(request).await;
    let address = peer.key.public().address().to_string().try_into().unwrap();
    response.headers_mut().insert("raclette-address", address);
    response
}

#[derive(Deserialize)]
struct Nonce {
    nonce: String,
}

async fn challenge(State(peer): State<Arc<Inner>>, Query(Nonce { nonce }): Query<Nonce>) -> Json<ChallengeAnswer> {
    let hold = peer.hold.lock().unwrap().clone();
    if let Some(hold) = hold {
        hold.cancelled().await;
    }
    let nonce = from_hex("nonce", &nonce).unwrap();
    Json(ChallengeAnswer::signed(None, &nonce, peer.epoch.load(Ordering::SeqCst), &peer.key))
}

async fn status(State(peer): State<Arc<Inner>>) -> Response {
    peer.probes.fetch_add(1, Ordering::SeqCst);
    if peer.hidden.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let says = peer.says.lock().unwrap().clone();
    let address = peer.key.public().address().to_string();
    Json(StatusMessage { name: peer.name.clone(), address, epoch: peer.epoch.load(Ordering::SeqCst), ..says })
        .into_response()
}

async fn look(State(peer): State<Arc<Inner>>, Json(request): Json<ProbeRequest>) -> Response {
    peer.asked.fetch_add(1, Ordering::SeqCst);
    let network = request.network_id.parse().unwrap();
    let probe = request.verify(&network, key(DAVE_PEM).public()).expect("the tracker signs what it asks");
    assert_eq!(probe.helper, peer.key.public().address(), "whoever is asked is meant");
    let helper = *peer.helper.lock().unwrap();
    let answer = match helper {
        Helper::Ignorant => return StatusCode::NOT_FOUND.into_response(),
        Helper::LiesItAlive => Some(ChallengeAnswer::signed(Some(&network), &probe.nonce, probe.epoch, &peer.key)),
        Helper::Honest => {
            let place = format!("http://{}:{}", request.registration.host, request.registration.port);
            let question = reqwest::get(format!("{place}/challenge?nonce={}", request.nonce)).await;
            match question {
                Ok(answer) => answer.json().await.ok(),
                Err(_) => None,
            }
        }
    };
    let reason = answer.is_none().then(|| String::from("no answer"));
    Json(ProbeAnswer { answer, reason }).into_response()
}

async fn notice(State(peer): State<Arc<Inner>>, Json(notice): Json<Notice>) -> Response {
    if peer.deaf.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let network = notice.network().unwrap();
    notice.verify(&network, key(DAVE_PEM).public()).expect("the tracker signs what it says");
    let applied = notice.changes.len();
    peer.notices.lock().unwrap().push(notice);
    Json(serde_json::json!({ "applied": applied, "stale": 0 })).into_response()
}
