//! Deadlines and bounds.

use std::{num::NonZeroU32, time::Duration};

use clap::Args;
use humantime::{Duration as HumanDuration, parse_duration};

use crate::{
    access::{MemberLookup, Rate, RateLimits},
    backup::MOST_KEPT,
    client::Settings,
    server::Limits,
};

/// What clients may take in time, connections and bytes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// How long a connection may take to send the head of its request; idle connections are closed after it too
    #[arg(long, env = "RACLETTE_HEADER_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub header_timeout: Duration,

    /// How long a request's body may take to arrive
    #[arg(long, env = "RACLETTE_BODY_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub body_timeout: Duration,

    /// How many connections there may be at a time
    #[arg(long, env = "RACLETTE_MAX_CONNECTIONS", value_name = "N", default_value_t = 1024)]
    pub max_connections: usize,

    /// How many connections one IP address may have at a time; loopback is spared
    #[arg(long, env = "RACLETTE_MAX_CONNECTIONS_PER_IP", value_name = "N", default_value_t = 256)]
    pub max_connections_per_ip: usize,

    /// How many requests a second it takes from one IP address in the long run; 0: any number. Loopback is spared, and
    /// members have a limit of their own
    #[arg(long, env = "RACLETTE_RATE_LIMIT", value_name = "N", default_value_t = 50)]
    pub rate_limit: u32,

    /// How many requests it takes from one IP address at once
    #[arg(long, env = "RACLETTE_RATE_BURST", value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_burst: u32,

    /// How many requests a second it takes from one member, by its key, in the long run; 0: any number. Ten times as many
    /// may come at once
    #[arg(long, env = "RACLETTE_MEMBER_RATE_LIMIT", value_name = "N", default_value_t = 1000)]
    pub member_rate_limit: u32,

    /// How many copies of the database (POST /backup) are kept; the oldest make room
    #[arg(long, env = "RACLETTE_KEEP_BACKUPS", value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_KEPT)))]
    pub keep_backups: u32,

    /// How long this service waits for another one to answer, in all
    #[arg(long, env = "RACLETTE_CALL_TIMEOUT", value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub call_timeout: Duration,
}

impl LimitArgs {
    /// The bounds of the server's loop.
    #[must_use]
    pub fn server(&self) -> Limits {
        Limits {
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
            connections: self.max_connections,
            connections_per_ip: self.max_connections_per_ip,
            ..Limits::default()
        }
    }

    /// How many requests are taken from one caller; `lookup` knows the members.
    #[must_use]
    pub fn rates(&self, lookup: MemberLookup) -> RateLimits {
        let rate = |per_second, burst| {
            let (per_second, burst) = (NonZeroU32::new(per_second)?, NonZeroU32::new(burst)?);
            Some(Rate { per_second, burst })
        };
        let members = rate(self.member_rate_limit, self.member_rate_limit.saturating_mul(10));
        RateLimits::new(rate(self.rate_limit, self.rate_burst), members, Some(lookup))
    }

    /// The bounds of calls to other services.
    #[must_use]
    pub fn client(&self) -> Settings {
        Settings { call_timeout: self.call_timeout, ..Settings::default() }
    }
}

/// Reads a time such as `500ms`, `10s` or `1m 30s`, which must not be zero.
fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("a time of zero would end everything at once".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write it like {}", HumanDuration::from(Duration::from_millis(10_500)))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::LimitArgs;
    use crate::{client::Settings, server::Limits};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn the_flags_have_the_defaults_of_server_and_client() {
        let limits = Cli::parse_from(["test"]).limits;
        assert_eq!(format!("{:?}", limits.server()), format!("{:?}", Limits::default()));
        assert_eq!(format!("{:?}", limits.client()), format!("{:?}", Settings::default()));
    }

    #[test]
    fn times_are_read_with_their_unit_and_zero_is_refused() {
        let parse = |time: &'static str| Cli::try_parse_from(["test", "--header-timeout", time]);
        assert_eq!(parse("250ms").unwrap().limits.header_timeout, Duration::from_millis(250));
        assert!(parse("0s").is_err());
        assert!(parse("10").is_err());
    }
}
