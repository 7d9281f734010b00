//! How a service calls another one: the only place that knows the HTTP client library.
//!
//! Callers name a [`Destination`] and get an [`Answer`] or a [`SendError`], neither of which speaks of HTTP more than it
//! must. No redirect is followed, no proxy of the environment is used, nothing is decompressed, and every answer has a
//! deadline and a greatest size. Names are resolved here, checked, and the connection goes to the very address that was
//! checked, so that a name cannot be made to point elsewhere in between.

mod address_policy;
mod destination;
mod error;
mod host;

use std::{net::SocketAddr, time::Duration};

use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::Response;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

pub use self::{
    address_policy::{AddressError, AddressPolicy},
    destination::Destination,
    error::SendError,
    host::Host,
};
use crate::{
    chaos::{Chaos, Passage, Way},
    layers::RACLETTE_ADDRESS,
    request_id::{RequestId, X_REQUEST_ID},
};

/// Bounds of a client, and the defaults of its calls.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Within this time a name must be resolved, and within this time each connection must stand.
    pub connect_timeout: Duration,
    /// Within this time the whole answer must have arrived.
    pub call_timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub largest_answer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            call_timeout: Duration::from_secs(15),
            largest_answer: 8 * 1024 * 1024,
        }
    }
}

/// What one call does differently.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// Instead of [`Settings::call_timeout`].
    pub timeout: Option<Duration>,
    /// Instead of [`Settings::largest_answer`], in bytes.
    pub largest_answer: Option<usize>,
    /// Headers to send along, such as who calls, or an owner's token.
    pub headers: HeaderMap,
}

/// A successful answer.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The status, 200 to 299.
    pub status: u16,
    /// The address of the service that answered, if it told one.
    pub address: Option<String>,
    /// What it said. An empty body is read as `null`.
    pub body: T,
}

/// Calls other services. Cloning it is cheap and shares its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    policy: AddressPolicy,
    settings: Settings,
    chaos: Option<Chaos>,
}

/// Idle connections are given up before the other side's deadline for the next request (10 s) closes them: a request
/// must not meet a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(5);

/// Of a name's addresses, so many are tried.
const ADDRESSES: usize = 4;

/// An error's document is read up to this size.
const LARGEST_PROBLEM: usize = 64 * 1024;

impl Client {
    /// A client that calls supplied destinations within the bounds of this policy.
    ///
    /// # Errors
    /// The HTTP library cannot be set up.
    pub fn new(settings: Settings, policy: AddressPolicy) -> std::io::Result<Self> {
        let http = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .user_agent(concat!("raclette/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self { http, policy, settings, chaos: None })
    }

    /// The same client with faults on its links.
    #[must_use]
    pub fn with_chaos(self, chaos: Option<Chaos>) -> Self {
        Self { chaos, ..self }
    }

    /// The policy for supplied addresses.
    #[must_use]
    pub fn policy(&self) -> &AddressPolicy {
        &self.policy
    }

    /// Gets a path and reads the answer as JSON.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        to: &Destination,
        path: &str,
        options: &CallOptions,
    ) -> Result<Answer<T>, SendError> {
        self.call(Method::GET, to, path, None, options).await
    }

    /// Gets a path and returns the JSON text unread: what is large is better read by [`read_json`] on another thread.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn get_text(&self, to: &Destination, path: &str, options: &CallOptions) -> Result<Vec<u8>, SendError> {
        self.call_for_text(Method::GET, to, path, None, options).await.map(|(_, text)| text)
    }

