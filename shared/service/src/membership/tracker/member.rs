//! One member of the register.

use std::sync::Arc;

use raclette_api::{
    ApiError,
    membership::{PeerRecord, PeerState, Registration},
    notice::{ChangeKind, NoticeChange},
};
use raclette_chain::{address::Address, keys::PublicKey, time::Timestamp};

use super::damping::Damping;
use crate::queue::Destination;

/// A registration whose signature holds, with the key that it holds for.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The registration.
    pub registration: Registration,
    /// The key in it.
    pub key: PublicKey,
}

impl Newcomer {
    /// Verifies a registration. Takes some 40 microseconds of one core.
    ///
    /// # Errors
    /// What is malformed, or that the signature does not hold.
    pub fn verified(registration: Registration) -> Result<Self, ApiError> {
        let key = registration.verify()?;
        Ok(Self { registration, key })
    }

    /// Where it says that it can be reached.
    #[must_use]
    pub fn destination(&self) -> Destination {
        destination(self.key.address(), &self.registration)
    }
}

/// Whether a member is there, as it is stored and told to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// It can be reached, or has not failed often enough to say that it cannot.
    Online,
    /// It failed too many rounds.
    Offline,
    /// It said farewell. It is not probed any more.
    Left,
}

impl MemberState {
    /// The name, as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Left => "left",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Online, Self::Offline, Self::Left].into_iter().find(|state| state.as_str() == name)
    }
}

/// A member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
    /// Its last registration. It is kept while the member is offline, to announce it again when it answers.
    pub registration: Arc<Registration>,
    /// Whether it is there.
    pub state: MemberState,
    /// The version of its last change.
    pub version: u64,
    /// Its last sign of life.
    pub last_seen: Timestamp,
    /// How many rounds it has failed in a row. Not stored: after a restart everybody begins with none.
    pub failed_rounds: u32,
    /// How often it has changed of late. Not stored either.
    pub(super) damping: Damping,
}

/// A member as it was stored.
#[derive(Debug, Clone)]
pub struct StoredMember {
    /// Its last registration, whose signature holds.
    pub newcomer: Newcomer,
    /// Whether it was there.
    pub state: MemberState,
    /// The version of its last change.
    pub version: u64,
    /// Its last sign of life.
    pub last_seen: Timestamp,
}

impl From<StoredMember> for Member {
    fn from(stored: StoredMember) -> Self {
        let StoredMember { newcomer: Newcomer { registration, key }, state, version, last_seen } = stored;
        Self {
            name: registration.name.clone(),
            key,
            registration: Arc::new(registration),
            state,
            version,
            last_seen,
            failed_rounds: 0,
            damping: Damping::default(),
        }
    }
}

impl Member {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// The epoch of its last registration.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.registration.epoch
    }

    /// Whether a registration of this member with this key and name says nothing new: same epoch, same place.
    pub(super) fn is_repeated_by(&self, registration: &Registration) -> bool {
        self.epoch() == registration.epoch && self.is_at(registration)
    }

    /// Whether a registration names the place that the others know.
    pub(super) fn is_at(&self, registration: &Registration) -> bool {
        (&self.registration.host, self.registration.port) == (&registration.host, registration.port)
    }

    /// Where it said that it can be reached, whether or not it can be now.
    #[must_use]
    pub fn destination(&self) -> Destination {
        destination(self.address(), &self.registration)
    }

    /// Whether it is there, as far as the others are told.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.state == MemberState::Online
    }

    /// Its base URL, such as `http://127.0.0.1:7701`. An IPv6 address stands in brackets (RFC 3986).
    #[must_use]
    pub fn url(&self) -> String {
        base_url(&self.registration.host, self.registration.port)
    }

    /// What the others have to hear of it.
    #[must_use]
    pub fn change(&self) -> NoticeChange {
        let (kind, registration) = match self.state {
            MemberState::Online => (ChangeKind::Online, Some(Registration::clone(&self.registration))),
            MemberState::Offline => (ChangeKind::Offline, None),
            MemberState::Left => (ChangeKind::Left, None),
        };
        NoticeChange {
            kind,
            name: self.name.clone(),
            address: self.address().to_string(),
            epoch: self.epoch(),
            version: self.version,
            registration,
        }
    }

    /// What is shown of it.
    #[must_use]
    pub fn record(&self) -> PeerRecord {
        let state = match (self.state, self.failed_rounds) {
            (MemberState::Online, 0) => PeerState::Online,
            (MemberState::Online, _) => PeerState::Suspect,
            (MemberState::Offline, _) => PeerState::Offline,
            (MemberState::Left, _) => PeerState::Left,
        };
        let there = self.state == MemberState::Online;
        PeerRecord {
            name: self.name.clone(),
            address: self.address().to_string(),
            public_key: self.key.to_pem(),
            state,
            epoch: self.epoch(),
            version: self.version,
            last_seen: self.last_seen.milliseconds(),
            registration: there.then(|| Registration::clone(&self.registration)),
        }
    }
}

/// Where a registration says that its peer can be reached.
fn destination(address: Address, registration: &Registration) -> Destination {
    let url = base_url(&registration.host, registration.port);
    Destination { address, name: registration.name.clone(), url }
}

/// The base URL of a service at this host and port.
#[must_use]
pub fn base_url(host: &str, port: u16) -> String {
    if host.contains(':') { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") }
}
