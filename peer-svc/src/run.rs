//! Puts a peer together, starts it, and stops it.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt as _;
use raclette_api::encoding;
use raclette_chain::{
    address::Address,
    keys::{KeyFileError, KeySize, PrivateKey, PublicKey},
};
use raclette_service::{
    access::{MemberLookup, TokenError},
    backup::Backups,
    build::Build,
    chaos::Chaos,
    client::{CallOptions, Client, Destination},
    config::ListenError,
    crash_point::crash_point,
    data_dir::{self, DataDir, DataDirError, Format, SecretFileError},
    layers::{self, Shared},
    membership::base_url,
    metrics::Metrics,
    queue::{ClientTransport, Drain, DrainOptions, QueueHandle},
    server::{self, Limits},
    tasks::Tasks,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Config,
    http::{self, App, Curl, Parts},
    miner::Miner,
    net::Net,
    node::{self, Identity, Members, Node, Probes, State, writer},
    rebuild,
    status::Status,
    store::{self, StoreError, meta},
    tasks::{
        self, later::Later, membership::Membership, queue::NodeQueue, receipts::Receipts, relay::Relay, sync::Sync,
        wallet::Wallet,
    },
};

/// What this is.
const BUILD: Build =
    Build { program: "raclette-peer", version: env!("CARGO_PKG_VERSION"), commit: option_env!("RACLETTE_BUILT_FROM") };
/// The format of the data directory.
pub(crate) const FORMAT: Format = Format { service: "peer", version: 1 };
/// The database in it.
pub(crate) const DATABASE: &str = "peer.sqlite";
/// How long requests, and then tasks, may take to end. With the farewell, which takes a second at most, and the last
/// commit this stays below the five seconds that a peer may take to stop.
const GRACE: Duration = Duration::from_millis(1_500);
/// The largest request body where a route says nothing else.
const BODY_LIMIT: usize = 64 << 10;

/// Why a peer could not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The key file cannot be used.
    #[error("the key file {file} cannot be used: {reason}")]
    Key {
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// The owner's token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store cannot be opened, or failed.
    #[error("{error}{mend}", error = .0, mend = mend(.0))]
    Store(#[from] StoreError),
    /// Where to listen, or what to advertise, is not clear.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The operating system refuses something.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// How a damaged file is mended, for people.
fn mend(error: &StoreError) -> &'static str {
    if error.is_damaged() {
        ". Start the peer once with --rebuild: it keeps the damaged file aside, makes a new one of all that is sound in it, and \
         fetches the rest from other peers"
    } else {
        ""
    }
}

/// What is known of a peer as soon as it listens.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it listens.
    pub listening: SocketAddr,
    /// Its address in the network.
    pub address: Address,
}

/// Runs a peer on this listener until `shutdown` completes, then stops within five seconds.
///
/// # Errors
/// When it cannot start, or what it knows cannot be brought into order at the end.
pub async fn run(config: Config, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    run_and_tell(config, listener, shutdown, None).await
}

