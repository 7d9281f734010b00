//! Which addresses this service calls when others supply them.
//!
//! Anybody who can register could otherwise aim the service at hosts that only it can reach (server-side request
//! forgery): a cloud's metadata service, a printer, a mail server. An address is called if it lies in a range of the
//! allow-list, is of no kind that is never a peer, and its port is not one of the well-known ones. Names are judged by
//! what they resolve to, at each call, and the connection goes to the address that was judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::Host;
use crate::problem::{Code, Problem};

/// The ranges and ports that may be called.
#[derive(Debug, Clone)]
pub struct AddressPolicy {
    ranges: Vec<IpNet>,
    lowest_port: u16,
}

/// Why an address is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is neither an IP address nor a host name.
    #[error("{host:?} is neither an IP address nor a host name")]
    NotAHost {
        /// The text (its beginning).
        host: String,
    },
    /// It is of a kind that is never a peer's, whatever the ranges say.
    #[error("{ip} is {kind}, which is never called")]
    NeverCalled {
        /// The IP address.
        ip: IpAddr,
        /// Its kind, such as "a multicast address".
        kind: &'static str,
    },
    /// It lies outside the ranges.
    #[error("{ip} is outside the ranges that this service calls")]
    OutsideRanges {
        /// The IP address.
        ip: IpAddr,
    },
    /// The port is too low.
    #[error("port {port} is below {lowest}, the lowest that this service calls")]
    PortTooLow {
        /// The port.
        port: u16,
        /// The lowest port allowed.
        lowest: u16,
    },
    /// The name has no address.
    #[error("the name {name:?} does not resolve")]
    Unresolved {
        /// The name.
        name: String,
    },
}

/// Private ranges (RFC 1918, RFC 4193).
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
/// This machine itself.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

impl AddressPolicy {
    /// A policy of these ranges and the lowest port; 0 allows every port.
    #[must_use]
    pub fn new(ranges: Vec<IpNet>, lowest_port: u16) -> Self {
        Self { ranges, lowest_port }
    }

    /// The default: private ranges, ports from 1024, and loopback if the service itself listens there (then its peers
    /// are on this machine too).
    #[must_use]
    pub fn private(with_loopback: bool) -> Self {
        let loopback = if with_loopback { LOOPBACK.as_slice() } else { &[] };
        let ranges =
            PRIVATE.iter().chain(loopback).map(|range| range.parse().expect("the ranges above are well-formed"));
        Self::new(ranges.collect(), 1024)
    }

    /// The same with another lowest port.
    #[must_use]
    pub fn with_lowest_port(mut self, lowest_port: u16) -> Self {
        self.lowest_port = lowest_port;
        self
    }

    /// Judges an address.
    ///
    /// # Errors
    /// Why it is not called.
    pub fn check(&self, address: SocketAddr) -> Result<(), AddressError> {
        let ip = address.ip().to_canonical();
        if let Some(kind) = never_called(ip) {
            return Err(AddressError::NeverCalled { ip, kind });
        }
        if !self.ranges.iter().any(|range| range.contains(&ip)) {
            return Err(AddressError::OutsideRanges { ip });
        }
        self.check_port(address.port())
    }

    /// Judges what can be judged of a host and port without asking the DNS; for what is stored before it is called.
    ///
    /// # Errors
    /// Why it is not called.
    pub fn check_unresolved(&self, host: &str, port: u16) -> Result<(), AddressError> {
        match Host::parse(host)? {
            Host::Ip(ip) => self.check(SocketAddr::new(ip, port)),
            Host::Name(_) => self.check_port(port),
        }
    }

    /// Resolves a host and returns those of its addresses that may be called. Connect to these, not to the name: it may
    /// resolve to something else a moment later.
    ///
    /// # Errors
    /// It is no host, it does not resolve, or none of its addresses may be called.
    pub async fn resolve_checked(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, AddressError> {
        let host = Host::parse(host)?;
        let found = host.resolve(port).await.unwrap_or_default();
        if found.is_empty() {
            return Err(AddressError::Unresolved { name: host.to_string() });
        }
        self.permitted(found)
    }

    /// Those of these addresses that may be called; if there are none, why the first may not.
    pub(super) fn permitted(&self, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, AddressError> {
        let refusal = addresses.first().map(|first| self.check(*first));
        let permitted: Vec<_> = addresses.into_iter().filter(|address| self.check(*address).is_ok()).collect();
        match refusal {
            Some(Err(error)) if permitted.is_empty() => Err(error),
            Some(_) | None => Ok(permitted),
        }
    }

    fn check_port(&self, port: u16) -> Result<(), AddressError> {
        // Port 0 is no port, whatever the setting.
        if port < self.lowest_port.max(1) {
            return Err(AddressError::PortTooLow { port, lowest: self.lowest_port.max(1) });
        }
        Ok(())
    }
}

/// The kind of an address that can never be a peer's, in words.
fn never_called(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => never_called_v4(ip),
        IpAddr::V6(ip) => never_called_v6(ip),
    }
}

fn never_called_v4(ip: Ipv4Addr) -> Option<&'static str> {
    // Not only 0.0.0.0: some systems take all of 0.0.0.0/8 for this machine.
    if ip.octets()[0] == 0 {
        return Some("unspecified");
    }
    if ip.is_link_local() {
        return Some("a link-local address");
    }
    if ip.is_multicast() {
        return Some("a multicast address");
    }
    ip.is_broadcast().then_some("the broadcast address")
}

