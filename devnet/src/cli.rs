//! What devnet understands on its command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::RangedU64ValueParser};

use crate::{activity::Wanted, bench, plan::Service, restore, service, soak};

/// A whole local Raclette network in one command: a tracker, and peers that send each other messages and money.
///
/// Each service is a process of its own and listens on 127.0.0.1: the tracker on port 7700, the peers alice, bob and
/// carol on 7701 to 7703. Their databases, keys, tokens and logs are in ./raclette-data and are there again at the next
/// start. When all are ready, curl lines are printed that show a network at work; then type "help".
#[derive(Debug, Parser)]
#[command(version = env!("RACLETTE_VERSION"), after_help = EXAMPLES, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// One service alone, or a check, instead of a whole network.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The network to run.
    #[command(flatten)]
    pub(crate) options: Options,
}

const EXAMPLES: &str = "\
Examples:
  cargo run --release                            the network as described above
  cargo run --release -- --peers 5 --fresh       five peers; chain, keys and messages start over
  cargo run --release -- --mine-on-send          whatever is sent is confirmed at once
  cargo run --release -- --auto-mine 10s --tx-rate 2
                                                 a block every 10 s, two messages a second
  cargo run --release -- --liveness-interval 2s  a stopped peer is noticed after seconds
  cargo run --release -- --base-port 7800        when the usual ports are in use

While it runs, type:  status  watch  stop bob  kill bob  start bob  tour  help  quit

What to try:
  See a message wait      Type \"stop bob\", send bob a message (the first curl line of \"tour\"), type
                          \"status\": it waits in alice's queue. Type \"start bob\": it arrives.
  See a peer be missed    Start with --liveness-interval 2s, type \"kill carol\" and \"watch\": after
                          three rounds the others no longer count her as online.
  See a block confirm     Send something, find it under PENDING, have a peer mine (POST /mine): HEIGHT
                          grows, and PENDING shrinks everywhere.
  See every call          Open http://127.0.0.1:7701/docs, or the page at http://127.0.0.1:7701.
  Keep a copy             POST /backup makes one of a running service; \"restore\" puts it back.";

/// The network to run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How many peers there are; the first three are alice, bob and carol
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = RangedU64ValueParser::<u16>::new().range(1..=200))]
    pub(crate) peers: u16,

    /// The tracker's port; the peers have the ports after it
    #[arg(long, value_name = "PORT", default_value_t = 7700, value_parser = RangedU64ValueParser::<u16>::new().range(1024..=65_000))]
    pub(crate) base_port: u16,

    /// The directory for everything that the services store, one subdirectory each
    #[arg(long, value_name = "DIR", default_value = "raclette-data")]
    pub(crate) data: PathBuf,

    /// Start over: delete what earlier runs stored, keys and money included. Only subdirectories that devnet itself made
    /// are deleted
    #[arg(long)]
    pub(crate) fresh: bool,

    /// How often the tracker asks every peer whether it is there, such as 2s or 500ms. A peer is offline after three
    /// rounds without an answer [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub(crate) liveness_interval: Option<String>,

    /// The size of the RSA keys that are made at the first start: 2048, 3072 or 4096 [default: 3072]
    #[arg(long, value_name = "BITS")]
    pub(crate) key_bits: Option<String>,

    /// Let the owners of the peers give links faults: PUT /chaos
    #[arg(long)]
    pub(crate) chaos: bool,

    /// Show the logs of all services here too, each line with its service's name. They are always written to log.txt in
    /// the service's directory
    #[arg(long, short)]
    pub(crate) verbose: bool,

    /// What happens by itself.
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

/// One service alone, or a check.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one tracker alone, with settings of its own
    Tracker(Box<service::Tracker>),
    /// Run one peer alone, with settings of its own
    Peer(Box<service::Peer>),
    /// Measure how fast the whole is
    Bench(bench::Options),
    /// Let a network work while it is attacked, and check that it keeps all its promises
    Soak(soak::Options),
    /// Put a copy of a service's database back in its place, while the service does not run
    Restore(restore::Options),
    /// Ask a service whether it is well, and succeed if it is; for containers
    Healthcheck {
        /// The URL to ask [default: /healthz of the service on this machine]
        url: Option<String>,
    },
}

/// Checks that every service understands what it will be started with, before any is started.
///
/// # Errors
/// The first setting that a service refuses.
pub(crate) fn check(services: &[Service]) -> Result<(), clap::Error> {
    for service in services {
        Cli::try_parse_from(std::iter::once("devnet".into()).chain(service.arguments.iter().cloned()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_names_the_commands_to_type_and_the_settings() {
        let help = Cli::command().render_long_help().to_string();
        for word in [
            "--base-port",
            "--fresh",
            "--peers",
            "--data",
            "stop bob",
            "quit",
            "raclette-data",
            "7700",
            "--auto-mine",
            "--mine-on-send",
            "--tx-rate",
            "watch",
            "restore",
        ] {
            assert!(help.contains(word), "{word} is missing in:\n{help}");
        }
    }

    #[test]
    fn a_network_has_at_least_one_peer() {
        assert!(Cli::try_parse_from(["devnet", "--peers", "0"]).is_err());
        assert_eq!(Cli::try_parse_from(["devnet", "--peers", "12"]).unwrap().options.peers, 12);
    }
}
