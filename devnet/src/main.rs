//! A whole local Raclette network in one command.
//!
//! # Layout, in reading order
//! - [`cli`]: the command line. [`plan`]: which services there are, and where. [`data`], [`ports`]: what must be right
//!   before anything starts.
//! - [`network`]: start, attend, stop. [`supervisor`] and [`process`]: the services as child processes of this very
//!   program. [`ready`]: waiting for them.
//! - [`console`]: what a person types. [`activity`]: what happens without it. [`probe`], [`status`], [`watch`], [`tour`],
//!   [`follow`], [`terminal`]: what a person sees.
//! - [`service`]: what a child process runs. [`healthcheck`]: one question, for containers. [`restore`]: a copy of a database
//!   in its place. [`mod@bench`]: how fast it all is. [`soak`]: whether it keeps its promises whatever happens.

mod activity;
mod bench;
mod cli;
mod console;
mod data;
mod follow;
mod healthcheck;
mod network;
mod plan;
mod ports;
mod probe;
mod process;
mod ready;
mod restore;
mod service;
mod soak;
mod status;
mod supervisor;
mod terminal;
mod tour;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    terminal::set_up();
    let outcome = match cli.command {
        None => return network::run(cli.options).await,
        Some(Command::Tracker(tracker)) => service::tracker(*tracker).await,
        Some(Command::Peer(peer)) => service::peer(*peer).await,
        Some(Command::Bench(options)) => bench::run(options).await,
        Some(Command::Soak(options)) => soak::run(options).await,
        Some(Command::Restore(options)) => restore::run(options).await,
        Some(Command::Healthcheck { url }) => healthcheck::check(&url.unwrap_or_else(healthcheck::usual_url)).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(error);
            ExitCode::FAILURE
        }
    }
}
