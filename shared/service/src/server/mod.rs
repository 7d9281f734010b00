//! The loop that serves connections.
//!
//! `axum::serve` sets no deadline for a client that sends its request slowly, or never, and upstream leaves it so.
//! Hence a loop of our own: HTTP/1.1 only (looking for the HTTP version has no deadline), a deadline for the head and
//! one for the body of each request, one for a client that does not read its answer, and bounds on connections.

mod connection;
mod io;
mod slots;

use std::{io::Error, pin::pin, time::Duration};

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};

use self::slots::Slots;

/// The bounds that the loop keeps.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Within this time a connection must send the head of its (next) request. It also ends idle connections.
    pub header_timeout: Duration,
    /// Within this time after the head the whole body must have arrived.
    pub body_timeout: Duration,
    /// A client that takes no byte of its answer for so long is cut off.
    pub write_timeout: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one IP address; loopback is spared.
    pub connections_per_ip: usize,
    /// How long requests in flight may go on after the shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            connections: 1024,
            connections_per_ip: 256,
            drain: Duration::from_secs(4),
        }
    }
}

/// Serves the router on this listener until `shutdown` completes, then lets requests in flight finish for
/// [`Limits::drain`] and cuts off the rest.
///
/// Handlers can take `ConnectInfo<SocketAddr>`. Dropping the future ends all connections.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let graceful = GracefulShutdown::new();
    let slots = Slots::new(limits.connections, limits.connections_per_ip);
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    if let Some(slot) = slots.take(remote.ip()) {
                        let served = connection::serve(stream, remote, router.clone(), &limits, graceful.watcher());
                        tasks.spawn(async move {
                            served.await;
                            drop(slot);
                        });
                    }
                }
                Err(error) => wait_after(&error).await,
            },
        }
    }
    drop(listener);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests still in flight are cut off");
    }
    tasks.shutdown().await;
}

/// After a failed `accept`: the errors of a single connection don't matter, but when the process has no file
/// descriptors left the loop must not spin until it gets one.
async fn wait_after(error: &Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept connections");
        sleep(Duration::from_millis(500)).await;
    }
}
