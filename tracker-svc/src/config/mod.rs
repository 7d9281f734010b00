//! Every setting of the tracker: flags, each with an environment variable.

mod network;

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use raclette_chain::keys::KeySize;
use raclette_service::{
    access::Token,
    config::{AccessArgs, LimitArgs, ListenArgs, LogArgs},
};

pub use self::network::{NetworkArgs, ParametersConflict};

/// The port of a tracker, unless another is given.
pub const USUAL_PORT: u16 = 7700;

/// The tracker of a Raclette network: it knows who is online, and tells the others.
#[derive(Debug, Clone, Parser)]
#[command(name = "raclette-tracker", version = env!("RACLETTE_VERSION"))]
pub struct Config {
    /// Where it listens and keeps its files.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// Who may call it, and whom it calls.
    #[command(flatten)]
    pub access: AccessArgs,
    /// The network's parameters.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Who becomes and stays a member.
    #[command(flatten)]
    pub membership: MembershipArgs,
    /// Deadlines and bounds.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// What it logs.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Who becomes and stays a member.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Membership")]
pub struct MembershipArgs {
    /// How often the members are asked whether they live, such as 30s or 200ms
    #[arg(long, env = "RACLETTE_LIVENESS_INTERVAL", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub liveness_interval: Duration,

    /// After how many failed rounds in a row a member is offline
    #[arg(long, env = "RACLETTE_FAILED_ROUNDS", value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub failed_rounds: u32,

    /// How long one peer may take to make the genesis block before another gets the task
    #[arg(long, env = "RACLETTE_GENESIS_LEASE", value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub genesis_lease: Duration,

    /// A secret of 16 characters or more that every newcomer must know [default: none is asked for]
    #[arg(long, env = "RACLETTE_JOIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub join_token: Option<Token>,

    /// The size in bits of the tracker's own key, when it is made at the first start: 2048, 3072 or 4096
    #[arg(long, env = "RACLETTE_KEY_BITS", value_name = "BITS", default_value = "3072", value_parser = key_size)]
    pub key_bits: KeySize,
}

impl Config {
    /// The data directory: `--data-dir`, or `./raclette-data/tracker`.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.listen.data_dir.clone().unwrap_or_else(|| PathBuf::from("raclette-data/tracker"))
    }
}

/// Reads a time such as `200ms` or `30s`, which must not be zero.
fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(String::from("a time of zero would never let anybody rest")),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write it like 30s or 200ms")),
    }
}

fn key_size(text: &str) -> Result<KeySize, String> {
    [KeySize::Bits2048, KeySize::Bits3072, KeySize::Bits4096]
        .into_iter()
        .find(|size| size.bits().to_string() == text)
        .ok_or_else(|| String::from("a key has 2048, 3072 or 4096 bits"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from(["raclette-tracker"].iter().chain(arguments))
    }

    #[test]
    fn the_flags_are_consistent_and_have_defaults() {
        Config::command().debug_assert();
        let config = parsed(&[]).unwrap();
        assert_eq!(config.membership.liveness_interval, Duration::from_secs(30));
        assert_eq!(config.membership.key_bits, KeySize::Bits3072);
        assert_eq!(config.data_dir(), PathBuf::from("raclette-data/tracker"));
    }

    #[test]
    fn times_are_read_to_the_millisecond_and_are_not_zero() {
        let config = parsed(&["--liveness-interval", "200ms", "--genesis-lease", "1m 30s"]).unwrap();
        assert_eq!(config.membership.liveness_interval, Duration::from_millis(200));
        assert_eq!(config.membership.genesis_lease, Duration::from_secs(90));
        assert!(parsed(&["--liveness-interval", "0s"]).is_err());
        assert!(parsed(&["--liveness-interval", "30"]).is_err());
    }

    #[test]
    fn only_allowed_key_sizes_are_read() {
        assert_eq!(parsed(&["--key-bits", "4096"]).unwrap().membership.key_bits, KeySize::Bits4096);
        assert!(parsed(&["--key-bits", "1024"]).is_err());
    }
}
