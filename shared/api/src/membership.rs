//! Who belongs to a network: registrations, records of peers, farewells, and proof that a peer lives at an address.

use raclette_chain::{
    address::Address,
    hash::NetworkId,
    keys::{PrivateKey, PublicKey},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    encoding::{self, from_hex, hash, integer, present, public_key, same_address, time, to_hex},
    error::ApiError,
    network::NetworkInfo,
    schema, signing,
};

/// What a peer tells about itself in a registration, before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRegistration<'a> {
    /// The network; [`NetworkId::ZERO`] before its genesis block is known.
    pub network: NetworkId,
    /// The address of the tracker's key.
    pub tracker: Address,
    /// The peer's name.
    pub name: &'a str,
    /// Where it can be reached: a host name or an IP address.
    pub host: &'a str,
    /// On which port.
    pub port: u16,
    /// Its epoch, higher than at any registration before.
    pub epoch: u64,
    /// When the registration was made.
    pub time: Timestamp,
}

/// A peer's registration (`POST /register`): its name, its key and where it can be reached, signed by that key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id; 64 zeros before the genesis block is known.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// The address of the tracker's key, so that the registration cannot be used at another tracker.
    #[schema(value_type = schema::Address)]
    pub tracker: String,
    /// The peer's name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// The peer's public key.
    #[schema(value_type = schema::PublicKey)]
    pub public_key: String,
    /// Where the peer can be reached.
    #[schema(value_type = schema::Host)]
    pub host: String,
    /// On which port.
    #[schema(minimum = 1, maximum = 65_535, example = 7701)]
    pub port: u16,
    /// The peer's epoch, higher than at any registration before.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// When the registration was made.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The peer's signature over `raclette/register/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl Registration {
    /// Signs a registration.
    #[must_use]
    pub fn signed(new: &NewRegistration<'_>, key: &PrivateKey) -> Self {
        let preimage = signing::registration(new, key.public());
        Self {
            protocol: PROTOCOL_VERSION,
            network_id: new.network.to_string(),
            tracker: new.tracker.to_string(),
            name: new.name.to_owned(),
            public_key: key.public().to_pem(),
            host: new.host.to_owned(),
            port: new.port,
            epoch: new.epoch,
            time: new.time.milliseconds(),
            signature: signing::sign(&preimage, key),
        }
    }

    /// Checks that the registration is well-formed and signed by the key in it; that key. Whether network, tracker and
    /// epoch are the right ones is for the caller to say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<PublicKey, ApiError> {
        encoding::protocol(self.protocol)?;
        let key = public_key("public_key", &self.public_key)?;
        signing::verify(&signing::registration(&self.parts()?, &key), &self.signature, &key)?;
        Ok(key)
    }

    /// What the peer tells about itself, every part well-formed. Says nothing about the signature.
    ///
    /// # Errors
    /// The first member that is malformed.
    pub fn parts(&self) -> Result<NewRegistration<'_>, ApiError> {
        if self.port == 0 {
            return Err(ApiError::malformed("port", "a port from 1 to 65535", 0));
        }
        Ok(NewRegistration {
            network: hash("network_id", &self.network_id)?,
            tracker: encoding::address("tracker", &self.tracker)?,
            name: encoding::name("name", &self.name)?,
            host: encoding::host("host", &self.host)?,
            port: self.port,
            epoch: integer("epoch", self.epoch)?,
            time: time("time", self.time)?,
        })
    }
}

/// Whether a peer can be reached, as the tracker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// It answered in the last round.
    Online,
    /// It did not answer, but not often enough to be called offline.
    Suspect,
    /// It does not answer.
    Offline,
    /// It said that it leaves.
    Left,
}

impl PeerState {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Suspect => "suspect",
            Self::Offline => "offline",
            Self::Left => "left",
        }
    }
}

/// What is known of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerRecord {
    /// Its name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// Its public key: enough to send it something, even while it is offline.
    #[schema(value_type = schema::PublicKey)]
    pub public_key: String,
    /// Whether it can be reached.
    pub state: PeerState,
    /// The epoch of its last registration.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// The version of this record: of two records with the same epoch, the one with the higher version counts.
    #[schema(value_type = schema::Counter)]
    pub version: u64,
    /// When it last gave a sign of life.
    #[schema(value_type = schema::Time)]
    pub last_seen: u64,
    /// Its registration, with its host and port. Absent while it is offline or has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Registration)]
    pub registration: Option<Registration>,
}

