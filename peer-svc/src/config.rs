//! Flags and environment of a peer.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use raclette_chain::{address::Address, keys::KeySize, parameters::is_valid_name};
use raclette_service::config::{AccessArgs, LimitArgs, ListenArgs, LogArgs, host_name};

/// The ports that a peer started by hand tries, in order.
pub const USUAL_PORTS: std::ops::RangeInclusive<u16> = 7704..=7799;

/// The size of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyBits {
    /// For tests and lessons.
    #[value(name = "2048")]
    Bits2048,
    /// The default.
    #[value(name = "3072")]
    Bits3072,
    /// For the cautious.
    #[value(name = "4096")]
    Bits4096,
}

impl From<KeyBits> for KeySize {
    fn from(bits: KeyBits) -> Self {
        match bits {
            KeyBits::Bits2048 => Self::Bits2048,
            KeyBits::Bits3072 => Self::Bits3072,
            KeyBits::Bits4096 => Self::Bits4096,
        }
    }
}

/// How a peer is started.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The name that others send to: 1 to 32 characters from a-z, 0-9 and "-". It belongs to the first key that takes it.
    /// "@hostname" stands for this machine's host name
    #[arg(long, env = "RACLETTE_NAME", value_name = "NAME", value_parser = name)]
    pub name: String,

    /// The URL of the tracker
    #[arg(long, env = "RACLETTE_TRACKER", value_name = "URL", default_value = "http://127.0.0.1:7700", value_parser = tracker)]
    pub tracker: TrackerUrl,

    /// The address of the tracker's key (it shows it at GET /network). A peer remembers the first key it meets and trusts no
    /// other; this says which one to trust, also instead of the one it remembers
    #[arg(long, env = "RACLETTE_TRACKER_KEY", value_name = "ADDRESS")]
    pub tracker_key: Option<Address>,

    /// What the tracker demands of newcomers, if it demands anything. Prefer the environment variable
    #[arg(long, env = "RACLETTE_JOIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub join_token: Option<String>,

    /// The size of the key, if one has to be made
    #[arg(long, env = "RACLETTE_KEY_BITS", value_enum, default_value = "3072")]
    pub key_bits: KeyBits,

    /// A file with the passphrase that encrypts the key file. Without it the key file is only protected by its mode 0600
    #[arg(long, env = "RACLETTE_PASSPHRASE_FILE", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,

    /// How often this peer compares chain and ledger with others
    #[arg(long, env = "RACLETTE_SYNC_INTERVAL", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub sync_interval: Duration,

    /// How often this peer asks the tracker who is there
    #[arg(long, env = "RACLETTE_TRACKER_INTERVAL", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub tracker_interval: Duration,

    /// For learning and testing: let the owner give links faults with PUT /chaos (delay, loss, partition, pause)
    #[arg(long, env = "RACLETTE_CHAOS")]
    pub chaos: bool,

    /// Make the database anew: keep the damaged one aside, take over all that is sound in it, block by block, and fetch the
    /// rest from other peers. Key and token stay as they are
    #[arg(long)]
    pub rebuild: bool,

    /// Where to listen, and where the files are.
    #[command(flatten)]
    pub listen: ListenArgs,

    /// Who may call, and who is called.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Bounds of connections and calls.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// What is logged, and how.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Where the tracker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerUrl {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl std::fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&raclette_service::membership::base_url(&self.host, self.port))
    }
}

impl Config {
    /// Where the files are.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.listen.data_dir.clone().unwrap_or_else(|| PathBuf::from("raclette-data").join(&self.name))
    }
}

fn name(text: &str) -> Result<String, String> {
    let name = host_name::resolve(text);
    if is_valid_name(&name) {
        Ok(name)
    } else {
        Err(String::from("a name has 1 to 32 characters from a-z, 0-9 and \"-\", and does not begin with \"-\""))
    }
}

fn tracker(text: &str) -> Result<TrackerUrl, String> {
    let expected = || String::from("write it like http://127.0.0.1:7700");
    let authority = text.strip_prefix("http://").ok_or_else(expected)?.trim_end_matches('/');
    let (host, port) = authority.rsplit_once(':').ok_or_else(expected)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().map_err(|_| expected())?;
    if host.is_empty() || port == 0 { Err(expected()) } else { Ok(TrackerUrl { host: host.to_owned(), port }) }
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err(String::from("expected more than no time at all")),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write it like 30s or 200ms")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn a_name_is_all_that_is_needed() {
        let config = Cli::try_parse_from(["peer", "--name", "dave"]).unwrap().config;
        assert_eq!(config.tracker.to_string(), "http://127.0.0.1:7700");
        assert_eq!(config.data_dir(), PathBuf::from("raclette-data/dave"));
    }

    #[test]
    fn bad_names_trackers_and_times_are_refused_with_an_example() {
        for arguments in [
            ["--name", "Dave"],
            ["--tracker", "127.0.0.1:7700"],
            ["--tracker", "https://x:1"],
            ["--sync-interval", "0s"],
        ] {
            let all = ["peer", "--name", "dave"].into_iter().chain(arguments);
            assert!(Cli::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }
}
