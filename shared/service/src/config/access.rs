//! Who may call the service, and whom it calls.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;
use ipnet::IpNet;

use crate::{
    access::{HostAllowList, OwnerGate, Token, TokenError},
    client::AddressPolicy,
    data_dir::DataDir,
};

/// The owner's token, host names, and the addresses that may be called.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessArgs {
    /// The file with the owner's token, which opens the owner's routes. If there is none it is made, with mode 0600 and
    /// a random token [default: the file "token" in the data directory]
    #[arg(long, env = "RACLETTE_TOKEN_FILE", value_name = "FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,

    /// The owner's token itself, 16 characters or more (fewer if it begins with "demo-"). Prefer the environment variable:
    /// a command line can be read by everybody on this machine
    #[arg(long, env = "RACLETTE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<Token>,

    /// A host name by which browsers and others may call this service, besides localhost, IP addresses and the
    /// advertised name. Other names are refused, so that a foreign web page cannot reach the service by a name of its
    /// own. May be given several times
    #[arg(long, env = "RACLETTE_ALLOW_HOST", value_name = "NAME", value_delimiter = ',')]
    pub allow_host: Vec<String>,

    /// A range of IP addresses that this service may call when others supply them, such as 203.0.113.0/24. Replaces the
    /// default, which is the private ranges (and loopback, if the service itself listens there). May be given several
    /// times
    #[arg(long, env = "RACLETTE_ALLOW_RANGE", value_name = "CIDR", value_delimiter = ',')]
    pub allow_range: Vec<IpNet>,

    /// The lowest port that this service calls when others supply it. Below 1024 are the ports of mail servers and the
    /// like, at which nobody should be able to aim it
    #[arg(long, env = "RACLETTE_LOWEST_PORT", value_name = "PORT", default_value_t = 1024)]
    pub lowest_port: u16,
}

impl AccessArgs {
    /// The gate before the owner's routes, with the token given, or the one in its file.
    ///
    /// # Errors
    /// The token's file cannot be read or made, is open to others, or holds no fit token.
    pub fn owner_gate(&self, data: &DataDir) -> Result<OwnerGate, TokenError> {
        if let Some(token) = &self.token {
            if token.is_demo() {
                tracing::warn!(
                    "the owner's token is one for demonstrations, which anybody can guess; before others can reach this \
                     service, choose one with RACLETTE_TOKEN, or leave it out and one is made"
                );
            }
            let mend =
                "send the header \"Authorization: Bearer TOKEN\" with the token that the service was started with";
            return Ok(OwnerGate::new(token.clone(), mend));
        }
        let token = Token::load_or_create(&self.token_path(data))?;
        Ok(OwnerGate::new(token, format!("add to curl: {}", self.curl_option(data))))
    }

    /// The option by which curl sends the owner's token, for commands that are shown to people. It names the token's file
    /// and never the token.
    #[must_use]
    pub fn curl_option(&self, data: &DataDir) -> String {
        if self.token.is_some() {
            return String::from("-H \"Authorization: Bearer TOKEN\"");
        }
        let path = self.token_path(data);
        let absolute = std::path::absolute(&path).unwrap_or(path);
        format!("-H \"Authorization: Bearer $(cat '{}')\"", absolute.display())
    }

    /// The file with the owner's token.
    #[must_use]
    pub fn token_path(&self, data: &DataDir) -> PathBuf {
        self.token_file.clone().unwrap_or_else(|| data.file("token"))
    }

    /// The host names that the service answers to.
    #[must_use]
    pub fn host_allow_list(&self, advertised: &str) -> HostAllowList {
        HostAllowList::new(self.allow_host.iter().map(String::as_str).chain([advertised]))
    }

    /// The addresses that the service calls when others supply them; `listen` is where it listens itself.
    #[must_use]
    pub fn address_policy(&self, listen: IpAddr) -> AddressPolicy {
        if self.allow_range.is_empty() {
            AddressPolicy::private(listen.is_loopback()).with_lowest_port(self.lowest_port)
        } else {
            AddressPolicy::new(self.allow_range.clone(), self.lowest_port)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use http::HeaderMap;

    use super::AccessArgs;
    use crate::data_dir::{DataDir, Format};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        access: AccessArgs,
    }

    fn parse(arguments: &[&str]) -> Result<AccessArgs, clap::Error> {
        Cli::try_parse_from([&["test"], arguments].concat()).map(|cli| cli.access)
    }

    #[test]
    fn the_gate_says_where_the_token_is() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path(), Format { service: "peer", version: 1 }).unwrap();
        let gate = parse(&[]).unwrap().owner_gate(&data).unwrap();
        let problem = gate.check(&HeaderMap::new()).unwrap_err();
        let mend = problem.details().mend.clone().unwrap();
        assert!(mend.contains(data.file("token").to_str().unwrap()), "{mend}");
    }

    #[test]
    fn a_weak_token_is_refused_and_a_good_one_is_not_shown() {
        let refusal = parse(&["--token", "short"]).unwrap_err().to_string();
        assert!(refusal.contains("16"), "{refusal}");
        let access = parse(&["--token", "correct-horse-battery"]).unwrap();
        assert!(!format!("{access:?}").contains("horse"));
    }

    #[test]
    fn hosts_and_ranges_may_be_lists() {
        let access = parse(&[
            "--allow-host",
            "a.example,b.example",
            "--allow-host",
            "c.example",
            "--allow-range",
            "10.0.0.0/8,::/0",
        ])
        .unwrap();
        let hosts = access.host_allow_list("alice");
        assert!(["a.example", "b.example", "c.example", "alice"].iter().all(|host| hosts.allows(host)));
        assert_eq!(access.allow_range.len(), 2);
    }
}
