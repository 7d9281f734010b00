//! A peer's own list of the others: what the tracker's notices and lists do to it.
//!
//! News about a peer is taken in only if its (epoch, version) is greater than what is known, in whatever order it arrives.
//! Who goes offline or leaves loses its connection details, and nothing else: one can still send to a name whose key is known.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use raclette_api::{
    ApiError,
    membership::{PeerRecord, PeerState, Registration},
    notice::{ChangeKind, NoticeChange},
};
use raclette_chain::{address::Address, keys::PublicKey, time::Timestamp};

use super::tracker::base_url;
use crate::{planted::bug, queue::Destination};

/// News about one peer, well-formed; its registration, if there is one, is signed by the peer.
#[derive(Debug, Clone)]
pub struct News {
    kind: ChangeKind,
    name: String,
    address: Address,
    key: Option<PublicKey>,
    registration: Option<Arc<Registration>>,
    epoch: u64,
    version: u64,
    last_seen: Timestamp,
}

/// A peer, as its list knows it.
#[derive(Debug, Clone)]
pub struct KnownPeer {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Address,
    /// Its key; none if all that was ever heard is that it went.
    pub key: Option<PublicKey>,
    /// What was heard last.
    pub kind: ChangeKind,
    /// Its registration, which carries the connection details; none unless it is online.
    pub registration: Option<Arc<Registration>>,
    /// The epoch of what was heard last.
    pub epoch: u64,
    /// The version of what was heard last.
    pub version: u64,
    /// The last sign of life that was heard of.
    pub last_seen: Timestamp,
}

/// What news did to the list.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was not newer than what is known: nothing changed.
    Stale,
    /// It was.
    Applied {
        /// The peer as it is now: to be stored.
        peer: Arc<KnownPeer>,
        /// It was not online before and is now: what waits for it is due.
        returned: bool,
        /// Another peer that had the name before and is no longer in the list.
        displaced: Option<Address>,
    },
}

/// The list.
#[derive(Debug, Clone, Default)]
pub struct PeerDirectory {
    peers: BTreeMap<Address, Arc<KnownPeer>>,
    names: BTreeMap<String, Address>,
}

impl News {
    /// Reads a change of a notice whose signature the caller has verified ([`raclette_api::notice::Notice::verify`] verifies
    /// the registrations in it as well). `issued` is when the notice was made.
    ///
    /// # Errors
    /// When its members contradict each other.
    pub fn of_change(change: &NoticeChange, issued: Timestamp) -> Result<Self, ApiError> {
        let checked = change.check()?;
        let registration = change.registration.clone().map(Arc::new);
        let key = registration.as_ref().map(|registration| key_of(&registration.public_key)).transpose()?;
        Ok(Self {
            kind: checked.kind,
            name: checked.name.to_owned(),
            address: checked.address,
            key,
            registration,
            epoch: checked.epoch,
            version: checked.version,
            last_seen: issued,
        })
    }

    /// Reads a record of the tracker's list and verifies the registration in it.
    ///
    /// # Errors
    /// When its members contradict each other, or the registration's signature does not hold.
    pub fn of_record(record: &PeerRecord) -> Result<Self, ApiError> {
        let kind = match record.state {
            PeerState::Online | PeerState::Suspect => ChangeKind::Online,
            PeerState::Offline => ChangeKind::Offline,
            PeerState::Left => ChangeKind::Left,
        };
        let change = NoticeChange {
            kind,
            name: record.name.clone(),
            address: record.address.clone(),
            epoch: record.epoch,
            version: record.version,
            registration: record.registration.clone(),
        };
        if let Some(registration) = &record.registration {
            registration.verify().map_err(|error| error.within("registration"))?;
        }
        let last_seen = raclette_api::encoding::time("last_seen", record.last_seen)?;
        let key = key_of(&record.public_key)?;
        let news = Self { key: Some(key.clone()), ..Self::of_change(&change, last_seen)? };
        if key.address() != news.address {
            return Err(ApiError::inconsistent("public_key", news.address, key.address()));
        }
        Ok(news)
    }

    /// Whom it is about.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }
}

fn key_of(pem: &str) -> Result<PublicKey, ApiError> {
    raclette_api::encoding::public_key("public_key", pem)
}

