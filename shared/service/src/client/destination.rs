//! Whom to call.

use http::HeaderValue;

use super::{Host, SendError};

/// A service to call: where it is said to be, and who must answer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    name: String,
    address: Option<String>,
    host: String,
    port: u16,
    supplied: bool,
}

impl Destination {
    /// A destination whose host and port somebody else told us (a registration, a notice, a list of peers). It is only
    /// called within the bounds of the [`super::AddressPolicy`], and only believed if it answers with this address
    /// (`rac1...`).
    pub fn supplied(name: impl Into<String>, address: impl Into<String>, host: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), address: Some(address.into()), host: host.into(), port, supplied: true }
    }

    /// A destination that our own owner configured, such as the tracker. It may be anywhere; `address` is not known
    /// before the first contact.
    pub fn configured(name: impl Into<String>, address: Option<String>, host: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), address, host: host.into(), port, supplied: false }
    }

    /// What people call it; only for logs and lists.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that must answer, if it is known.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The IP address or host name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host and port come from somebody else than our own owner.
    #[must_use]
    pub fn is_supplied(&self) -> bool {
        self.supplied
    }

    /// Whether the service with this address is the one that was meant.
    ///
    /// # Errors
    /// [`SendError::WrongDestination`].
    pub(super) fn is_reached(&self, seen: Option<&str>) -> Result<(), SendError> {
        match &self.address {
            Some(expected) if seen != Some(expected) => Err(SendError::WrongDestination {
                expected: expected.clone(),
                seen: seen.map(|text| text.chars().take(100).collect()),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// The Host header for a name. The URL holds the resolved IP address, but the other side should see the name that
    /// it was called by.
    pub(super) fn host_header(&self) -> Option<HeaderValue> {
        match Host::parse(&self.host) {
            Ok(Host::Name(name)) => HeaderValue::try_from(format!("{name}:{}", self.port)).ok(),
            Ok(Host::Ip(_)) | Err(_) => None,
        }
    }
}
