//! What a child process runs: one service, from its settings to its end.

use std::{io::Read, thread};

use clap::Args;
use raclette_service::{config::LogArgs, tasks::shutdown_signal, telemetry};
use tokio_util::sync::CancellationToken;

/// A tracker and how it ends.
#[derive(Debug, Args)]
pub(crate) struct Tracker {
    #[command(flatten)]
    config: tracker_svc::config::Config,
    #[command(flatten)]
    ends: Ends,
}

/// A peer and how it ends.
#[derive(Debug, Args)]
pub(crate) struct Peer {
    #[command(flatten)]
    config: peer_svc::Config,
    #[command(flatten)]
    ends: Ends,
}

#[derive(Debug, Args)]
struct Ends {
    /// Stop when standard input ends, as it does when devnet is gone
    #[arg(long, hide = true)]
    supervised: bool,
}

/// Runs a tracker to its end.
pub(crate) async fn tracker(Tracker { config, ends }: Tracker) -> Result<(), String> {
    let shutdown = prepare(&config.log, &ends)?;
    let port = tracker_svc::config::USUAL_PORT;
    let listener = config.listen.bind(port..=port).await.map_err(|error| error.to_string())?;
    tracker_svc::run(config, listener, shutdown).await.map_err(|error| error.to_string())
}

/// Runs a peer to its end.
pub(crate) async fn peer(Peer { config, ends }: Peer) -> Result<(), String> {
    let shutdown = prepare(&config.log, &ends)?;
    let listener = config.listen.bind(peer_svc::config::USUAL_PORTS).await.map_err(|error| error.to_string())?;
    peer_svc::run(config, listener, shutdown).await.map_err(|error| error.to_string())
}

/// Starts the log; what completes when the service is to stop.
fn prepare(log: &LogArgs, ends: &Ends) -> Result<impl Future<Output = ()> + Send + use<>, String> {
    telemetry::init(log).map_err(|error| error.to_string())?;
    let signal = shutdown_signal().map_err(|error| error.to_string())?;
    let alone = CancellationToken::new();
    if ends.supervised {
        let alone = alone.clone();
        // A thread of its own, because nobody can wait for a read that may never end.
        thread::spawn(move || {
            wait_for_the_end_of(std::io::stdin().lock());
            alone.cancel();
        });
    }
    Ok(async move {
        tokio::select! {
            () = signal => {}
            () = alone.cancelled() => {}
        }
    })
}

/// Returns when there is nothing to read any more, or nothing can be read.
fn wait_for_the_end_of(mut input: impl Read) {
    let mut ignored = [0; 64];
    while !matches!(input.read(&mut ignored), Ok(0) | Err(_)) {}
}
