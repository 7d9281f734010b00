//! What a network is: its parameters, its genesis block, and what its tracker says about it.

use raclette_chain::{
    address::Address,
    genesis::{Genesis, NOTE},
    keys::{PrivateKey, PublicKey},
    parameters::Parameters,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    encoding::{self, amount, compact_target, same_address, time},
    error::ApiError,
    example, schema, signing,
};

/// What a network fixes for ever with its genesis block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct ParametersMessage {
    /// The network's name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// The time between blocks that the target aims at, in seconds: 1 to 3,162,240,000.
    #[schema(minimum = 1, maximum = 3_162_240_000_u32, example = 10)]
    pub spacing_seconds: u64,
    /// The delay that halves or doubles the target, in seconds: 400 to 3,162,240,000, or 0: the target never changes.
    #[schema(minimum = 0, maximum = 3_162_240_000_u32, example = 600)]
    pub half_life_seconds: u64,
    /// The target of the first block, and the easiest of all.
    #[schema(value_type = schema::Target)]
    pub first_target: String,
    /// New money for the miner of a block, before any halving.
    #[schema(value_type = schema::Amount)]
    pub reward: u64,
    /// After how many blocks the reward halves; 0: never.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 210_000)]
    pub halving_interval: u32,
    /// The most transactions in a block, the reward not counted.
    #[schema(minimum = 1, maximum = 5_000, example = 5_000)]
    pub max_block_transactions: u32,
    /// The largest block, in bytes: 16 KiB to 4 MiB.
    #[schema(minimum = 16_384, maximum = 4_194_304, example = 4_194_304)]
    pub max_block_bytes: u32,
    /// The longest sealed message, in bytes of its digest's preimage.
    #[schema(minimum = 0, maximum = 6_144, example = 6_144)]
    pub max_message_length: u32,
    /// The lowest fee of a transaction.
    #[schema(value_type = schema::Amount)]
    pub minimum_fee: u64,
}

impl From<&Parameters> for ParametersMessage {
    fn from(parameters: &Parameters) -> Self {
        Self {
            name: parameters.name.clone(),
            spacing_seconds: parameters.spacing_seconds,
            half_life_seconds: parameters.half_life_seconds,
            first_target: parameters.first_target.to_string(),
            reward: parameters.reward.units(),
            halving_interval: parameters.halving_interval,
            max_block_transactions: parameters.max_block_transactions,
            max_block_bytes: parameters.max_block_bytes,
            max_message_length: parameters.max_message_length,
            minimum_fee: parameters.minimum_fee.units(),
        }
    }
}

impl TryFrom<&ParametersMessage> for Parameters {
    type Error = ApiError;

    /// Only parameters that a network can live with ([`Parameters::check`]) come out of this.
    fn try_from(message: &ParametersMessage) -> Result<Self, Self::Error> {
        let parameters = Self {
            name: message.name.clone(),
            spacing_seconds: message.spacing_seconds,
            half_life_seconds: message.half_life_seconds,
            first_target: compact_target("first_target", &message.first_target)?,
            reward: amount("reward", message.reward)?,
            halving_interval: message.halving_interval,
            max_block_transactions: message.max_block_transactions,
            max_block_bytes: message.max_block_bytes,
            max_message_length: message.max_message_length,
            minimum_fee: amount("minimum_fee", message.minimum_fee)?,
        };
        let livable = "parameters that a network can live with";
        parameters
            .check()
            .map_err(|error| ApiError::inconsistent("parameters", livable, format_args!("others ({error})")))?;
        Ok(parameters)
    }
}

/// A genesis block: what its hash, the network's id, commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct GenesisMessage {
    /// The note: `RacletteCheese`.
    #[schema(pattern = "^RacletteCheese$", max_length = 14, example = "RacletteCheese")]
    pub note: String,
    /// The parameters of the network.
    pub parameters: ParametersMessage,
    /// When the block was made.
    #[schema(value_type = schema::Time)]
    pub time: u64,
}

impl From<&Genesis> for GenesisMessage {
    fn from(genesis: &Genesis) -> Self {
        Self { note: NOTE.to_owned(), parameters: (&genesis.parameters).into(), time: genesis.time.milliseconds() }
    }
}

impl TryFrom<&GenesisMessage> for Genesis {
    type Error = ApiError;

    fn try_from(message: &GenesisMessage) -> Result<Self, Self::Error> {
        if message.note != NOTE {
            return Err(ApiError::malformed("note", NOTE, &message.note));
        }
        let parameters = Parameters::try_from(&message.parameters).map_err(|error| error.within("parameters"))?;
        Ok(Self { parameters, time: time("time", message.time)? })
    }
}

/// Who may make the genesis block, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GenesisLease {
    /// The name of the peer.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// When the lease ends.
    #[schema(value_type = schema::Time)]
    pub until: u64,
}

/// How many peers are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct PeerCounts {
    /// Peers that answered in the last round.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 3)]
    pub online: u32,
    /// Peers that did not answer, but not often enough to be called offline.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 0)]
    pub suspect: u32,
    /// Peers that are offline.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 1)]
    pub offline: u32,
}

