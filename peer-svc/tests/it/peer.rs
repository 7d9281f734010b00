//! A peer for tests: node, store, miner and API, and nothing that calls others.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header, request::Builder},
    response::Response,
};
use futures_util::FutureExt as _;
use peer_svc::{
    http::{self, App, Curl, Parts},
    miner::Miner,
    node::{Identity, Members, Node, Origin, ProbeOrder, Probes, inspect_copy, writer},
    status::Status,
    store,
};
use raclette_api::{
    membership::{NewRegistration, Registration},
    notice::{ChangeKind, Notice, NoticeChange},
};
use raclette_chain::{
    address::Address,
    block::Block,
    genesis::Genesis,
    hash::NetworkId,
    keys::PrivateKey,
    parameters::Parameters,
    target::Target,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM, key},
    time::Timestamp,
};
use raclette_service::{
    access::{HostAllowList, OwnerGate, RateLimits},
    backup::{Backups, Inspect},
    build::Build,
    chaos::Chaos,
    data_dir::{DataDir, Format},
    layers::{self, Shared},
    metrics::Metrics,
    queue::QueueHandle,
    tasks::Tasks,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const TOKEN: &str = "correct-horse-battery";

/// A block takes so few attempts on average: 2 to the power of this.
pub(crate) const EASY: u8 = 6;
/// As [`EASY`], for blocks that nobody finds in a test.
pub(crate) const HARD: u8 = 60;

/// The genesis block of the test network.
pub(crate) fn genesis(bits: u8) -> Genesis {
    let first_target = Target::of_bits(bits).compact();
    let parameters = Parameters { first_target, half_life_seconds: 0, ..Parameters::default() };
    Genesis { parameters, time: Timestamp::new(1_767_225_600_000).unwrap() }
}

/// The key of the test network's tracker.
pub(crate) fn tracker() -> PrivateKey {
    key(DAVE_PEM)
}

/// A peer.
pub(crate) struct Peer {
    pub(crate) node: Arc<Node>,
    pub(crate) status: Arc<Status>,
    /// Cancelled when the peer stops.
    pub(crate) stopping: CancellationToken,
    /// What its routes stand on.
    pub(crate) app: App,
    /// Whom it would look for on the tracker's behalf.
    pub(crate) orders: Mutex<mpsc::Receiver<ProbeOrder>>,
    router: Router,
    directory: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The answer, which must have this status and, if it is a problem, this code.
    #[track_caller]
    pub(crate) fn expect(self, status: u16, code: Option<&str>) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.body.get("code").and_then(Value::as_str), code, "{self:?}");
        if code.is_some() {
            assert_eq!(self.header("content-type"), "application/problem+json");
        }
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        self.expect(200, None).body
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("there is no {name}: {self:?}")).to_str().unwrap()
    }
}

impl Peer {
    /// A peer that does not know its network yet.
    pub(crate) async fn newcomer(name: &str, key: PrivateKey) -> Self {
        let directory = TempDir::new().unwrap();
        let (writer, readers) = store::open(&directory.path().join("peer.sqlite")).await.unwrap();
        Self::on(directory, writer, readers, name, key, false)
    }

    /// The same with chaos switches.
    pub(crate) async fn with_chaos(name: &str, key: PrivateKey) -> Self {
        let directory = TempDir::new().unwrap();
        let (writer, readers) = store::open(&directory.path().join("peer.sqlite")).await.unwrap();
        Self::on(directory, writer, readers, name, key, true)
    }

    /// The same with room for so many pages only; the table `filler` takes up as many more.
    pub(crate) async fn with_pages(name: &str, key: PrivateKey, pages: u32) -> Self {
        let directory = TempDir::new().unwrap();
        let (mut writer, readers) = store::open(&directory.path().join("peer.sqlite")).await.unwrap();
        let fill = format!("create table filler (content blob); insert into filler values (zeroblob(4096 * {pages}));");
        sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(&mut writer).await.unwrap();
        let used: u32 = sqlx::query_scalar("pragma page_count").fetch_one(&mut writer).await.unwrap();
        let limit = format!("pragma max_page_count = {}", used + pages);
        sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(&mut writer).await.unwrap();
        Self::on(directory, writer, readers, name, key, false)
    }

