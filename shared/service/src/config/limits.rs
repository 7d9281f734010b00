//! Deadlines and bounds.

use std::time::Duration;

use clap::Args;
use humantime::{Duration as HumanDuration, parse_duration};

use crate::{client::Settings, server::Limits};

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
