//! Starts a tracker, in `main` and in a test alike, and stops it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use raclette_chain::{address::Address, parameters::Parameters};
use raclette_service::{
    access::{MemberLookup, TokenError},
    backup::Backups,
    client::Client,
    config::ListenError,
    data_dir::{DataDir, DataDirError, Format},
    membership::{RegisterSettings, base_url},
    metrics::Metrics,
    server::{self, Limits},
    tasks::Tasks,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, NetworkArgs, ParametersConflict},
    http::{self, App},
    net::Net,
    node::{Identity, IdentityError, Node, Settings, now},
    store::{Store, StoreError},
    tasks,
};

/// What the data directory holds.
pub(crate) const FORMAT: Format = Format { service: "tracker", version: 1 };
/// The file in it.
pub(crate) const DATABASE: &str = "tracker.sqlite";
/// How long requests under way may go on when the service stops: longer than a newcomer may take to answer.
const DRAIN: Duration = Duration::from_millis(3_200);
/// How long the tasks may then finish what they are doing. Both together stay below 5 s.
const STOP: Duration = Duration::from_millis(1_300);

/// How a damaged file is mended, for people.
const MEND: &str = ". Move tracker.sqlite out of the data directory and start again with the same flags: the peers register \
    anew, and bring the genesis block along";

/// Why the tracker does not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// There is no key to sign with.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no operator's token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The database cannot be used.
    #[error("{error}{mend}", error = .0, mend = if .0.is_damaged() { MEND } else { "" })]
    Store(#[from] StoreError),
    /// The parameters given are not allowed, or not those of the network in the data directory.
    #[error(transparent)]
    Parameters(#[from] ParametersConflict),
    /// Others could not be told where the tracker is.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The listener or the HTTP client fails.
    #[error("the network cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

/// Runs a tracker on this listener until `shutdown` completes, then drains it within 5 s.
///
/// The operator's token is what the configuration says, or is in the file `token` of the data directory.
///
/// # Errors
/// See [`RunError`]; all of them come before anything is served.
pub async fn run(config: Config, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let local = listener.local_addr()?;
    let host = config.listen.advertised_host()?;
    let data = DataDir::open(&config.data_dir(), FORMAT)?;
    let gate = config.access.owner_gate(&data)?;
    // Making a key blocks for up to a few seconds, once in the life of a tracker; nothing else runs yet.
    let identity = Identity::load_or_create(&data.file("key.pem"), config.membership.key_bits)?;
    let store = Store::open(&data.file(DATABASE)).await?;
    let parameters = parameters(&store, &config.network).await?;
    store.clamp_queue(now()).await?;
    let loaded = store.load().await?;

    let client = Client::new(config.limits.client(), config.access.address_policy(local.ip()))?;
    let net = Net::new(client, &identity.address());
    let settings = Settings {
        parameters,
        register: RegisterSettings { failed_rounds: config.membership.failed_rounds },
        genesis_lease: config.membership.genesis_lease,
        join_token: config.membership.join_token.clone(),
    };
    let (node, companions) = Node::new(settings, identity, store.clone(), loaded);

    let tasks = Tasks::new();
    tasks::start(&tasks, &node, companions, &net, config.membership.liveness_interval);
    // Whoever follows the events is let go before the deadline for the last requests.
    let waiting = CancellationToken::new();
    let app = App {
        node: node.clone(),
        operator_curl: format!("curl {}", config.access.curl_option(&data)).into(),
        url: base_url(&host, config.listen.advertised_port(local.port())).into(),
        gate,
        metrics: Metrics::new(http::BUILD),
        backups: Backups::new(
            &data,
            DATABASE,
            node.identity().address().to_string(),
            config.limits.keep_backups,
            Arc::new(|copy| Store::inspect_copy(copy).boxed()),
        ),
        tasks: tasks.clone(),
        stopping: waiting.clone(),
    };
    let rates = config.limits.rates(member_lookup(&node));
    let router = http::router(app, config.access.host_allow_list(&host), rates);
    let network = node.network_info();
    tracing::info!(
        network = network.parameters.name,
        id = network.network_id.as_deref().unwrap_or("none yet"),
        members = network.peers.online + network.peers.offline,
        "the tracker listens on http://{local}, its pages are at http://{local}/docs/"
    );
    let shutdown = async {
        shutdown.await;
        waiting.cancel();
    };
    let limits = Limits { drain: DRAIN, ..config.limits.server() };
    server::serve(listener, router, limits, shutdown).await;

    tasks.shutdown(STOP).await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Members by what they call themselves and where they call from, so that their requests are counted by their keys.
fn member_lookup(node: &Arc<Node>) -> MemberLookup {
    let node = node.clone();
    Arc::new(move |named, ip| {
        let address = named.parse::<Address>().ok()?;
        let host = node.state().register.member(&address)?.record().registration?.host;
        (host.parse::<IpAddr>().ok()?.to_canonical() == ip).then(|| named.to_owned())
    })
}

/// The network's parameters: those of the first start.
async fn parameters(store: &Store, flags: &NetworkArgs) -> Result<Parameters, RunError> {
    let stored = store.parameters().await?;
    let parameters = flags.parameters(stored.as_ref())?;
    if stored.is_none() {
        store.fix_parameters(&parameters).await?;
    }
    Ok(parameters)
}
