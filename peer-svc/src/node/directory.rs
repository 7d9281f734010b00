//! The other members, as this peer knows them, and what a tracker's news does to that.

use std::sync::{Mutex, MutexGuard, PoisonError};

use raclette_api::{
    ApiError, encoding,
    membership::{PeerRecord, PeerState},
    notice::Notice,
};
use raclette_chain::{address::Address, hash::NetworkId, keys::PublicKey, time::Timestamp};
use raclette_service::{
    clock::now_ms,
    membership::{News, Outcome, PeerDirectory},
    queue::{Destination, Directory, QueueChange, QueueHandle},
};

use super::{Node, NodeError, command::Command};

/// The list of members. This peer itself is not in it.
#[derive(Debug)]
pub struct Members {
    owner: Address,
    directory: Mutex<PeerDirectory>,
    /// Held while news is taken in: from reading the list until what it became is stored.
    turn: tokio::sync::Mutex<()>,
}

/// A member that can be reached.
pub type Neighbour = Destination;

/// What news changed.
#[derive(Debug, Default)]
pub struct Changed {
    /// Records to be stored.
    pub records: Vec<PeerRecord>,
    /// Members that were not online before and are now.
    pub returned: Vec<Neighbour>,
    /// How many pieces of news were newer than what is known.
    pub applied: usize,
    /// How many pieces of news were not newer than what is known.
    pub stale: usize,
}

impl Members {
    /// The list as it was stored; a record that is not what the tracker wrote is left out, and told about again.
    #[must_use]
    pub fn restored(owner: Address, records: &[PeerRecord]) -> Self {
        let mut directory = PeerDirectory::new();
        for record in records {
            match News::of_record(record) {
                Ok(news) => {
                    directory.apply(news);
                }
                Err(error) => tracing::warn!(name = record.name, %error, "a stored member is left out"),
            }
        }
        Self { owner, directory: Mutex::new(directory), turn: tokio::sync::Mutex::default() }
    }

    /// What news would change, each only if it is newer than what is known; and the list as it would be. Its entries are
    /// shared with the one there is.
    fn with(&self, news: Vec<News>) -> (PeerDirectory, Changed) {
        let mut directory = self.directory().clone();
        let mut changed = Changed::default();
        for news in news.into_iter().filter(|news| news.address() != self.owner) {
            match directory.apply(news) {
                Outcome::Stale => changed.stale += 1,
                Outcome::Applied { peer, returned, .. } => {
                    changed.applied += 1;
                    changed.records.extend(peer.record());
                    if returned {
                        changed.returned.extend(peer.destination());
                    }
                }
            }
        }
        (directory, changed)
    }

    /// Members in the order of their names, beginning behind `after`; only those in `state`, if that is given.
    #[must_use]
    pub fn page(&self, after: Option<&str>, state: Option<PeerState>, limit: usize) -> Vec<PeerRecord> {
        let directory = self.directory();
        let records = directory.by_name(after).filter_map(|peer| peer.record());
        records.filter(|record| state.is_none_or(|state| record.state == state)).take(limit).collect()
    }

    /// Everybody whose name is known, in the order of the names, and whether they can be reached.
    #[must_use]
    pub fn everybody(&self) -> Vec<(String, Address, bool)> {
        let directory = self.directory();
        directory.by_name(None).map(|peer| (peer.name.clone(), peer.address, peer.registration.is_some())).collect()
    }

    /// Members that can be reached.
    #[must_use]
    pub fn online(&self) -> Vec<Neighbour> {
        self.directory().online().filter_map(|peer| peer.destination()).collect()
    }

    /// How many members are online, and how many are known and are not.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let directory = self.directory();
        let online = directory.online().count();
        (online, directory.by_name(None).count() - online)
    }

    /// What is known of a member.
    #[must_use]
    pub fn get(&self, address: &Address) -> Option<PeerRecord> {
        self.directory().peer(address).and_then(|peer| peer.record())
    }

    /// The name of a member.
    #[must_use]
    pub fn name_of(&self, address: &Address) -> Option<String> {
        self.directory().peer(address).map(|peer| peer.name.clone())
    }

    /// The address of the member with this name, also while it is offline.
    #[must_use]
    pub fn address_of(&self, name: &str) -> Option<Address> {
        self.directory().named(name).map(|peer| peer.address)
    }

    /// The key of a member.
    #[must_use]
    pub fn key_of(&self, address: &Address) -> Option<PublicKey> {
        self.directory().peer(address).and_then(|peer| peer.key.clone())
    }

    /// Whether this key is a member's.
    #[must_use]
    pub fn is_registered(&self, address: &Address) -> bool {
        self.directory().peer(address).is_some()
    }

    /// The host, as it is registered, of a member that is online.
    #[must_use]
    pub fn host_of(&self, address: &Address) -> Option<String> {
        self.get(address).and_then(|record| record.registration).map(|registration| registration.host)
    }

    /// Where a member can be reached; none while it is offline.
    #[must_use]
    pub fn neighbour(&self, address: &Address) -> Option<Neighbour> {
        self.directory().peer(address).and_then(|peer| peer.destination())
    }

    /// The highest version heard of.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.directory().version()
    }

    fn directory(&self) -> MutexGuard<'_, PeerDirectory> {
        // The list is whole after every call: a panic elsewhere cannot have left it half written.
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a notice says, once it is known to be the tracker's. Takes some 40 microseconds of one core for each change.
///
/// Notices from before the genesis block carry zeros and are good for ever: they may have waited in the tracker's queue.
/// A peer that does not know its network yet takes the tracker's word for which it is.
///
/// # Errors
/// The notice is malformed, of another network, or a signature does not hold.
pub fn verified_news(notice: &Notice, network: Option<NetworkId>, tracker: &PublicKey) -> Result<Vec<News>, ApiError> {
    let named = notice.network()?;
    let expected = network.filter(|_| !named.is_zero()).unwrap_or(named);
    notice.verify(&expected, tracker)?;
    let issued = encoding::time("issued", notice.issued)?;
    notice.changes.iter().map(|change| News::of_change(change, issued)).collect()
}

impl Node {
    /// Takes news about members in: stores what they change, and wakes what waits in the queue for those that are back.
    /// Returns how many pieces were news, and how many were not. What cannot be stored has changed nothing, and is news when
    /// it comes again.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn take_news(
        &self,
        news: impl IntoIterator<Item = News>,
        queue: &QueueHandle,
    ) -> Result<(usize, usize), NodeError> {
        // Run out before anything is locked: what makes the news may ask this very list.
        let news: Vec<_> = news.into_iter().collect();
        let members = self.members();
        let turn = members.turn.lock().await;
        let (directory, Changed { records, returned, applied, stale }) = members.with(news);
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        let wake =
            |member: &Neighbour| QueueChange::Wake { destination: member.address, url: Some(member.url.clone()), now };
        let queue_changes: Vec<_> = returned.iter().map(wake).collect();
        if !records.is_empty() || !queue_changes.is_empty() {
            self.ask(|answer| Command::Members(records, queue_changes, answer)).await?;
        }
        *members.directory() = directory;
        drop(turn);
        for member in &returned {
            tracing::info!(name = member.name, url = member.url, "a member is online");
            queue.destination_returned(member.address);
        }
        Ok((applied, stale))
    }
}

impl Directory for Node {
    fn find(&self, address: &Address) -> Option<Destination> {
        self.members().neighbour(address)
    }
}
