//! A recipient's receipt: its peer's signed word that it has a transaction and the message that belongs to it.

use raclette_chain::{
    hash::{NetworkId, TransactionId},
    keys::{PrivateKey, PublicKey},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    encoding::{self, hash, same_address, time},
    error::ApiError,
    example, schema, signing,
};

/// A recipient's receipt (`GET /tx/{id}/receipt`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct Receipt {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// The id of the transaction.
    #[schema(value_type = schema::Hash)]
    pub transaction: String,
    /// The address of the transaction's recipient, who signs.
    #[schema(value_type = schema::Address)]
    pub recipient: String,
    /// When the recipient's peer got the transaction, by its clock.
    #[schema(value_type = schema::Time)]
    pub received: u64,
    /// The recipient's signature over `raclette/receipt/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl Receipt {
    /// Confirms that the owner of this key has a transaction since then.
    #[must_use]
    pub fn signed(network: &NetworkId, id: &TransactionId, received: Timestamp, key: &PrivateKey) -> Self {
        let recipient = key.public().address();
        Self {
            protocol: PROTOCOL_VERSION,
            network_id: network.to_string(),
            transaction: id.to_string(),
            recipient: recipient.to_string(),
            received: received.milliseconds(),
            signature: signing::sign(&signing::receipt(network, id, &recipient, received), key),
        }
    }

    /// Checks that the receipt is well-formed, of this network, about this transaction, and signed by its recipient's `key`.
    /// When the recipient got the transaction.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, network: &NetworkId, id: &TransactionId, key: &PublicKey) -> Result<Timestamp, ApiError> {
        encoding::protocol(self.protocol)?;
        encoding::network(&self.network_id, network)?;
        let found: TransactionId = hash("transaction", &self.transaction)?;
        if found != *id {
            return Err(ApiError::malformed("transaction", id, found));
        }
        same_address("recipient", &self.recipient, &key.address())?;
        let received = time("received", self.received)?;
        signing::verify(&signing::receipt(network, id, &key.address(), received), &self.signature, key)?;
        Ok(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use raclette_chain::testing::{ALICE_PEM, BOB_PEM, key};

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
    const ID: TransactionId = TransactionId::from_bytes([5; 32]);

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds).unwrap()
    }

    #[test]
    fn only_its_recipient_can_give_a_receipt_and_only_for_one_transaction_in_its_network() {
        let (alice, bob) = (key(ALICE_PEM), key(BOB_PEM));
        let receipt = Receipt::signed(&NETWORK, &ID, at(9), &bob);
        assert_eq!(receipt.verify(&NETWORK, &ID, bob.public()), Ok(at(9)));
        assert_eq!(receipt.verify(&NETWORK, &ID, alice.public()).unwrap_err().field, "recipient");
        assert_eq!(receipt.verify(&NetworkId::ZERO, &ID, bob.public()).unwrap_err().fault, Fault::Network);
        let other = TransactionId::from_bytes([6; 32]);
        assert_eq!(receipt.verify(&NETWORK, &other, bob.public()).unwrap_err().field, "transaction");
        let earlier = Receipt { received: 8, ..receipt.clone() };
        assert_eq!(earlier.verify(&NETWORK, &ID, bob.public()).unwrap_err().fault, Fault::Signature);
        let stolen = Receipt { transaction: other.to_string(), ..receipt };
        assert_eq!(stolen.verify(&NETWORK, &other, bob.public()).unwrap_err().fault, Fault::Signature);
    }
}
