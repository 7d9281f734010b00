//! A host: an IP address in its one usual spelling, or a DNS name.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
};

use super::AddressError;

/// An IP address or a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An IP address, IPv4-mapped ones as the IPv4 address that they are.
    Ip(IpAddr),
    /// A DNS name.
    Name(String),
}

impl Host {
    /// Reads a host without a port; an IPv6 address may stand in brackets.
    ///
    /// Spellings that C libraries take for IPv4 addresses (`0x7f.1`, `2130706433`, `127.1`, `0177.0.0.1`) are neither:
    /// a name does not end in a label that is a number (RFC 3696 section 2).
    ///
    /// # Errors
    /// [`AddressError::NotAHost`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(ip) = literal.unwrap_or(text).parse::<IpAddr>() {
            if literal.is_none() || ip.is_ipv6() {
                return Ok(Self::Ip(ip.to_canonical()));
            }
        } else if is_name(text) {
            return Ok(Self::Name(text.to_ascii_lowercase()));
        }
        Err(AddressError::NotAHost { host: text.chars().take(100).collect() })
    }

    /// Its addresses at present. Nothing is asked for an IP address.
    pub(super) async fn resolve(&self, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Ip(ip) => Ok(vec![SocketAddr::new(*ip, port)]),
            Self::Name(name) => {
                let found = tokio::net::lookup_host((name.as_str(), port)).await?;
                Ok(found.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port())).collect())
            }
        }
    }
}

/// Labels of letters, digits, hyphens and underscores (which container networks use), up to 253 characters in all, the
/// last one not a number.
fn is_name(text: &str) -> bool {
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| {
        let lower = label.to_ascii_lowercase();
        let hex = lower.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        hex || lower.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.len() <= 253 && text.split('.').all(fits) && !text.rsplit('.').next().is_some_and(is_number)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn addresses_and_names_are_told_apart() {
        for (text, shown) in [
            ("10.0.0.7", "10.0.0.7"),
            ("::1", "::1"),
            ("[fd00::7]", "fd00::7"),
            ("[::ffff:10.0.0.7]", "10.0.0.7"),
            ("Alice.Internal", "alice.internal"),
            ("peer_1", "peer_1"),
            ("7up.example", "7up.example"),
            ("0xcafe.example", "0xcafe.example"),
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn everything_else_is_no_host() {
        for text in [
            "",
            ".",
            "a..b",
            "example.",
            "-a.example",
            "a b",
            "user@example",
            "example:80",
            "example/path",
            "exämple",
            "[10.0.0.7]",
            "[::1",
            "fe80::1%eth0",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "127.0.0.0x1",
            "example.1",
            "256.0.0.1",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
        assert!(Host::parse(&format!("{}.example", "a".repeat(64))).is_err());
        assert!(Host::parse(&"a.".repeat(130)).is_err());
    }
}