/// A page of peers (`GET /peers`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerPage {
    /// The peers, in the order of their names.
    #[schema(max_items = 1000)]
    pub peers: Vec<PeerRecord>,
    /// The highest version of any membership record.
    #[schema(value_type = schema::Counter)]
    pub membership_version: u64,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "carol")]
    pub next_cursor: Option<String>,
}

/// What a registered peer has to do about the genesis block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegisterStatus {
    /// Nothing: the network exists.
    Member,
    /// Make it, and report it with `POST /genesis`.
    CreateGenesis,
    /// Wait: another peer is making it. Register again after `retry_after_ms`.
    GenesisPending,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisterResponse {
    /// What to do about the genesis block.
    pub status: RegisterStatus,
    /// The network.
    pub network: NetworkInfo,
    /// The epoch that is registered now.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// All peers, the new one included.
    pub peers: Vec<PeerRecord>,
    /// After how many milliseconds to register again, if the genesis block is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 600_000, example = 1000)]
    pub retry_after_ms: Option<u64>,
}

/// A peer's farewell (`POST /leave`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id; 64 zeros before the genesis block is known.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// The address of the peer that leaves.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The epoch of its last registration.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// When the message was made.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The peer's signature over `raclette/leave/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl Leave {
    /// Says farewell.
    #[must_use]
    pub fn signed(network: &NetworkId, epoch: u64, time: Timestamp, key: &PrivateKey) -> Self {
        let address = key.public().address();
        Self {
            protocol: PROTOCOL_VERSION,
            network_id: network.to_string(),
            address: address.to_string(),
            epoch,
            time: time.milliseconds(),
            signature: signing::sign(&signing::leave(network, &address, epoch, time), key),
        }
    }

    /// Who leaves, to find the key to verify with.
    ///
    /// # Errors
    /// When it is no address.
    pub fn address(&self) -> Result<Address, ApiError> {
        encoding::address("address", &self.address)
    }

    /// Checks that the message is well-formed, of this network, and signed by `key`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, network: &NetworkId, key: &PublicKey) -> Result<(), ApiError> {
        encoding::protocol(self.protocol)?;
        encoding::network(&self.network_id, network)?;
        same_address("address", &self.address, &key.address())?;
        let (epoch, time) = (integer("epoch", self.epoch)?, time("time", self.time)?);
        signing::verify(&signing::leave(network, &key.address(), epoch, time), &self.signature, key)
    }
}

/// A peer's proof that it lives where it says (`GET /challenge?nonce=...`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeAnswer {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id. Absent if the peer does not know it yet; zeros are signed then.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub network_id: Option<String>,
    /// The peer's address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// The 32 random bytes that were asked with.
    #[schema(value_type = schema::Hash)]
    pub nonce: String,
    /// The peer's epoch.
    #[schema(value_type = schema::Counter)]
    pub epoch: u64,
    /// The peer's signature over `raclette/challenge/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl ChallengeAnswer {
    /// Answers a challenge.
    #[must_use]
    pub fn signed(network: Option<&NetworkId>, nonce: &[u8; 32], epoch: u64, key: &PrivateKey) -> Self {
        let address = key.public().address();
        let signed_network = network.copied().unwrap_or(NetworkId::ZERO);
        Self {
            protocol: PROTOCOL_VERSION,
            network_id: network.map(NetworkId::to_string),
            address: address.to_string(),
            nonce: to_hex(nonce),
            epoch,
            signature: signing::sign(&signing::challenge(&signed_network, nonce, &address, epoch), key),
        }
    }

    /// The network that the peer says it belongs to, if it knows one.
    ///
    /// # Errors
    /// When it is no network id.
    pub fn network(&self) -> Result<Option<NetworkId>, ApiError> {
        self.network_id.as_deref().map(|text| hash("network_id", text)).transpose()
    }

    /// Checks that this answers the challenge `nonce` and is signed by `key`. Which network and which epoch it names is
    /// for the caller to judge: a peer may not know the network yet.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, nonce: &[u8; 32], key: &PublicKey) -> Result<(), ApiError> {
        encoding::protocol(self.protocol)?;
        let network = self.network()?.unwrap_or(NetworkId::ZERO);
        same_address("address", &self.address, &key.address())?;
        if from_hex::<32>("nonce", &self.nonce)? != *nonce {
            return Err(ApiError::malformed("nonce", to_hex(nonce), &self.nonce));
        }
        let epoch = integer("epoch", self.epoch)?;
        signing::verify(&signing::challenge(&network, nonce, &key.address(), epoch), &self.signature, key)
    }
}
