//! One connection, from its acceptance to its end.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use http::Request;
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::Watcher,
};
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower_http::timeout::DeadlineBody;

use super::{Limits, io::WriteDeadline};

/// The greatest number of headers in a request; one with more is answered with 431.
const HEADERS: usize = 64;

/// What is read ahead of a connection at most, in bytes; a longer head is answered with 431.
const BUFFER: usize = 64 * 1024;

/// Serves the requests of this connection, one after the other.
///
/// What ends a connection early (a deadline, a reset, something that is not HTTP) is the client's business, and logged
/// for those who look for it.
pub(super) fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    router: Router,
    limits: &Limits,
    watcher: Watcher,
) -> impl Future<Output = ()> + use<> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%remote, %error, "cannot switch off Nagle's algorithm");
    }
    let body_timeout = limits.body_timeout;
    let service = service_fn(move |request| answer(request, remote, router.clone(), body_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(WriteDeadline::new(stream, limits.write_timeout)), service);
    let served = watcher.watch(connection);
    async move {
        if let Err(error) = served.await {
            tracing::debug!(%remote, %error, "connection ended early");
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    remote: SocketAddr,
    router: Router,
    body_timeout: Duration,
) -> Result<Response, Infallible> {
    let mut request = request.map(|body| {
        // A request without a body needs no timer.
        if body.is_end_stream() { Body::empty() } else { Body::new(DeadlineBody::new(body_timeout, body)) }
    });
    request.extensions_mut().insert(ConnectInfo(remote));
    router.oneshot(request).await
}
