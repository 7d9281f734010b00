//! The HTTP API: thin callers of the node.
//!
//! - For the network, open to everybody: `status`, `membership`, `transactions`, `build`, `chain`, `blocks` (with
//!   `compact`), `race`, `explain`, `history`; `events`, which tells the owner more.
//! - For the owner, behind a token: `wallet`, `mail`, `conversations`, `mining`, `queue`, `propagation`,
//!   and `bans`, which also cuts off who deserves it.
//! - What they share: `error` (what goes wrong, as a problem), `answers` (what a route may answer), `read` (parts of
//!   requests), `idempotency` (requests that come again), `links` (what leads from one operation to the next), `health` (what
//!   `/readyz` looks at), `metrics` (what `/metrics` says), `page` (the page at `/`), `chaos` (faults for whoever learns or
//!   tests).
//!
//! A handler is a sentence, its description for the OpenAPI document, extractors, and a few lines; what it needs beyond
//! that is a function below it.

mod answers;
mod bans;
mod blocks;
mod build;
mod chain;
mod chaos;
mod compact;
mod conversations;
mod error;
mod events;
mod explain;
mod health;
mod history;
mod idempotency;
mod links;
mod mail;
mod membership;
mod metrics;
mod mining;
mod page;
mod propagation;
mod queue;
mod quickstart;
mod race;
mod read;
mod status;
mod transactions;
mod wallet;

use std::{future::Future, ops::Deref, sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, middleware};
use raclette_chain::address::Address;
use raclette_service::{
    access::{OwnerGate, owner_only},
    backup::{self, Backups},
    chaos::Chaos,
    docs::{self, Describe},
    extract::PreferWait,
    layers::body_limit,
    metrics::Metrics,
    problem::{self, Problem},
    queue::{self as queues, QueueHandle},
    routes,
    tasks::Tasks,
};
use tokio_util::sync::CancellationToken;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};

use self::bans::Bans;
use crate::{
    miner::Miner,
    node::{Node, Probes},
    status::Status,
};

/// The largest `POST /tx`: 500 transactions of 16 KiB.
const TRANSACTIONS_LIMIT: usize = 8 << 20;
/// The largest `POST /block`: a block of 4 MiB takes about twice as much as JSON; there is room for some messages.
const BLOCK_LIMIT: usize = 16 << 20;
/// The largest `POST /peers`: 500 changes with a registration each.
const NOTICE_LIMIT: usize = 2 << 20;

/// What the API stands on.
#[derive(Debug)]
pub struct Parts {
    /// The application.
    pub node: Arc<Node>,
    /// The mining jobs.
    pub miner: Arc<Miner>,
    /// How the peer is doing.
    pub status: Arc<Status>,
    /// The view of the queue, and its bell.
    pub queue: QueueHandle,
    /// What runs in the background.
    pub tasks: Tasks,
    /// What is counted.
    pub metrics: Metrics,
    /// The copies of the database.
    pub backups: Backups,
    /// Looks for members on the tracker's behalf.
    pub probes: Probes,
    /// The gate before the owner's routes.
    pub gate: OwnerGate,
    /// How the owner calls this peer, for the commands that problems name.
    pub curl: Curl,
    /// Faults of the links, if this peer was started for that.
    pub chaos: Option<Chaos>,
    /// Ends all waiting in handlers when the peer stops.
    pub stopping: CancellationToken,
}

/// How the owner calls this peer with curl.
#[derive(Debug, Clone)]
pub struct Curl {
    /// The base URL, such as `http://127.0.0.1:7701`.
    pub url: String,
    /// The option that carries the token, such as `-H "Authorization: Bearer $(cat 'raclette-data/alice/token')"`.
    pub token: String,
}

/// The state of all handlers. A clone is the same.
#[derive(Debug, Clone)]
pub struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    parts: Parts,
    bans: Bans,
}

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(Shared { parts, bans: Bans::default() }))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl FromRef<App> for Backups {
    fn from_ref(app: &App) -> Self {
        app.backups.clone()
    }
}

impl App {
    /// Who is cut off.
    fn bans(&self) -> &Bans {
        &self.0.bans
    }

    /// Waits for an outcome as long as the caller prefers to; none if it does not, or if that was not long enough.
    async fn wait<T>(&self, prefer: PreferWait, outcome: impl Future<Output = T>) -> Option<T> {
        self.wait_for(prefer.0?, outcome).await
    }

    /// Waits for an outcome; none if it takes longer, or the peer stops.
    async fn wait_for<T>(&self, longest: Duration, outcome: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            outcome = tokio::time::timeout(longest, outcome) => outcome.ok(),
            () = self.stopping.cancelled() => None,
        }
    }

    /// The name of a member, or of this peer.
    fn name_of(&self, address: &Address) -> Option<String> {
        let own = self.node.identity();
        if own.address() == *address { Some(own.name.clone()) } else { self.node.members().name_of(address) }
    }
}

/// Does work that takes longer than a moment away from the threads that answer requests.
async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
}

