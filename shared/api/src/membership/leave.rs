//! A peer's farewell.

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
    encoding::{self, integer, same_address, time},
    error::ApiError,
    example, schema, signing,
};

/// A peer's farewell (`POST /leave`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use raclette_chain::testing::{ALICE_PEM, BOB_PEM, key};

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

    fn time() -> Timestamp {
        Timestamp::new(1_767_225_600_000).unwrap()
    }

    #[test]
    fn only_its_own_key_can_say_that_a_peer_leaves_and_only_in_its_network() {
        let (alice, bob) = (key(ALICE_PEM), key(BOB_PEM));
        let leave = Leave::signed(&NETWORK, 3, time(), &alice);
        leave.verify(&NETWORK, alice.public()).unwrap();
        assert_eq!(leave.address().unwrap(), alice.public().address());
        assert_eq!(leave.verify(&NETWORK, bob.public()).unwrap_err().field, "address");
        assert_eq!(leave.verify(&NetworkId::ZERO, alice.public()).unwrap_err().fault, Fault::Network);
        let later = Leave { epoch: 4, ..leave };
        assert_eq!(later.verify(&NETWORK, alice.public()).unwrap_err().fault, Fault::Signature);
    }
}