impl KnownPeer {
    /// Where it can be reached; none unless it is online.
    #[must_use]
    pub fn destination(&self) -> Option<Destination> {
        let registration = self.registration.as_ref()?;
        let url = base_url(&registration.host, registration.port);
        Some(Destination { address: self.address, name: self.name.clone(), url })
    }

    /// What is shown of it; none if its key is not known.
    #[must_use]
    pub fn record(&self) -> Option<PeerRecord> {
        let key = self.key.as_ref()?;
        Some(PeerRecord {
            name: self.name.clone(),
            address: self.address.to_string(),
            public_key: key.to_pem(),
            state: match self.kind {
                ChangeKind::Online => PeerState::Online,
                ChangeKind::Offline => PeerState::Offline,
                ChangeKind::Left => PeerState::Left,
            },
            epoch: self.epoch,
            version: self.version,
            last_seen: self.last_seen.milliseconds(),
            registration: self.registration.as_deref().cloned(),
        })
    }
}

impl PeerDirectory {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The list as it was stored.
    #[must_use]
    pub fn restored(peers: impl IntoIterator<Item = KnownPeer>) -> Self {
        let mut directory = Self::default();
        for peer in peers {
            directory.insert(Arc::new(peer));
        }
        directory
    }

    /// Takes news in, if it is newer than what is known.
    pub fn apply(&mut self, news: News) -> Outcome {
        let known = self.peers.get(&news.address);
        if known.is_some_and(|known| (news.epoch, news.version) <= (known.epoch, known.version)) {
            return Outcome::Stale;
        }
        if bug("deaf") && news.kind == ChangeKind::Online && known.is_some_and(|known| known.kind != ChangeKind::Online)
        {
            return Outcome::Stale;
        }
        // The tracker gives a name to another key only after it freed it, so the higher version has it. Versions grow over
        // all peers together.
        let holder = self.names.get(&news.name).filter(|holder| **holder != news.address).copied();
        let holder_version = holder.and_then(|holder| self.peers.get(&holder)).map(|holder| holder.version);
        if holder_version.is_some_and(|version| version > news.version) {
            return Outcome::Stale;
        }
        let returned = news.kind == ChangeKind::Online && known.is_none_or(|known| known.kind != ChangeKind::Online);
        let peer = Arc::new(KnownPeer {
            name: news.name,
            address: news.address,
            key: news.key.or_else(|| known.and_then(|known| known.key.clone())),
            kind: news.kind,
            registration: news.registration,
            epoch: news.epoch,
            version: news.version,
            last_seen: match news.kind {
                ChangeKind::Online => news.last_seen,
                // That it went is no sign of life.
                ChangeKind::Offline | ChangeKind::Left => known.map_or(news.last_seen, |known| known.last_seen),
            },
        });
        if let Some(holder) = holder {
            self.peers.remove(&holder);
        }
        self.insert(peer.clone());
        Outcome::Applied { peer, returned, displaced: holder }
    }

    fn insert(&mut self, peer: Arc<KnownPeer>) {
        if let Some(old) = self.peers.get(&peer.address).filter(|old| old.name != peer.name) {
            self.names.remove(&old.name);
        }
        self.names.insert(peer.name.clone(), peer.address);
        self.peers.insert(peer.address, peer);
    }

    /// The peer with this address.
    #[must_use]
    pub fn peer(&self, address: &Address) -> Option<&Arc<KnownPeer>> {
        self.peers.get(address)
    }

    /// The peer with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<KnownPeer>> {
        self.names.get(name).and_then(|address| self.peers.get(address))
    }

    /// All peers in the order of their names, beginning behind `after` (a name).
    pub fn by_name<'a>(&'a self, after: Option<&'a str>) -> impl Iterator<Item = &'a Arc<KnownPeer>> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.names
            .range::<str, _>((from, std::ops::Bound::Unbounded))
            .filter_map(|(_, address)| self.peers.get(address))
    }

    /// All peers that are online.
    pub fn online(&self) -> impl Iterator<Item = &Arc<KnownPeer>> {
        self.peers.values().filter(|peer| peer.kind == ChangeKind::Online)
    }

    /// The highest version in the list.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.peers.values().map(|peer| peer.version).max().unwrap_or(0)
    }
}
