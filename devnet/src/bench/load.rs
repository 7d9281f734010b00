//! The load generator: connections that are kept open, and loops that send the next request when the last is answered.
//!
//! It does as little as it can, since it shares the processors with what it measures: no client library, no names, no
//! reading of answers but for their status. The connections stand, and the requests are made, before the clock starts.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{net::TcpStream, task::JoinSet};

use super::Failure;

/// A request of a load, and the answer that it must get.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    /// A JSON text, or nothing.
    pub(super) body: Bytes,
    pub(super) expected: StatusCode,
}

impl Call {
    /// Posts a JSON text.
    pub(super) fn post(path: &str, body: Vec<u8>, expected: StatusCode) -> Self {
        Self { method: Method::POST, path: path.to_owned(), body: body.into(), expected }
    }

    /// Reads a path.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Bytes::new(), expected: StatusCode::OK }
    }
}

/// What a load took.
#[derive(Debug)]
pub(super) struct Outcome {
    elapsed: Duration,
    /// Of each request, from the shortest to the longest.
    latencies: Vec<Duration>,
}

impl Outcome {
    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        rate(self.latencies.len(), self.elapsed)
    }

    /// How long all of it took.
    pub(super) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What that many percent of the requests did not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let index = self.latencies.len().saturating_sub(1) * percent / 100;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

/// How many of something there were a second.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(super) fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// A connection to a service.
#[derive(Debug)]
pub(super) struct Connection {
    to: SocketAddr,
    sender: http1::SendRequest<Full<Bytes>>,
    host: HeaderValue,
    token: Option<HeaderValue>,
}

impl Connection {
    /// Opens a connection.
    pub(super) async fn open(to: SocketAddr) -> Result<Self, Failure> {
        Ok(Self { to, sender: connect(to).await?, host: HeaderValue::try_from(to.to_string())?, token: None })
    }

    /// The same connection, for the owner of the service.
    pub(super) fn with_token(self, token: &str) -> Result<Self, Failure> {
        let mut token = HeaderValue::try_from(format!("Bearer {token}"))?;
        token.set_sensitive(true);
        Ok(Self { token: Some(token), ..self })
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    pub(super) async fn send(
        &mut self,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        if self.sender.ready().await.is_err() {
            // Services close connections on which nothing comes for a while.
            self.sender = connect(self.to).await?;
        }
        let answer = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Makes a call, and complains if the answer is another than expected.
    pub(super) async fn call(&mut self, call: &Call) -> Result<Bytes, Failure> {
        let (status, answer) = self.send(&call.method, &call.path, call.body.clone()).await?;
        if status == call.expected {
            return Ok(answer);
        }
        let answer = String::from_utf8_lossy(&answer);
        Err(format!("{} {}: expected {}, found {status}: {answer}", call.method, call.path, call.expected).into())
    }

    /// Reads a path as JSON.
    pub(super) async fn read<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        Ok(serde_json::from_slice(&self.call(&Call::get(path)).await?)?)
    }
}

async fn connect(to: SocketAddr) -> Result<http1::SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Makes all calls, so many at a time, each on a connection that is open already.
pub(super) async fn drive(to: SocketAddr, in_flight: usize, calls: Vec<Call>) -> Result<Outcome, Failure> {
    let mut connections = Vec::with_capacity(in_flight);
    for _ in 0..in_flight {
        connections.push(Connection::open(to).await?);
    }
    let (calls, next) = (Arc::new(calls), Arc::new(AtomicUsize::new(0)));
    let mut loops = JoinSet::new();
    let started = Instant::now();
    for mut connection in connections {
        let (calls, next) = (Arc::clone(&calls), Arc::clone(&next));
        loops.spawn(async move {
            let mut latencies = Vec::with_capacity(calls.len());
            while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = Instant::now();
                connection.call(call).await.map_err(|error| error.to_string())?;
                latencies.push(sent.elapsed());
            }
            Ok::<_, String>(latencies)
        });
    }
    let mut latencies = Vec::with_capacity(calls.len());
    while let Some(ended) = loops.join_next().await {
        latencies.extend(ended??);
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Ok(Outcome { elapsed, latencies })
}