    fn on(
        directory: TempDir,
        connection: sqlx::SqliteConnection,
        readers: sqlx::SqlitePool,
        name: &str,
        key: PrivateKey,
        chaos: bool,
    ) -> Self {
        let owner = key.public().address();
        let identity = Identity { name: name.to_owned(), key: Arc::new(key) };
        let (node, ends) = Node::new(identity, readers, None, Members::restored(owner, &[]));
        tokio::spawn(writer::run(ends, connection, owner, std::future::pending()));
        let tracker_key = Some(tracker().public().clone());
        let status = Arc::new(Status::new(String::from("http://127.0.0.1:7700"), tracker_key, None, 1));
        let stopping = CancellationToken::new();
        let (probes, orders) = Probes::new(owner);
        let metrics = Metrics::new(Build { program: "raclette-peer", version: "0", commit: None });
        let tasks = Tasks::new();
        let data = DataDir::open(directory.path(), Format { service: "peer", version: 1 }).unwrap();
        let inspect: Inspect = Arc::new(|copy| inspect_copy(copy).boxed());
        let backups = Backups::new(&data, "peer.sqlite", owner.to_string(), 3, inspect);
        let app = App::from(Parts {
            node: Arc::clone(&node),
            miner: Arc::new(Miner::new(Arc::clone(&node), tasks.clone())),
            tasks,
            metrics: metrics.clone(),
            backups,
            status: Arc::clone(&status),
            queue: QueueHandle::new(),
            probes,
            gate: OwnerGate::new(TOKEN.parse().unwrap(), "the token is in FILE"),
            curl: Curl { url: String::from("http://127.0.0.1:7701"), token: String::from("-H TOKEN") },
            chaos: chaos.then(Chaos::default),
            stopping: stopping.clone(),
        });
        let router = http::router(app.clone());
        let hosts = HostAllowList::default();
        let router = layers::wrap(
            router,
            Shared { address: owner.to_string(), hosts, body_limit: 65_536, rates: RateLimits::none(), metrics },
        );
        Self { node, status, stopping, app, orders: Mutex::new(orders), router, directory }
    }

    /// Alice, in a network whose blocks take 2^`bits` attempts.
    pub(crate) async fn alice(bits: u8) -> Self {
        Self::newcomer("alice", key(ALICE_PEM)).await.joined(bits).await
    }

    /// Bob, in the same network.
    pub(crate) async fn bob(bits: u8) -> Self {
        Self::newcomer("bob", key(BOB_PEM)).await.joined(bits).await
    }

    /// Carol, in the network that begins with this genesis block.
    pub(crate) async fn carol_in(genesis: Genesis) -> Self {
        let carol = Self::newcomer("carol", key(CAROL_PEM)).await;
        carol.node.found(genesis).await.unwrap();
        carol
    }

    pub(crate) async fn joined(self, bits: u8) -> Self {
        self.joined_to(genesis(bits)).await
    }

    /// The same peer, in the network that begins with this genesis block.
    pub(crate) async fn joined_to(self, genesis: Genesis) -> Self {
        self.node.found(genesis).await.unwrap();
        self
    }

