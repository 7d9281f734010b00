//! What the tests drive: a network of real services, and helpers that read like sentences.

pub(crate) mod free_ports;
pub(crate) mod http;
mod keys;
mod network;
mod peer;
mod service;

use std::time::{Duration, Instant};

pub(crate) use self::{
    keys::{key_of, provide as provide_key},
    network::{Network, Settings},
    peer::Peer,
    service::Service,
};

/// Long enough for a slow machine that does other things too.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// How much of something long is run: all of it, or the part that the environment variable `SCALE` says, such as 0.1.
pub(crate) fn scaled(whole: f64) -> f64 {
    whole * std::env::var("SCALE").ok().and_then(|scale| scale.parse::<f64>().ok()).unwrap_or(1.0)
}

/// Repeats the question until there is an answer, and panics with what was waited for if there is none in time.
pub(crate) async fn eventually<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    const PERIOD: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(PERIOD).await;
    }
}

/// The same for a plain condition.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    eventually(what, SOON, async || holds().await.then_some(())).await;
}
