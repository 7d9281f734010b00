//! The tracker's notices about who is online, offline or gone.

use raclette_chain::{
    address::Address,
    hash::NetworkId,
    keys::{PrivateKey, PublicKey, Signature},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    encoding::{self, hash, integer, present, same_address, signature, time},
    error::ApiError,
    membership::Registration,
    schema, signing,
};

/// The most changes in one notice; a tracker with more to say sends several.
pub const MAX_NOTICE_CHANGES: usize = 500;

/// What happened to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is there: new, or back.
    Online,
    /// It does not answer any more: its connection details are to be deleted.
    Offline,
    /// It said that it leaves.
    Left,
}

impl ChangeKind {
    /// The number that is signed.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Online => 1,
            Self::Offline => 2,
            Self::Left => 3,
        }
    }
}

/// What happened to one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeChange {
    /// What happened.
    pub kind: ChangeKind,
    /// The peer's name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// The peer's address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The epoch of its last registration.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// The version of this change. It is applied only if (epoch, version) is greater than what is known.
    #[schema(value_type = schema::Counter)]
    pub version: u64,
    /// The peer's own registration: present exactly if it is online.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Registration)]
    pub registration: Option<Registration>,
}

/// A change whose members are well-formed and agree with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedChange<'a> {
    /// What happened.
    pub kind: ChangeKind,
    /// The peer's name.
    pub name: &'a str,
    /// The peer's address.
    pub address: Address,
    /// The epoch of its last registration.
    pub epoch: u64,
    /// The version of this change.
    pub version: u64,
    /// The signature of its registration; none unless it is online.
    pub registration_signature: Option<Signature>,
}

impl NoticeChange {
    /// Reads the members and checks that they agree: a registration exactly if the peer is online, with the same name,
    /// address and epoch. Says nothing about any signature.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<CheckedChange<'_>, ApiError> {
        let name = encoding::name("name", &self.name)?;
        let address = encoding::address("address", &self.address)?;
        let epoch = integer("epoch", self.epoch)?;
        let version = integer("version", self.version)?;
        let registration_signature = match (self.kind, &self.registration) {
            (ChangeKind::Online, Some(registration)) => {
                let inside = |error: ApiError| error.within("registration");
                let key = encoding::public_key("public_key", &registration.public_key).map_err(inside)?;
                same_address("address", &self.address, &key.address())?;
                if registration.name != name {
                    return Err(ApiError::malformed("registration.name", name, &registration.name));
                }
                encoding::same("registration.epoch", &registration.epoch, &epoch)?;
                Some(signature("signature", &registration.signature).map_err(inside)?)
            }
            (ChangeKind::Offline | ChangeKind::Left, None) => None,
            (ChangeKind::Online, None) => {
                return Err(ApiError::malformed("registration", "the registration of a peer that is online", "none"));
            }
            (ChangeKind::Offline | ChangeKind::Left, Some(_)) => {
                return Err(ApiError::malformed("registration", "none unless the peer is online", "a registration"));
            }
        };
        Ok(CheckedChange { kind: self.kind, name, address, epoch, version, registration_signature })
    }
}

/// A tracker's notice about who came and who went (`POST /peers` at a peer).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id; 64 zeros before the genesis block is known.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// When the notice was made.
    #[schema(value_type = schema::Time)]
    pub issued: u64,
    /// What happened.
    #[schema(min_items = 1, max_items = 500)]
    pub changes: Vec<NoticeChange>,
    /// The tracker's signature over `raclette/notice/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl Notice {
    /// Signs a notice.
    ///
    /// # Errors
    /// When the changes are not such as a peer would accept: see [`Notice::verify`].
    pub fn signed(
        network: &NetworkId,
        issued: Timestamp,
        changes: Vec<NoticeChange>,
        key: &PrivateKey,
    ) -> Result<Self, ApiError> {
        let preimage = signing::notice(network, issued, &check_all(&changes)?);
        Ok(Self {
            protocol: PROTOCOL_VERSION,
            network_id: network.to_string(),
            issued: issued.milliseconds(),
            changes,
            signature: signing::sign(&preimage, key),
        })
    }

    /// The network that the notice belongs to; [`NetworkId::ZERO`] before there was one.
    ///
    /// # Errors
    /// When it is no network id.
    pub fn network(&self) -> Result<NetworkId, ApiError> {
        hash("network_id", &self.network_id)
    }

    /// Checks that the notice is well-formed, of this network, signed by the tracker's `key`, and that every registration
    /// in it is signed by its peer. Takes some 40 microseconds of one core for each change.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, network: &NetworkId, key: &PublicKey) -> Result<(), ApiError> {
        encoding::protocol(self.protocol)?;
        encoding::network(&self.network_id, network)?;
        let preimage = signing::notice(network, time("issued", self.issued)?, &check_all(&self.changes)?);
        signing::verify(&preimage, &self.signature, key)?;
        for (position, change) in self.changes.iter().enumerate() {
            if let Some(registration) = &change.registration {
                registration.verify().map_err(|error| error.within(&format!("changes[{position}].registration")))?;
            }
        }
        Ok(())
    }
}

fn check_all(changes: &[NoticeChange]) -> Result<Vec<CheckedChange<'_>>, ApiError> {
    if changes.is_empty() || changes.len() > MAX_NOTICE_CHANGES {
        let expected = format_args!("1 to {MAX_NOTICE_CHANGES} changes");
        return Err(ApiError::malformed("changes", expected, changes.len()));
    }
    changes
        .iter()
        .enumerate()
        .map(|(position, change)| change.check().map_err(|error| error.within(&format!("changes[{position}]"))))
        .collect()
}

/// The answer to a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeAck {
    /// How many changes were new, and are applied.
    #[schema(minimum = 0, maximum = 500, example = 1)]
    pub applied: u32,
    /// How many were not newer than what was known, and are ignored.
    #[schema(minimum = 0, maximum = 500, example = 0)]
    pub stale: u32,
}