    /// Its database.
    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("peer.sqlite")
    }

    pub(crate) fn address(&self) -> Address {
        self.node.identity().address()
    }

    pub(crate) fn network(&self) -> NetworkId {
        self.node.network().unwrap()
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        assert_eq!(parts.headers["raclette-address"], self.address().to_string());
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Calls for an answer that does not end.
    pub(crate) async fn stream(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(by_anybody("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(with_json(by_anybody("POST", path), body)).await
    }

    /// Posts as a member that names itself.
    pub(crate) async fn post_from(&self, from: &Self, path: &str, body: &Value) -> Answer {
        let request = by_anybody("POST", path).header("raclette-from", from.address().to_string());
        self.call(with_json(request, body)).await
    }

    pub(crate) async fn own_get(&self, path: &str) -> Answer {
        self.call(by_owner("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn own_post(&self, path: &str, body: &Value) -> Answer {
        self.call(with_json(by_owner("POST", path), body)).await
    }

    pub(crate) async fn own_delete(&self, path: &str) -> Answer {
        self.call(by_owner("DELETE", path).body(Body::empty()).unwrap()).await
    }

    /// Mines a block, and returns its hash.
    pub(crate) async fn mine(&self) -> String {
        let request = by_owner("POST", "/mine").header("prefer", "wait=30").body(Body::empty()).unwrap();
        let job = self.call(request).await.ok();
        assert_eq!(job["outcome"], "mined", "{job}");
        job["block"].as_str().unwrap().to_owned()
    }

    /// Sends, and returns the answer.
    pub(crate) async fn send(&self, request: Value) -> Value {
        self.own_post("/send", &request).await.expect(201, None).body
    }

    /// The API, to be served, or to be misused by a peer that misbehaves.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Takes blocks as they come when the history is fetched.
    pub(crate) async fn takes(&self, blocks: &[Block]) {
        let mut waiting = Vec::with_capacity(blocks.len());
        for block in blocks {
            let verified = self.node.verify_block(block.clone()).await.unwrap();
            waiting.push(self.node.hand_in(verified, Origin::Local).await.unwrap());
        }
        for handed_in in waiting {
            handed_in.outcome().await.unwrap();
        }
    }

    /// Tells this peer that another one is online at this port.
    pub(crate) async fn hears_of_port(&self, other: &Self, port: u16, version: u64) -> Value {
        let notice = notice(&self.network(), vec![change_at(other, ChangeKind::Online, version, port)], &tracker());
        self.post("/peers", &notice).await.ok()
    }

    /// Tells this peer that another one is online or offline.
    pub(crate) async fn hears_of(&self, other: &Self, kind: ChangeKind, version: u64) -> Value {
        let notice = notice(&self.network(), vec![change(other, kind, version)], &tracker());
        self.post("/peers", &notice).await.ok()
    }

    /// Gives this peer a block of another one.
    pub(crate) async fn learns(&self, other: &Self, block: &str) -> Value {
        let mut message = other.get(&format!("/block/{block}")).await.ok();
        let members = message.as_object_mut().unwrap();
        members.remove("work");
        members.remove("state_hash");
        self.post("/block", &message).await.ok()
    }
}

/// A request of anybody.
pub(crate) fn by_anybody(method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:7701")
}

/// A request of the owner.
pub(crate) fn by_owner(method: &str, path: &str) -> Builder {
    by_anybody(method, path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
}

pub(crate) fn with_json(request: Builder, body: &Value) -> Request<Body> {
    request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
}

/// What a tracker tells of a peer.
pub(crate) fn change(peer: &Peer, kind: ChangeKind, version: u64) -> NoticeChange {
    change_at(peer, kind, version, 7702)
}

fn change_at(peer: &Peer, kind: ChangeKind, version: u64, port: u16) -> NoticeChange {
    let identity = peer.node.identity();
    let new = NewRegistration {
        network: peer.network(),
        tracker: tracker().public().address(),
        name: &identity.name,
        host: "127.0.0.1",
        port,
        epoch: 1,
        time: Timestamp::new(1).unwrap(),
    };
    NoticeChange {
        kind,
        name: identity.name.clone(),
        address: identity.address().to_string(),
        epoch: 1,
        version,
        registration: (kind == ChangeKind::Online).then(|| Registration::signed(&new, &identity.key)),
    }
}

/// A signed notice as JSON.
pub(crate) fn notice(network: &NetworkId, changes: Vec<NoticeChange>, tracker: &PrivateKey) -> Value {
    json!(Notice::signed(network, Timestamp::new(2).unwrap(), changes, tracker).unwrap())
}

/// Waits until something is so, for at most a minute.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "it never came to be: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
