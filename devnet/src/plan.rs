//! Which services a network has, and where each of them is: names, ports, directories, command lines.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use raclette_service::client::Destination;

use crate::cli::Options;

/// The names of the first peers; later ones are numbered.
const NAMES: [&str; 10] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];

/// What a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It knows who is online.
    Tracker,
    /// It sends, receives and mines.
    Peer,
}

/// One service of the network.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Its name; the tracker is called "tracker".
    pub(crate) name: String,
    /// What it is.
    pub(crate) role: Role,
    /// Where it listens.
    pub(crate) port: u16,
    /// Where its files are.
    pub(crate) directory: PathBuf,
    /// What its process is started with, after the program's name.
    pub(crate) arguments: Vec<OsString>,
    /// Whether the end of a file's allowed size is to it what a full disk is, and not the end of its process.
    pub(crate) survives_file_limit: bool,
}

impl Service {
    /// Where it listens.
    pub(crate) fn socket(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.socket())
    }

    /// How to call it.
    pub(crate) fn destination(&self) -> Destination {
        Destination::configured(self.name.clone(), None, Ipv4Addr::LOCALHOST.to_string(), self.port)
    }

    /// The file with its owner's token.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.directory.join("token")
    }

    /// The file with its log.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.directory.join("log.txt")
    }
}

/// The services of a network, the tracker first.
pub(crate) fn services(options: &Options) -> Vec<Service> {
    let tracker = tracker(options);
    let url = tracker.url();
    let peers = (0..options.peers).map(|index| peer(options, index, &url));
    std::iter::once(tracker).chain(peers).collect()
}

fn tracker(options: &Options) -> Service {
    let directory = options.data.join("tracker");
    let mut arguments = common("tracker", options, options.base_port, &directory);
    if let Some(interval) = &options.liveness_interval {
        arguments.extend(["--liveness-interval".into(), interval.into()]);
    }
    Service {
        name: String::from("tracker"),
        role: Role::Tracker,
        port: options.base_port,
        directory,
        arguments,
        survives_file_limit: false,
    }
}

/// The name of the peer at this place, from 0.
pub(crate) fn name(index: usize) -> String {
    NAMES.get(index).map_or_else(|| format!("peer-{}", index + 1), |name| (*name).to_owned())
}

fn peer(options: &Options, index: u16, tracker: &str) -> Service {
    let name = name(usize::from(index));
    let directory = options.data.join(&name);
    let port = options.base_port + 1 + index;
    let mut arguments = common("peer", options, port, &directory);
    arguments.extend(["--name".into(), name.clone().into(), "--tracker".into(), tracker.into()]);
    if options.chaos {
        arguments.push("--chaos".into());
    }
    Service { name, role: Role::Peer, port, directory, arguments, survives_file_limit: false }
}

/// What the command lines of both kinds of service begin with.
fn common(role: &str, options: &Options, port: u16, directory: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [role, "--supervised", "--listen", "127.0.0.1", "--port"].map(Into::into).into();
    arguments.extend([port.to_string().into(), "--data-dir".into(), directory.into()]);
    if let Some(bits) = &options.key_bits {
        arguments.extend(["--key-bits".into(), bits.into()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::services;
    use crate::cli::{self, Cli};

    fn plan(arguments: &[&str]) -> Vec<super::Service> {
        services(&Cli::parse_from([&["devnet"], arguments].concat()).options)
    }

    #[test]
    fn the_usual_network_has_the_ports_and_directories_that_the_readme_names() {
        let plan = plan(&[]);
        let shown: Vec<_> = plan
            .iter()
            .map(|service| format!("{} {} {}", service.name, service.url(), service.token_file().display()))
            .collect();
        assert_eq!(
            shown,
            [
                "tracker http://127.0.0.1:7700 raclette-data/tracker/token",
                "alice http://127.0.0.1:7701 raclette-data/alice/token",
                "bob http://127.0.0.1:7702 raclette-data/bob/token",
                "carol http://127.0.0.1:7703 raclette-data/carol/token",
            ]
        );
    }

    #[test]
    fn many_peers_have_names_and_ports_of_their_own() {
        let plan = plan(&["--peers", "12", "--base-port", "9000"]);
        assert_eq!(plan[10].name, "judy");
        assert_eq!(plan[11].name, "peer-11");
        assert_eq!((plan[12].name.as_str(), plan[12].port), ("peer-12", 9012));
    }

    #[test]
    fn every_command_line_of_a_service_is_one_that_the_program_understands() {
        let plan = plan(&["--chaos", "--peers", "2", "--liveness-interval", "2s", "--key-bits", "2048"]);
        cli::check(&plan).unwrap_or_else(|error| panic!("{error}"));
        let wrong = services(&Cli::parse_from(["devnet", "--key-bits", "1024"]).options);
        assert!(cli::check(&wrong).unwrap_err().to_string().contains("1024"));
    }
}
