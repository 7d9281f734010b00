//! The tracker's HTTP interface: what is public, what is the operator's, and the document that describes both.

mod error;
mod events;
mod members;
mod metrics;
mod network;
mod operator;
mod page;
mod queue;
mod webhooks;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use raclette_service::{
    access::{HostAllowList, OwnerGate, RateLimits, Token, owner_only},
    backup::{self, Backups},
    build::Build,
    docs::{self, Arrow, Describe},
    health::{self, Check},
    layers::{self, Shared},
    metrics::{Metrics, route},
    problem, queue as queues, routes,
    tasks::Tasks,
};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::node::Node;

/// What this is.
pub(crate) const BUILD: Build = Build {
    program: "raclette-tracker",
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("RACLETTE_BUILT_FROM"),
};

/// The largest body that is read, in bytes: a registration with a key of 4096 bits has some 2,500.
const LARGEST_BODY: usize = 64 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Raclette tracker",
        description = "It knows who is online, and tells the others. A newcomer asks `GET /network`, registers with \
                       `POST /register`, and makes the genesis block if it is told to.",
        contact(name = "The makers of Raclette"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/", description = "The tracker that serves this document")),
    tags(
        (name = "owner", description = "For the operator of this tracker: names, and the queue of undelivered requests. \
            These routes want the operator's token: `Authorization: Bearer TOKEN`."),
        (name = "network", description = "What peers call: what the network is, how it begins, and who belongs to it. Open \
            to everybody."),
        (name = "operations", description = "Whether the process lives, whether it can do its work, and what its problems \
            mean."),
    )
)]
struct Document;

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// The tracker.
    pub(crate) node: Arc<Node>,
    /// The beginning of a curl command for the operator, with the option that sends the token.
    pub(crate) operator_curl: Arc<str>,
    /// The tracker's own base URL.
    pub(crate) url: Arc<str>,
    /// What opens the operator's routes.
    pub(crate) gate: OwnerGate,
    /// The copies of the file.
    pub(crate) backups: Backups,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// What runs in the background.
    pub(crate) tasks: Tasks,
    /// Ends all waiting in handlers when the tracker stops.
    pub(crate) stopping: CancellationToken,
}

impl FromRef<App> for Backups {
    fn from_ref(app: &App) -> Self {
        app.backups.clone()
    }
}

impl FromRef<App> for Arc<Node> {
    fn from_ref(app: &App) -> Self {
        app.node.clone()
    }
}

/// The whole interface of a running tracker.
pub(crate) fn router(app: App, hosts: HostAllowList, rates: RateLimits) -> Router {
    let node = &app.node;
    let address = node.identity().address().to_string();
    let shared = Shared { address, hosts, body_limit: LARGEST_BODY, rates, metrics: app.metrics.clone() };
    let (checked, measured) = (node.clone(), app.clone());
    let measured = route(app.metrics.clone(), move |scrape| metrics::read(measured.clone(), scrape));
    let checks = move || checks(checked.clone());
    let (router, _) = routes(Describe::Not, app.gate.clone(), checks, measured).split_for_parts();
    let network = node.network_info().parameters.name;
    let page = page::routes(&network, &app.url);
    let docs = docs::routes(DOCUMENT, &format!("{network} - Raclette tracker"));
    layers::wrap(router.merge(docs).merge(page).with_state(app), shared)
}

/// What is served at `/openapi.json`: written from [`openapi`], and compared with it by a test.
const DOCUMENT: &str = include_str!("../../../openapi/tracker.json");

/// The document that describes the interface: what the routes say of themselves, and what is no route, the links between
/// operations and the calls that the tracker makes itself.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let gate = OwnerGate::new(Token::generate(), "");
    let unmeasured = route(Metrics::new(BUILD), |scrape| async { scrape });
    let mut openapi = routes(Describe::Fully, gate, || async { Vec::new() }, unmeasured).into_openapi();
    docs::link(&mut openapi, ARROWS);
    webhooks::add(&mut openapi);
    docs::complete(openapi)
}

/// What leads from one operation to the next.
const ARROWS: &[Arrow] = &[queued("retry", "retry_queued"), queued("discard", "discard_queued")];

/// From the first request in the queue.
const fn queued(name: &'static str, to: &'static str) -> Arrow {
    Arrow { from: "list_queue", status: "200", name, to, parameter: "id", value: "$response.body#/entries/0/id" }
}

fn routes<R>(
    describe: Describe,
    gate: OwnerGate,
    checks: impl Fn() -> R + Send + Sync + 'static,
    measured: OpenApiRouter<App>,
) -> OpenApiRouter<App>
where
    R: Future<Output = Vec<Check>> + Send + 'static,
{
    let public = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(describe; network::read))
        .routes(routes!(describe; network::report_genesis))
        .routes(routes!(describe; network::agreement))
        .routes(routes!(describe; network::timeline))
        .routes(routes!(describe; members::register))
        .routes(routes!(describe; members::leave))
        .routes(routes!(describe; members::list))
        .routes(routes!(describe; events::read));
    let operator = OpenApiRouter::new()
        .routes(routes!(describe; operator::free_name))
        .routes(routes!(describe; operator::override_self_preservation))
        .merge(queues::routes());
    public
        .merge(owner_only(operator.merge(backup::routes()), gate))
        .merge(problem::routes())
        .merge(health::routes(checks))
        .merge(measured)
}

async fn checks(node: Arc<Node>) -> Vec<Check> {
    let database = match node.store().check().await {
        Ok(()) => Check::ok("database"),
        Err(error) => Check::failed("database", error.to_string()),
    };
    let register = if node.is_writing() {
        Check::ok("register")
    } else {
        Check::failed("register", "the task that changes it has ended; restart the tracker")
    };
    let connection = if node.state().register.self_preservation() {
        Check::degraded(
            "connection",
            "so many members fail at once, and nobody can confirm it, that the tracker reports nobody offline; if the \
             connection is fine, DELETE /self-preservation",
        )
    } else {
        Check::ok("connection")
    };
    vec![database, register, connection]
}