fn never_called_v6(ip: Ipv6Addr) -> Option<&'static str> {
    if ip.is_unspecified() {
        return Some("unspecified");
    }
    if ip.is_unicast_link_local() {
        return Some("a link-local address");
    }
    if ip.is_multicast() {
        return Some("a multicast address");
    }
    if ip.is_loopback() {
        return None;
    }
    // IPv4 addresses in disguise: IPv4-compatible (RFC 4291), translated (RFC 6052, RFC 8215), 6to4 and Teredo.
    let segments = ip.segments();
    let embeds_v4 = segments[..6] == [0; 6]
        || segments[..2] == [0x64, 0xff9b]
        || segments[0] == 0x2002
        || segments[..2] == [0x2001, 0];
    embeds_v4.then_some("an IPv4 address in disguise")
}

impl From<AddressError> for Problem {
    fn from(error: AddressError) -> Self {
        let problem = Self::new(Code::ForbiddenAddress, error.to_string());
        match error {
            AddressError::NotAHost { .. } => problem.mend("give an IP address, or a host name without scheme and port"),
            AddressError::NeverCalled { .. } => {
                problem.mend("start the peer with --advertise and an address of its own")
            }
            AddressError::OutsideRanges { ip } => {
                let length = if ip.is_ipv4() { 32 } else { 128 };
                problem.mend(format!(
                    "start the peer with --advertise and an address in the private ranges, or this service with \
                     --allow-range {ip}/{length} (which replaces the default ranges)"
                ))
            }
            AddressError::PortTooLow { port, .. } => {
                problem.mend(format!("start the peer with a higher --port, or this service with --lowest-port {port}"))
            }
            AddressError::Unresolved { .. } => {
                problem.mend("start the peer with --advertise and an IP address, or a name that resolves here")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, AddressPolicy};

    #[track_caller]
    fn check(policy: &AddressPolicy, host: &str, port: u16, expected: bool) {
        let outcome = policy.check_unresolved(host, port);
        assert_eq!(outcome.is_ok(), expected, "{host} {port}: {outcome:?}");
    }

    #[test]
    fn private_addresses_are_called_and_nothing_else() {
        let policy = AddressPolicy::private(false);
        for fine in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.7",
            "fd00::1",
            "[fc00::1]",
            "[::ffff:10.0.0.1]",
            "alice",
            "peer.example",
        ] {
            check(&policy, fine, 7701, true);
        }
        for wrong in [
            "127.0.0.1",
            "::1",
            "[::ffff:127.0.0.1]",
            "8.8.8.8",
            "172.32.0.1",
            "100.64.0.1",
            "2001:db8::1",
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::a9fe:a9fe]",
            "[::169.254.169.254]",
            "[2002:a9fe:a9fe::1]",
            "fe80::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "10.0.0.1@evil.example",
            "10.0.0.1#",
            "",
        ] {
            check(&policy, wrong, 7701, false);
        }
    }

    #[test]
    fn loopback_is_called_from_loopback_only() {
        let policy = AddressPolicy::private(true);
        for fine in ["127.0.0.1", "127.1.2.3", "::1", "[::ffff:127.0.0.1]"] {
            check(&policy, fine, 7701, true);
        }
        check(&policy, "0.0.0.0", 7701, false);
    }

    #[test]
    fn well_known_ports_are_not_called_unless_allowed() {
        let policy = AddressPolicy::private(false);
        for port in [0, 22, 25, 80, 1023] {
            check(&policy, "10.0.0.1", port, false);
            check(&policy, "alice", port, false);
        }
        check(&policy, "10.0.0.1", 1024, true);
        let open = policy.with_lowest_port(0);
        check(&open, "10.0.0.1", 80, true);
        check(&open, "10.0.0.1", 0, false);
    }

    #[test]
    fn no_range_allows_what_is_never_called() {
        let policy = AddressPolicy::new(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()], 1024);
        check(&policy, "8.8.8.8", 7701, true);
        check(&policy, "2001:db8::1", 7701, true);
        for wrong in ["169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "fe80::1", "::", "ff02::1"]
        {
            check(&policy, wrong, 7701, false);
        }
    }

    #[test]
    fn of_several_addresses_only_the_allowed_ones_remain() {
        let policy = AddressPolicy::private(false);
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let mixed = parse(&["169.254.169.254:7701", "10.0.0.1:7701", "127.0.0.1:7701"]);
        assert_eq!(policy.permitted(mixed).unwrap(), parse(&["10.0.0.1:7701"]));
        let bad = parse(&["169.254.169.254:7701", "127.0.0.1:7701"]);
        assert!(matches!(policy.permitted(bad), Err(AddressError::NeverCalled { .. })));
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        assert!(AddressPolicy::private(false).resolve_checked("localhost", 7701).await.is_err());
        let found = AddressPolicy::private(true).resolve_checked("localhost", 7701).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()));
    }
}
