//! A Raclette peer by itself.

use std::process::ExitCode;

use clap::Parser;
use raclette_service::{tasks::shutdown_signal, telemetry};

/// A Raclette peer: sends encrypted messages and money, mines on command, and agrees with the others on one chain.
///
/// It needs a tracker to find the others: start one with `cargo run --release -p tracker-svc`. When it is up, its API is
/// explained at /docs, and everything it stores is in its data directory; the key file in there is its identity.
#[derive(Debug, Parser)]
#[command(version = env!("RACLETTE_VERSION"), about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    config: peer_svc::Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { config } = Cli::parse();
    if let Err(error) = telemetry::init(&config.log) {
        return fail(&error);
    }
    match start(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

async fn start(config: peer_svc::Config) -> Result<(), Box<dyn std::error::Error>> {
    let listener = config.listen.bind(peer_svc::config::USUAL_PORTS).await?;
    let shutdown = shutdown_signal()?;
    peer_svc::run(config, listener, shutdown).await?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a program that cannot start says so where its user looks")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
