//! Where a service listens, and by which address others reach it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
    path::PathBuf,
};

use clap::Args;
use tokio::net::TcpListener;

use super::host_name;
use crate::client::{AddressError, Host};

/// Where to listen, how others reach it, and where the files are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Place")]
pub struct ListenArgs {
    /// The IP address to listen on. 127.0.0.1 serves this machine only; 0.0.0.0 serves everybody who can reach it, and
    /// then --advertise must say by which address
    #[arg(long, env = "RACLETTE_LISTEN", value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,

    /// The port to listen on [default: the usual one of this service, or the next that is free]
    #[arg(long, env = "RACLETTE_PORT", value_name = "PORT")]
    pub port: Option<u16>,

    /// The IP address or host name by which others reach this service; they are told it, and it is accepted as a Host
    /// header. "@hostname" stands for this machine's host name [default: the address of --listen]
    #[arg(long, env = "RACLETTE_ADVERTISE", value_name = "HOST", value_parser = host)]
    pub advertise: Option<String>,

    /// The port by which others reach this service, where it is not the one that it listens on: behind a port mapping, or
    /// a proxy [default: the port it listens on]
    #[arg(long, env = "RACLETTE_ADVERTISE_PORT", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub advertise_port: Option<u16>,

    /// The directory for the database, the key and the token; made with mode 0700 if it is not there. One process at a
    /// time uses it [default: a directory of the service's name under ./raclette-data]
    #[arg(long, env = "RACLETTE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Why a service cannot listen as it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Others could not be told where it is.
    #[error("--listen {0} means every address of this machine; say by which one others reach it: --advertise IP")]
    NothingToAdvertise(IpAddr),
    /// The port is taken.
    #[error("port {port} of {ip} is in use by another program; stop it, or choose another with --port")]
    InUse {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
    },
    /// All the usual ports are taken.
    #[error("ports {} to {} of {ip} are all in use; choose another with --port", .ports.start(), .ports.end())]
    AllInUse {
        /// The address.
        ip: IpAddr,
        /// The ports that were tried.
        ports: RangeInclusive<u16>,
    },
    /// The system refuses.
    #[error("cannot listen on {ip} port {port}: {source}")]
    Io {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
        /// Why not.
        source: io::Error,
    },
}

impl ListenArgs {
    /// Listens on `--port`, or else on the first free one of the usual ports.
    ///
    /// # Errors
    /// The port, or every one of the usual ports, is in use, or the system refuses.
    pub async fn bind(&self, usual: RangeInclusive<u16>) -> Result<TcpListener, ListenError> {
        let ip = self.listen;
        let ports = self.port.map_or(usual, |port| port..=port);
        for port in ports.clone() {
            match TcpListener::bind((ip, port)).await {
                Ok(listener) => return Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(ListenError::Io { ip, port, source }),
            }
        }
        Err(match self.port {
            Some(port) => ListenError::InUse { ip, port },
            None => ListenError::AllInUse { ip, ports },
        })
    }

    /// The host that others are told: `--advertise`, or the address of `--listen`.
    ///
    /// # Errors
    /// The service listens on every address, and `--advertise` is missing.
    pub fn advertised_host(&self) -> Result<String, ListenError> {
        match &self.advertise {
            Some(host) => Ok(host.clone()),
            None if self.listen.is_unspecified() => Err(ListenError::NothingToAdvertise(self.listen)),
            None => Ok(self.listen.to_string()),
        }
    }

    /// The port that others are told: `--advertise-port`, or the one it listens on.
    #[must_use]
    pub fn advertised_port(&self, listening: u16) -> u16 {
        self.advertise_port.unwrap_or(listening)
    }
}

/// A host in its usual spelling, without a port.
fn host(text: &str) -> Result<String, AddressError> {
    Host::parse(&host_name::resolve(text)).map(|host| host.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{ListenArgs, ListenError};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        listen: ListenArgs,
    }

    fn parse(arguments: &[&str]) -> ListenArgs {
        Cli::parse_from([&["test"], arguments].concat()).listen
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_and_the_next_usual_one_is_taken() {
        let first = parse(&["--port", "0"]).bind(0..=0).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let in_use = parse(&["--port", &port.to_string()]).bind(0..=0).await.unwrap_err();
        assert!(matches!(in_use, ListenError::InUse { port: named, .. } if named == port), "{in_use}");
        let all = parse(&[]).bind(port..=port).await.unwrap_err();
        assert!(matches!(all, ListenError::AllInUse { .. }), "{all}");
    }

    #[test]
    fn listening_everywhere_needs_an_address_to_advertise() {
        assert_eq!(parse(&[]).advertised_host().unwrap(), "127.0.0.1");
        assert!(parse(&["--listen", "0.0.0.0"]).advertised_host().is_err());
        assert_eq!(parse(&["--listen", "0.0.0.0", "--advertise", "10.0.0.7"]).advertised_host().unwrap(), "10.0.0.7");
    }

    #[test]
    fn behind_a_port_mapping_another_port_is_advertised() {
        assert_eq!(parse(&["--port", "7701"]).advertised_port(7701), 7701);
        assert_eq!(parse(&["--port", "7701", "--advertise-port", "80"]).advertised_port(7701), 80);
        assert!(Cli::try_parse_from(["test", "--advertise-port", "0"]).is_err());
    }

    #[test]
    fn only_a_host_can_be_advertised() {
        let parse = |host: &'static str| Cli::try_parse_from(["test", "--advertise", host]);
        assert_eq!(parse("[FD00::1]").unwrap().listen.advertise.as_deref(), Some("fd00::1"));
        assert_eq!(parse("Alice").unwrap().listen.advertise.as_deref(), Some("alice"));
        assert_ne!(parse("@hostname").unwrap().listen.advertise.unwrap(), "@hostname");
        for wrong in ["http://alice", "alice:7701", "127.1", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