    /// Posts a value as JSON and reads the answer as JSON.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn post_json<B: Serialize + Sync + ?Sized, T: DeserializeOwned>(
        &self,
        to: &Destination,
        path: &str,
        body: &B,
        options: &CallOptions,
    ) -> Result<Answer<T>, SendError> {
        let body = serde_json::to_vec(body).map_err(|error| SendError::Unsent { reason: error.to_string() })?;
        self.post_bytes(to, path, body.into(), options).await
    }

    /// Posts a JSON text that was made before (a queued request, or one that goes to many) and reads the answer as JSON.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn post_bytes<T: DeserializeOwned>(
        &self,
        to: &Destination,
        path: &str,
        body: Bytes,
        options: &CallOptions,
    ) -> Result<Answer<T>, SendError> {
        self.call(Method::POST, to, path, Some(body), options).await
    }

    /// Calls with any method; `body` is a JSON text.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        to: &Destination,
        path: &str,
        body: Option<Bytes>,
        options: &CallOptions,
    ) -> Result<Answer<T>, SendError> {
        let (answer, text) = self.call_for_text(method, to, path, body, options).await?;
        Ok(Answer { status: answer.status, address: answer.address, body: read_json(&text)? })
    }

    async fn call_for_text(
        &self,
        method: Method,
        to: &Destination,
        path: &str,
        body: Option<Bytes>,
        options: &CallOptions,
    ) -> Result<(Answer<()>, Vec<u8>), SendError> {
        let within = options.timeout.unwrap_or(self.settings.call_timeout);
        let called = timeout(within, Box::pin(self.exchange_in_chaos(method, to, path, body, options))).await;
        called.unwrap_or_else(|_| Err(SendError::late(within)))
    }

    /// The exchange, unless a fault that was switched on is in its way.
    async fn exchange_in_chaos(
        &self,
        method: Method,
        to: &Destination,
        path: &str,
        body: Option<Bytes>,
        options: &CallOptions,
    ) -> Result<(Answer<()>, Vec<u8>), SendError> {
        let Some(chaos) = &self.chaos else { return self.exchange(method, to, path, body, options).await };
        let passage = chaos.pass(to.address().unwrap_or_else(|| to.name()), Way::Out).await;
        if let Some(obstacle) = passage.obstacle() {
            return Err(SendError::Unreachable { reason: String::from(obstacle) });
        }
        let answer = self.exchange(method, to, path, body, options).await?;
        match passage {
            Passage::AnswerLost => Err(SendError::Unreachable { reason: String::from("chaos: the answer is lost") }),
            Passage::Through | Passage::Cut | Passage::RequestLost => Ok(answer),
        }
    }

    /// Sends, checks who answered, and reads the whole answer.
    async fn exchange(
        &self,
        method: Method,
        to: &Destination,
        path: &str,
        body: Option<Bytes>,
        options: &CallOptions,
    ) -> Result<(Answer<()>, Vec<u8>), SendError> {
        let mut headers = options.headers.clone();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, application/problem+json"));
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(id) = RequestId::current() {
            headers.entry(X_REQUEST_ID).or_insert(id.header_value());
        }
        let addresses = self.addresses(to).await?;
        if let Some(host) = to.host_header() {
            headers.insert(header::HOST, host);
        }
        let response = self.first_to_connect(&addresses, &method, path, body, &headers).await?;

        let address = response.headers().get(RACLETTE_ADDRESS).and_then(|value| value.to_str().ok()).map(str::to_owned);
        to.is_reached(address.as_deref())?;
        let status = response.status();
        if !status.is_success() {
            let headers = response.headers().clone();
            let text = read(response, LARGEST_PROBLEM).await.unwrap_or_default();
            return Err(SendError::refused(status, &headers, &text));
        }
        let text = read(response, options.largest_answer.unwrap_or(self.settings.largest_answer)).await?;
        Ok((Answer { status: status.as_u16(), address, body: () }, text))
    }

    /// Where the destination is. What others supplied is held against the policy.
    async fn addresses(&self, to: &Destination) -> Result<Vec<SocketAddr>, SendError> {
        let host = Host::parse(to.host()).map_err(SendError::Forbidden)?;
        let resolved = timeout(self.settings.connect_timeout, host.resolve(to.port())).await;
        let resolved = resolved.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let mut addresses = resolved.map_err(|error| SendError::unresolved(&error))?;
        if to.is_supplied() {
            addresses = self.policy.permitted(addresses).map_err(SendError::Forbidden)?;
        }
        addresses.truncate(ADDRESSES);
        Ok(addresses)
    }

    /// Tries one address after the other, as long as no connection stands. What was sent is not sent again.
    async fn first_to_connect(
        &self,
        addresses: &[SocketAddr],
        method: &Method,
        path: &str,
        body: Option<Bytes>,
        headers: &HeaderMap,
    ) -> Result<Response, SendError> {
        let mut last = SendError::unresolved(&std::io::ErrorKind::NotFound.into());
        for address in addresses {
            let url = format!("http://{address}/{}", path.trim_start_matches('/'));
            let mut request = self.http.request(method.clone(), url).headers(headers.clone());
            if let Some(body) = &body {
                request = request.body(body.clone());
            }
            match request.send().await {
                Ok(response) => return Ok(response),
                Err(error) if error.is_connect() => last = SendError::unreachable(error),
                Err(error) => return Err(SendError::unreachable(error)),
            }
        }
        Err(last)
    }
}

/// Reads the JSON text of an answer; an empty one is read as `null`.
///
/// # Errors
/// [`SendError::BadAnswer`].
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, SendError> {
    let text = if text.is_empty() { b"null" } else { text };
    serde_json::from_slice(text).map_err(|error| SendError::BadAnswer { reason: undecodable(&error) })
}

/// The body, piece by piece, up to a size.
async fn read(mut response: Response, largest: usize) -> Result<Vec<u8>, SendError> {
    let mut text = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(SendError::unreachable)? {
        if text.len() + piece.len() > largest {
            return Err(SendError::BadAnswer { reason: format!("it is larger than {largest} bytes") });
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

/// Where decoding failed and of what kind the fault is; serde's own words may quote the body.
fn undecodable(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "it is JSON of another shape",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON",
        serde_json::error::Category::Eof => "it is cut short",
    };
    format!("{kind} (line {}, column {})", error.line(), error.column())
}
