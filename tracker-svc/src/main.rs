//! The tracker as a program.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use raclette_service::{tasks::shutdown_signal, telemetry};
use tracker_svc::config::{Config, USUAL_PORT};

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    match start(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not through the log: it may be the log's own settings that are wrong. If standard error is gone as well, the
            // exit code is all that is left.
            let _ = writeln!(io::stderr(), "raclette-tracker: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    telemetry::init(&config.log)?;
    let shutdown = shutdown_signal()?;
    let listener = config.listen.bind(USUAL_PORT..=USUAL_PORT).await?;
    Ok(tracker_svc::run(config, listener, shutdown).await?)
}
