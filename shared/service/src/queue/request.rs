//! What waits in the queue, and for whom.

use raclette_chain::{address::Address, time::Timestamp};

use crate::client::Destination as Callee;

/// Somebody to send to, with the connection details known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The address of its key. An answer counts only if it comes from this key's service.
    pub address: Address,
    /// Its name.
    pub name: String,
    /// Its base URL without a slash at the end, such as `http://127.0.0.1:7701`.
    pub url: String,
}

impl Destination {
    /// The same for the client, which judges the address before it calls it: somebody else supplied it.
    #[must_use]
    pub fn callee(&self) -> Callee {
        let authority = self.url.strip_prefix("http://").unwrap_or(&self.url);
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        // Nobody can be called at port 0: a URL that is none is refused there.
        Callee::supplied(&self.name, self.address.to_string(), host, port.parse().unwrap_or(0))
    }
}

/// A request that could not be delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRequest {
    /// Whom it is for. Where that is, the [`super::Directory`] knows at the time of sending.
    pub destination: Address,
    /// The destination's name when the row was written; only shown.
    pub destination_name: String,
    /// The destination's last known base URL; only shown.
    pub url: String,
    /// The path of the request, such as `/peers`. The method is always POST.
    pub path: String,
    /// What sort of request it is, such as `notice`; a part of the row's identity.
    pub kind: String,
    /// What it is about, such as the address of the peer that a notice is about; a part of the row's identity.
    pub subject: String,
    /// A greater version replaces a smaller one. At most 2^53 - 1.
    pub version: u64,
    /// The body, JSON.
    pub body: Vec<u8>,
    /// When the row is deleted even if it never arrived; none: it waits for ever.
    pub expires_at: Option<Timestamp>,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's id. Ids are never used again, so that news about an old row cannot hit a new one.
    pub id: i64,
    /// What waits.
    pub request: QueuedRequest,
    /// How often it was tried in vain, in this version.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// When this version was put here.
    pub created_at: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// A dead letter: it was refused for good and is kept to be looked at, retried or discarded by hand.
    pub dead: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_found_in_the_url() {
        let callee = |url: &str| {
            let name = String::from("bob");
            let callee = Destination { address: Address::from_bytes([1; 32]), name, url: url.to_owned() }.callee();
            (callee.host().to_owned(), callee.port())
        };
        assert_eq!(callee("http://127.0.0.1:7701"), (String::from("127.0.0.1"), 7701));
        assert_eq!(callee("http://[::1]:7701"), (String::from("::1"), 7701));
        assert_eq!(callee("http://bob.example"), (String::from("bob.example"), 0));
    }
}