/// As [`run`], telling `started` when the peer listens.
///
/// # Errors
/// As [`run`].
pub async fn run_and_tell(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    started: Option<oneshot::Sender<Started>>,
) -> Result<(), RunError> {
    let listening = listener.local_addr()?;
    let (host, port) = (config.listen.advertised_host()?, config.listen.advertised_port(listening.port()));
    let directory = DataDir::open(&config.data_dir(), FORMAT)?;
    crash_point("start", "directory_locked");
    let key = load_key(&config, &directory)?;
    let gate = config.access.owner_gate(&directory)?;
    let owner = key.public().address();
    let identity = Identity { name: config.name.clone(), key: Arc::new(key) };
    let file = directory.file(DATABASE);
    if config.rebuild {
        rebuild::rebuild(&file, &identity).await?;
    }
    let (mut writer, readers) = store::open(&file).await?;
    crash_point("start", "store_open");

    let state = State::stored(&readers).await?.map(Arc::new);
    if let Some(state) = &state
        && meta::get(&readers, meta::key::CHECKSUM).await?.is_none()
    {
        // A file of an older program gets its checksum here.
        meta::set(&mut writer, meta::key::CHECKSUM, &state.checksum.to_string()).await?;
    }
    let members = Members::restored(owner, &store::peers::all(&readers).await?);
    crash_point("start", "members_loaded");
    let (node, ends) = Node::new(identity, readers.clone(), state, members);
    let status = Arc::new(stored_status(&config, &readers).await?);

    let chaos = config.chaos.then(Chaos::default);
    let client = Client::new(config.limits.client(), config.access.address_policy(listening.ip()))?;
    let client = client.with_chaos(chaos.clone());
    let tracker = Destination::configured("tracker", None, &config.tracker.host, config.tracker.port);
    let join_token = config.join_token.as_deref().map(Arc::from);
    let net = Net::new(client, tracker, join_token, &owner);

    // The writer ends last: everything that was acknowledged is committed by then.
    let (stop_writer, writer_stopped) = oneshot::channel::<()>();
    let writing = tokio::spawn(writer::run(ends, writer, owner, async {
        // A dropped sender means the same.
        let _ = writer_stopped.await;
    }));

    crash_point("start", "writer_started");
    let running = Tasks::new();
    let queue = QueueHandle::new();
    let miner = Arc::new(Miner::new(Arc::clone(&node), running.clone()));
    let membership = Arc::new(Membership::new(
        Arc::clone(&node),
        net.clone(),
        Arc::clone(&status),
        queue.clone(),
        (host.clone(), port),
        config.tracker_interval,
    ));
    let (probes, orders) = Probes::new(owner);
    running.spawn("probe", tasks::probe::run(orders, net.clone(), running.stopping()));
    // Whoever waits for an outcome is answered before the server's deadline for its last requests.
    let waiting = CancellationToken::new();
    let metrics = Metrics::new(BUILD);
    let app = App::from(Parts {
        node: Arc::clone(&node),
        tasks: running.clone(),
        metrics: metrics.clone(),
        backups: Backups::new(
            &directory,
            DATABASE,
            owner.to_string(),
            config.limits.keep_backups,
            Arc::new(|copy| node::inspect_copy(copy).boxed()),
        ),
        miner,
        status: Arc::clone(&status),
        queue: queue.clone(),
        probes,
        gate,
        curl: Curl { url: base_url(&host, port), token: config.access.curl_option(&directory) },
        chaos,
        stopping: waiting.clone(),
    });
    let router = http::router(app);
    let router = layers::wrap(
        router,
        Shared {
            address: owner.to_string(),
            hosts: config.access.host_allow_list(&host),
            body_limit: BODY_LIMIT,
            rates: config.limits.rates(member_lookup(&node)),
            metrics,
        },
    );
    crash_point("start", "api_made");
    start_tasks(&config, &running, &node, &net, &status, &queue, &membership);
    crash_point("start", "tasks_started");

    tracing::info!(name = config.name, address = %owner, url = %format_args!("http://{listening}"), "the peer is up");
    if let Some(started) = started {
        // A starter that has gone away needs no word.
        let _ = started.send(Started { listening, address: owner });
    }
    let shutdown = async {
        shutdown.await;
        waiting.cancel();
    };
    let limits = Limits { drain: GRACE, ..config.limits.server() };
    server::serve(listener, router, limits, shutdown).await;

    // The tasks first: one of them would register again.
    running.shutdown(GRACE).await;
    membership.leave().await;
    // Whoever still holds the node can no longer write; the file is brought into order.
    drop(stop_writer);
    writing.await.map_err(io::Error::other)??;
    readers.close().await;
    tracing::info!(name = config.name, "the peer is down");
    Ok(())
}

/// Members by what they call themselves and where they call from, so that their requests are counted by their keys.
fn member_lookup(node: &Arc<Node>) -> MemberLookup {
    let node = Arc::clone(node);
    Arc::new(move |named, ip| {
        let address = named.parse::<Address>().ok()?;
        let host = node.members().host_of(&address)?;
        (host.parse::<IpAddr>().ok()?.to_canonical() == ip).then(|| named.to_owned())
    })
}