/// What the OpenAPI document says besides the routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Raclette peer",
        description = "A peer of a Raclette network: it sends encrypted messages and money for its owner, keeps the \
            ledger of pending transactions, mines blocks on command, and agrees with the other peers on one chain.\n\n\
            Errors are problem documents (RFC 9457) with a stable `code`; `mend` says what to do, often as the exact \
            command. Amounts, times (milliseconds since 1970) and heights are JSON integers of at most 2^53 - 1. Every \
            answer carries the peer's address in `Raclette-Address`.",
        contact(name = "The makers of Raclette"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The peer that serves this document")),
    tags(
        (name = "owner", description = "What a peer does for its owner: money, messages, mining, the queue of \
            undelivered requests. These routes want the owner's token: `Authorization: Bearer TOKEN`."),
        (name = "network", description = "What other peers and the tracker call, and reading the chain: open to \
            everybody."),
        (name = "operations", description = "Whether the process lives, whether it can do its work, and what its problems \
            mean."),
    )
)]
struct Document;

/// What is served at `/openapi.json`: written from [`openapi`], and compared with it by a test.
const DOCUMENT: &str = include_str!("../../openapi/peer.json");

/// All routes.
pub fn router(app: App) -> Router {
    let title = format!("{} - Raclette peer", app.node.identity().name);
    let page = page::routes(&app.node.identity().name, &app.curl.url);
    let (router, _) = routes(&app, Describe::Not).with_state(app.clone()).split_for_parts();
    let router = router.merge(docs::routes(DOCUMENT, &title)).merge(page);
    if app.chaos.is_some() { router.layer(middleware::from_fn_with_state(app, chaos::interfere)) } else { router }
}

/// The document that describes the routes: what they say of themselves, and the links between operations.
#[must_use]
pub fn openapi(app: &App) -> OpenApi {
    let mut openapi = routes(app, Describe::Fully).into_openapi();
    docs::link(&mut openapi, links::ARROWS);
    docs::complete(openapi)
}

/// The routes that the document describes.
fn routes(app: &App, describe: Describe) -> OpenApiRouter<App> {
    let (checked, measured) = (app.clone(), app.clone());
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(owner_only(owner(describe).merge(queues::routes()).merge(backup::routes()), app.gate.clone()))
        .merge(network(describe).layer(middleware::from_fn_with_state(app.clone(), bans::refuse)))
        .merge(always(describe))
        .merge(problem::routes())
        .merge(raclette_service::health::routes(move || health::checks(checked.clone())))
        .merge(raclette_service::metrics::route(app.metrics.clone(), move |scrape| {
            metrics::read(measured.clone(), scrape)
        }))
}

/// What the owner calls.
fn owner(describe: Describe) -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(describe; wallet::get_wallet))
        .routes(routes!(describe; wallet::send))
        .routes(routes!(describe; mail::list_messages))
        .routes(routes!(describe; conversations::list_conversations))
        .routes(routes!(describe; conversations::get_conversation))
        .routes(routes!(describe; mining::start_mining))
        .routes(routes!(describe; mining::get_mining_job, mining::cancel_mining_job))
        .routes(routes!(describe; propagation::get_transaction_propagation))
        .routes(routes!(describe; propagation::get_block_propagation))
        .routes(routes!(describe; chaos::get_chaos, chaos::put_chaos, chaos::end_chaos))
        .routes(routes!(describe; bans::list_bans))
        .routes(routes!(describe; bans::lift_bans))
        .routes(routes!(describe; history::audit_chain))
}

/// What everybody calls, also whoever is cut off.
fn always(describe: Describe) -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(describe; status::get_status))
        .routes(routes!(describe; status::answer_challenge))
        .routes(routes!(describe; events::read_events))
        .routes(routes!(describe; quickstart::get_quickstart))
        .routes(routes!(describe; quickstart::get_postman_collection))
        .routes(routes!(describe; membership::list_peers, membership::take_notice).layer(body_limit(NOTICE_LIMIT)))
        .routes(routes!(describe; membership::probe))
}

/// What everybody calls, but for whoever is cut off.
fn network(describe: Describe) -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(describe; transactions::submit_transactions).layer(body_limit(TRANSACTIONS_LIMIT)))
        .routes(routes!(describe; transactions::get_transaction))
        .routes(routes!(describe; transactions::get_message))
        .routes(routes!(describe; transactions::get_receipt))
        .routes(routes!(describe; build::build_transaction))
        .routes(routes!(describe; explain::check_transaction))
        .routes(routes!(describe; explain::prove_transaction))
        .routes(routes!(describe; transactions::list_ledger))
        .routes(routes!(describe; race::take_mining_complete))
        .routes(routes!(describe; blocks::submit_block).layer(body_limit(BLOCK_LIMIT)))
        .routes(routes!(describe; blocks::get_block))
        .routes(routes!(describe; explain::verify_block))
        .routes(routes!(describe; history::list_reorgs))
        .routes(routes!(describe; chain::list_blocks))
        .routes(routes!(describe; chain::list_headers))
        .routes(routes!(describe; chain::get_account))
}
