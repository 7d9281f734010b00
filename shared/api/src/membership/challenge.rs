//! Proof that a peer lives at an address: it signs what it was asked with.

use raclette_chain::{
    hash::NetworkId,
    keys::{PrivateKey, PublicKey},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    encoding::{self, from_hex, hash, integer, present, same_address, to_hex},
    error::ApiError,
    example, schema, signing,
};

/// A peer's proof that it lives where it says (`GET /challenge?nonce=...`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use raclette_chain::testing::{ALICE_PEM, BOB_PEM, key};

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

    #[test]
    fn an_answer_proves_one_challenge_only() {
        let (alice, bob) = (key(ALICE_PEM), key(BOB_PEM));
        let answer = ChallengeAnswer::signed(Some(&NETWORK), &[1; 32], 3, &alice);
        answer.verify(&[1; 32], alice.public()).unwrap();
        assert_eq!(answer.network().unwrap(), Some(NETWORK));
        assert_eq!(answer.verify(&[2; 32], alice.public()).unwrap_err().field, "nonce");
        assert_eq!(answer.verify(&[1; 32], bob.public()).unwrap_err().field, "address");
        let elsewhere = ChallengeAnswer { network_id: None, ..answer.clone() };
        assert_eq!(elsewhere.verify(&[1; 32], alice.public()).unwrap_err().fault, Fault::Signature);
        let older = ChallengeAnswer { epoch: 2, ..answer };
        assert_eq!(older.verify(&[1; 32], alice.public()).unwrap_err().fault, Fault::Signature);
    }

    #[test]
    fn a_peer_without_a_network_answers_with_zeros_signed_and_no_id() {
        let alice = key(ALICE_PEM);
        let answer = ChallengeAnswer::signed(None, &[1; 32], 1, &alice);
        assert!(serde_json::to_value(&answer).unwrap().get("network_id").is_none());
        assert_eq!(answer.network().unwrap(), None);
        answer.verify(&[1; 32], alice.public()).unwrap();
    }
}