fn start_tasks(
    config: &Config,
    running: &Tasks,
    node: &Arc<Node>,
    net: &Net,
    status: &Arc<Status>,
    queue: &QueueHandle,
    membership: &Arc<Membership>,
) {
    let stopping = running.stopping();
    let (membership, shared) = (Arc::clone(membership), Arc::clone(status));
    let token = stopping.clone();
    running.spawn("membership", async move {
        tasks::run_periodically("membership", &shared.tracker, token, || membership.activate()).await;
    });
    let sync = Sync::new(Arc::clone(node), net.clone(), Arc::clone(status), config.sync_interval);
    let (token, shared) = (stopping.clone(), Arc::clone(status));
    running.spawn("sync", async move {
        tasks::run_periodically("sync", &shared.sync, token, || sync.activate()).await;
    });
    let later = Later::new(Arc::clone(node), Arc::clone(status));
    let (token, bell) = (stopping.clone(), Arc::clone(node));
    running.spawn("later", async move {
        tasks::run_periodically("later", bell.later_bell(), token, || later.activate()).await;
    });
    let (wallet, token) = (Wallet::new(Arc::clone(node)), stopping.clone());
    running.spawn("wallet", async move {
        tasks::run_periodically("wallet", &Notify::new(), token, || wallet.activate()).await;
    });
    let relay = Relay::new(Arc::clone(node), net.clone());
    running.spawn("relay", relay.run(stopping.clone()));
    let receipts = Receipts::new(Arc::clone(node), net.clone());
    running.spawn("receipts", receipts.run(config.sync_interval, stopping.clone()));
    running.spawn("mail", tasks::mail::run(Arc::clone(node), net.clone(), stopping.clone()));

    let mut options = CallOptions::default();
    if let Ok(own) = node.identity().address().to_string().parse() {
        options.headers.insert(raclette_api::FROM_HEADER, own);
    }
    let transport = ClientTransport::new(net.client().clone(), options);
    let drain = Drain::new(
        NodeQueue(Arc::clone(node)),
        Arc::clone(node),
        transport,
        queue.clone(),
        DrainOptions { grace: GRACE / 2, ..DrainOptions::default() },
    );
    let token = stopping.clone();
    running.spawn("queue", async move { drain.run(&token).await });
    running.spawn("queue bell", tasks::queue::ring(Arc::clone(node), queue.clone(), stopping));
}

/// Reads the key file, or makes it: PKCS#8 in PEM, mode 0600, encrypted if there is a passphrase.
fn load_key(config: &Config, directory: &DataDir) -> Result<PrivateKey, RunError> {
    let file = directory.file("key.pem");
    let failed = |reason: String| RunError::Key { file: file.display().to_string(), reason };
    let passphrase = match &config.passphrase_file {
        Some(path) => {
            let bytes = data_dir::read_secret(path).map_err(|error| failed(error.to_string()))?;
            let text = String::from_utf8(bytes).map_err(|_| failed(String::from("the passphrase is not UTF-8")))?;
            Some(text.trim_end_matches(['\n', '\r']).to_owned())
        }
        None => None,
    };
    match data_dir::read_secret(&file) {
        Ok(pem) => {
            let pem = String::from_utf8(pem).map_err(|_| failed(KeyFileError::NotPkcs8.to_string()))?;
            PrivateKey::from_pem(&pem, passphrase.as_deref()).map_err(|error| failed(error.to_string()))
        }
        Err(SecretFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            tracing::info!(file = %file.display(), "making a key; whoever has this file is this peer, so keep a copy of it safe");
            let key =
                PrivateKey::generate(KeySize::from(config.key_bits)).map_err(|error| failed(error.to_string()))?;
            let pem = key.to_pem(passphrase.as_deref()).map_err(|error| failed(error.to_string()))?;
            data_dir::create_secret(&file, pem.as_bytes()).map_err(|error| failed(error.to_string()))?;
            Ok(key)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

async fn stored_status(config: &Config, readers: &sqlx::SqlitePool) -> Result<Status, RunError> {
    let key = match meta::get(readers, meta::key::TRACKER_KEY).await? {
        Some(pem) => Some(
            encoding::public_key("tracker_key", &pem)
                .map_err(|error| StoreError::damaged("the tracker's key", &error))?,
        ),
        None => None,
    };
    // A key named by the owner counts more than the one that is remembered.
    let key: Option<PublicKey> = key.filter(|key| config.tracker_key.is_none_or(|wanted| key.address() == wanted));
    let epoch = match meta::get(readers, meta::key::EPOCH).await? {
        Some(text) => text.parse().map_err(|_| StoreError::damaged("the epoch", &text))?,
        None => 0,
    };
    Ok(Status::new(config.tracker.to_string(), key, config.tracker_key, epoch))
}