/// What a tracker says about its network: what a newcomer asks first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct NetworkInfo {
    /// The version of the protocol that the tracker speaks.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The tracker's public key, which peers pin at their first registration.
    #[schema(value_type = schema::PublicKey)]
    pub tracker_key: String,
    /// The address of that key.
    #[schema(value_type = schema::Address)]
    pub tracker: String,
    /// The network's id: the hash of its genesis block. Absent until there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub network_id: Option<String>,
    /// The genesis block. Absent until there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = GenesisMessage)]
    pub genesis: Option<GenesisMessage>,
    /// The parameters that the genesis block commits to, or must commit to.
    pub parameters: ParametersMessage,
    /// Who is making the genesis block, if somebody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = GenesisLease)]
    pub genesis_lease: Option<GenesisLease>,
    /// How many peers there are.
    pub peers: PeerCounts,
    /// Whether the tracker suspects its own connection and therefore reports nobody offline.
    pub self_preservation: bool,
    /// Whether a registration needs a join token.
    pub join_token_required: bool,
    /// The highest version of any membership record.
    #[schema(value_type = schema::Counter)]
    pub membership_version: u64,
    /// The version of the tracker's software.
    #[schema(max_length = 64, example = "0.1.0")]
    pub version: String,
}

/// The report of the genesis block by the peer that made it (`POST /genesis`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct GenesisReport {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The genesis block.
    pub genesis: GenesisMessage,
    /// The address of the peer that made it.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// When the report was made.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The peer's signature over `raclette/genesis-report/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl GenesisReport {
    /// Reports a genesis block.
    #[must_use]
    pub fn signed(genesis: &Genesis, time: Timestamp, key: &PrivateKey) -> Self {
        let address = key.public().address();
        let preimage = signing::genesis_report(&genesis.network(), &address, time);
        Self {
            protocol: PROTOCOL_VERSION,
            genesis: genesis.into(),
            address: address.to_string(),
            time: time.milliseconds(),
            signature: signing::sign(&preimage, key),
        }
    }

    /// Who reports, to find the key to verify with.
    ///
    /// # Errors
    /// When it is no address.
    pub fn address(&self) -> Result<Address, ApiError> {
        encoding::address("address", &self.address)
    }

    /// Checks that the report is well-formed and signed by `key`; the genesis block in it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, key: &PublicKey) -> Result<Genesis, ApiError> {
        encoding::protocol(self.protocol)?;
        let genesis = Genesis::try_from(&self.genesis).map_err(|error| error.within("genesis"))?;
        same_address("address", &self.address, &key.address())?;
        let preimage = signing::genesis_report(&genesis.network(), &key.address(), time("time", self.time)?);
        signing::verify(&preimage, &self.signature, key)?;
        Ok(genesis)
    }
}

/// The answer to the report of a genesis block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct GenesisAccepted {
    /// The network's id from now on.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// Its genesis block.
    pub genesis: GenesisMessage,
}

impl From<&Genesis> for GenesisAccepted {
    fn from(genesis: &Genesis) -> Self {
        Self { network_id: genesis.network().to_string(), genesis: genesis.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Fault,
        example::{of, with},
    };
    use raclette_chain::testing::{ALICE_PEM, BOB_PEM, key};
    use serde_json::{Value, json};

    #[track_caller]
    fn refused(pointer: &str, value: Value) -> ApiError {
        Genesis::try_from(&with::<GenesisMessage>(pointer, value)).unwrap_err()
    }

    #[test]
    fn json_and_value_convert_into_each_other() {
        let message: GenesisMessage = serde_json::from_value(of::<GenesisMessage>()).unwrap();
        let genesis = Genesis::try_from(&message).unwrap();
        assert_eq!(GenesisMessage::from(&genesis), message);
        assert_eq!(genesis.parameters, Parameters::default());
    }

    #[test]
    fn a_genesis_block_that_no_network_can_live_with_is_refused() {
        assert_eq!(refused("/note", json!("Raclette")).field, "note");
        assert_eq!(refused("/parameters/first_target", json!("1E03FFFF")).field, "parameters.first_target");
        assert_eq!(refused("/parameters/reward", json!(1_u64 << 53)).field, "parameters.reward");
        let error = refused("/parameters/spacing_seconds", json!(0));
        assert!(error.found.contains("a spacing in seconds from 1"), "{error}");
    }

    #[test]
    fn only_the_peer_that_reports_it_signs_the_genesis_block() {
        let (alice, bob) = (key(ALICE_PEM), key(BOB_PEM));
        let report: GenesisReport = serde_json::from_value(of::<GenesisReport>()).unwrap();
        assert_eq!(report.address().unwrap(), alice.public().address());
        report.verify(alice.public()).unwrap();
        assert_eq!(report.verify(bob.public()).unwrap_err().field, "address");
        let other: GenesisReport = with("/genesis/time", json!(1));
        assert_eq!(other.verify(alice.public()).unwrap_err().fault, Fault::Signature);
    }
}
