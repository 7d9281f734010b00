//! The host names that a service answers to: the defence against DNS rebinding.
//!
//! In that attack a web page is loaded from `evil.example`, whose name is then made to resolve to a private address; to
//! the browser, requests to the service now are of the page's own origin. What gives it away is the Host header: it
//! carries the attacker's name. The attack needs a name, since a page loaded from an IP address has that very address
//! as its origin and cannot be made to reach another. So every IP address is allowed, whether or not it is one of this
//! machine's interfaces: the service may well be reached through an address that its machine does not know (a
//! published container port, a router's forwarding). Names have to be listed.

use std::{collections::BTreeSet, net::IpAddr};

use http::{HeaderMap, Uri, header};

use crate::problem::{Code, Problem};

/// Paths that answer to any host name, since probes come by many names; they change nothing and tell no secrets.
const EXEMPT: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Whether this is a path for probes: those answer to any host name, and as often as they are asked.
pub(crate) fn is_probe_path(path: &str) -> bool {
    EXEMPT.contains(&path)
}

/// The names by which a service may be called; `localhost` and IP addresses always may.
#[derive(Debug, Clone, Default)]
pub struct HostAllowList {
    names: BTreeSet<String>,
}

impl HostAllowList {
    /// A list with these names (the advertised one, and those of `--allow-host`), in any case, without a port.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { names: names.into_iter().map(|name| normalised(name.as_ref()).to_ascii_lowercase()).collect() }
    }

    /// Whether a Host header of this value may be answered.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let name = normalised(without_port(host));
        if name.eq_ignore_ascii_case("localhost") || self.names.contains(&name.to_ascii_lowercase()) {
            return true;
        }
        let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        literal.parse::<IpAddr>().is_ok()
    }

    /// Whether a request may be answered.
    ///
    /// # Errors
    /// 421 `misdirected_request`, naming the flag that adds the name.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        if is_probe_path(uri.path()) {
            return Ok(());
        }
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        // In the absolute form of a request target the authority counts instead (RFC 9112 section 3.2.2); two Host
        // headers are never right.
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        if hosts.next().is_none() && self.allows(host) && self.allows(authority) {
            return Ok(());
        }
        let seen: String = without_port(authority).chars().take(100).collect();
        let problem = Problem::new(
            Code::MisdirectedRequest,
            "This service answers to localhost, to IP addresses, and to the names it was told; this one is not among them.",
        );
        let problem = if is_plain_name(&seen) {
            problem.mend(format!("if this name is meant for this service, start it with --allow-host {seen}"))
        } else {
            problem.mend("call it by localhost or by its IP address, or name a host with --allow-host NAME")
        };
        Err(problem.seen(seen))
    }
}

/// The host without `:port`; the brackets of an IPv6 address stay.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// A name may end with the root's dot; it means the same.
fn normalised(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Fit to be shown in a command line.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Uri, header};

    use super::HostAllowList;

    #[test]
    fn names_are_listed_and_addresses_are_free() {
        let list = HostAllowList::new(["Alice.internal", "peer-1"]);
        for fine in [
            "localhost",
            "localhost:7701",
            "LOCALHOST.",
            "127.0.0.1:7701",
            "192.168.1.7",
            "[::1]:7701",
            "[fd00::1]",
            "alice.internal:80",
            "ALICE.INTERNAL.:80",
            "peer-1",
        ] {
            assert!(list.allows(fine), "{fine}");
        }
        for wrong in [
            "",
            ":7701",
            "evil.example",
            "evil.example:7701",
            "localhost.evil.example",
            "a.localhost",
            "127.0.0.1.evil.example",
            "xalice.internal",
            "0x7f.1",
            "2130706433",
            "localhost:80:80",
            "user@localhost",
        ] {
            assert!(!list.allows(wrong), "{wrong}");
        }
    }

    fn check(uri: &'static str, hosts: &[&'static str]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_static(host));
        }
        let list = HostAllowList::default();
        list.check(&Uri::from_static(uri), &headers).map_err(|problem| problem.details().mend.clone().unwrap())
    }

    #[test]
    fn the_refusal_names_the_flag() {
        assert!(check("/send", &["evil.example:7701"]).unwrap_err().ends_with("--allow-host evil.example"));
        assert!(check("/send", &["evil$(reboot)"]).unwrap_err().ends_with("--allow-host NAME"));
    }

    #[test]
    fn probes_are_exempt_and_every_way_to_name_a_host_is_checked() {
        assert!(check("/healthz", &["evil.example"]).is_ok());
        assert!(check("/healthz/x", &["evil.example"]).is_err());
        assert!(check("/", &["localhost"]).is_ok());
        assert!(check("/", &[]).is_err());
        assert!(check("/", &["localhost", "evil.example"]).is_err());
        assert!(check("http://evil.example/", &["localhost"]).is_err());
        assert!(check("http://localhost/", &["localhost"]).is_ok());
    }
}
