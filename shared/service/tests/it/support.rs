//! A small service on a port of its own, and raw connections to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use raclette_service::{
    access::{HostAllowList, OwnerGate, RateLimits, owner_only},
    build::Build,
    docs,
    extract::Json,
    health::{self, Check},
    layers::{self, Shared},
    metrics::Metrics,
    problem::{CommonProblems, Problem},
    server::{self, Limits},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The address that the service carries.
pub(crate) const ADDRESS: &str = "rac1service";
/// The owner's token.
pub(crate) const TOKEN: &str = "correct-horse-battery";
/// No test waits longer than this for something that should happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// What the service is asked to double.
#[derive(Debug, Serialize, Deserialize, ToSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Number {
    /// The number.
    pub(crate) value: u64,
}

/// Double a number.
#[utoipa::path(post, path = "/double", responses((status = 200, body = Number), CommonProblems))]
async fn double(Json(number): Json<Number>) -> Json<Number> {
    Json(Number { value: number.value * 2 })
}

/// Tell the caller's IP address, to the owner.
#[utoipa::path(get, path = "/secret", responses((status = 200, body = String), CommonProblems))]
async fn secret(ConnectInfo(remote): ConnectInfo<SocketAddr>) -> Result<Json<String>, Problem> {
    Ok(Json(remote.ip().to_string()))
}

/// The router of the service, without what a test may add.
pub(crate) fn router() -> Router {
    let gate = OwnerGate::new(TOKEN.parse().unwrap(), "the token is in FILE");
    let (router, openapi) = OpenApiRouter::new()
        .routes(routes!(double))
        .merge(owner_only(OpenApiRouter::new().routes(routes!(secret)), gate))
        .merge(health::routes(|| async { vec![Check::ok("nothing")] }))
        .split_for_parts();
    let document = docs::complete(openapi).to_json().expect("JSON can say it");
    router.merge(docs::routes(document.leak(), "test"))
}

/// Nothing counted yet.
pub(crate) fn metrics() -> Metrics {
    Metrics::new(Build { program: "test", version: "1.2.3", commit: Some("abc") })
}

/// A running service; it stops when this is dropped or told to.
pub(crate) struct Service {
    pub(crate) at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start(router: Router, limits: Limits) -> Self {
        Self::start_measured(router, limits, metrics()).await
    }

    /// The same with its requests counted here.
    pub(crate) async fn start_measured(router: Router, limits: Limits, metrics: Metrics) -> Self {
        let shared = Shared {
            address: ADDRESS.to_owned(),
            hosts: HostAllowList::default(),
            body_limit: 1024,
            rates: RateLimits::none(),
            metrics,
        };
        Self::start_bare(layers::wrap(router, shared), limits).await
    }

    /// Without the layers, to play somebody who is not of ours.
    pub(crate) async fn start_bare(router: Router, limits: Limits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server::serve(listener, router, limits, async {
            // Sent or dropped: both mean stop.
            let _ = stopped.await;
        }));
        Self { at, stop: Some(stop), served }
    }

    /// Begins the shutdown.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until the loop has ended.
    pub(crate) async fn ended(self) {
        timeout(SOON, self.served).await.expect("the service stops in time").unwrap();
    }

    /// A raw connection.
    pub(crate) async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.at).await.unwrap())
    }

    /// Sends a whole request on a connection of its own, and returns the whole answer.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut raw = self.connect().await;
        raw.send(request).await;
        raw.until_closed().await
    }
}

/// A raw connection.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything that comes until the service closes the connection, which it must do soon.
    pub(crate) async fn until_closed(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset ends the connection as well as an orderly close.
        let _ = timeout(SOON, self.0.read_to_end(&mut bytes)).await.expect("the connection is closed in time");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What comes up to and including this text.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut read = Vec::new();
        let reading = async {
            while !String::from_utf8_lossy(&read).contains(text) {
                let mut buffer = [0; 1024];
                let count = self.0.read(&mut buffer).await.unwrap();
                assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&read));
                read.extend_from_slice(&buffer[..count]);
            }
        };
        timeout(SOON, reading).await.expect("the text comes in time");
        String::from_utf8(read).unwrap()
    }
}

/// A handler that says when it was entered, and answers when it is allowed to.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    pub(crate) entered: Arc<Notify>,
    pub(crate) leave: Arc<Notify>,
}

impl Gate {
    pub(crate) async fn pass(self) -> &'static str {
        self.entered.notify_one();
        self.leave.notified().await;
        "passed"
    }
}
