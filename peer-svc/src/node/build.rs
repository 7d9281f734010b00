//! Transactions that somebody signs elsewhere: what is to be signed. Nothing changes.

use raclette_api::{
    build::{BuildMessage, BuildOrder, BuildSender},
    wallet::SendTo,
};
use raclette_chain::{
    address::Address,
    amount::Amount,
    hash::MessageDigest,
    keys::{PublicKey, Signature},
    message::SealedMessage,
    rules::check_message,
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use raclette_service::clock::now_ms;

use super::{Node, NodeError};

/// A transaction that is still to be signed.
#[derive(Debug, Clone)]
pub struct Built {
    /// What is to be signed.
    pub transaction: Transaction,
    /// Its message, if it is here.
    pub message: Option<SealedMessage>,
}

impl Node {
    /// Makes a transaction that somebody signs elsewhere.
    ///
    /// # Errors
    /// When sender or recipient is unknown, or the message does not belong to it.
    pub async fn build(&self, order: BuildOrder) -> Result<Built, NodeError> {
        let state = self.state()?;
        let sender = self.sender_key(order.sender)?;
        let address = sender.address();
        let is_member = address == self.identity().address() || self.members().is_registered(&address);
        // The ledger takes what pays nothing from members only.
        let lowest = Amount::new(u64::from(!is_member)).unwrap_or(Amount::ZERO);
        let mut transaction = Transaction {
            sender,
            recipient: self.recipient(&order.to)?,
            amount: order.amount,
            fee: order.fee.unwrap_or(state.rules.parameters.minimum_fee.max(lowest)),
            sequence: order.sequence.unwrap_or_else(|| state.next_sequence(&address)),
            created: order.created.unwrap_or_else(|| Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX)),
            valid_until: order.valid_until,
            message_digest: MessageDigest::ZERO,
            message_length: 0,
        };
        let network = state.rules.network;
        let message = match order.message {
            BuildMessage::None => None,
            BuildMessage::Text(text) => Some(self.seal(text, &transaction, network).await?),
            BuildMessage::Sealed(sealed) => Some(*sealed),
            BuildMessage::Digest(digest, length) => {
                (transaction.message_digest, transaction.message_length) = (digest, length);
                None
            }
        };
        if let Some(message) = &message {
            (transaction.message_digest, transaction.message_length) = message.digest(&network);
            // Whether a message belongs to a transaction does not depend on the signature.
            let unsigned = SignedTransaction::new(transaction.clone(), Signature::from_bytes(Vec::new()), &network);
            check_message(&unsigned, message, &state.rules)?;
        }
        Ok(Built { transaction, message })
    }

    fn sender_key(&self, sender: BuildSender) -> Result<PublicKey, NodeError> {
        let member = match sender {
            BuildSender::Key(key) => return Ok(key),
            BuildSender::Member(member) => member,
        };
        let address = self.address_of(&member);
        let key = address.and_then(|address| self.known_key(&address));
        key.ok_or_else(|| NodeError::SenderKeyUnknown {
            sender: match member {
                SendTo::Name(name) => name,
                SendTo::Address(address) => address.to_string(),
            },
        })
    }

    /// The address that somebody is sent to.
    pub(super) fn recipient(&self, to: &SendTo) -> Result<Address, NodeError> {
        self.address_of(to).ok_or_else(|| NodeError::UnknownRecipient {
            name: match to {
                SendTo::Name(name) => name.clone(),
                SendTo::Address(address) => address.to_string(),
            },
        })
    }

    /// The address of a member, of this peer, or the one that is named.
    #[must_use]
    pub fn address_of(&self, who: &SendTo) -> Option<Address> {
        match who {
            SendTo::Address(address) => Some(*address),
            SendTo::Name(name) => {
                let own = self.identity();
                self.members().address_of(name).or_else(|| (own.name == *name).then(|| own.address()))
            }
        }
    }

    /// The key of a member, or of this peer.
    pub(super) fn known_key(&self, address: &Address) -> Option<PublicKey> {
        let own = self.identity();
        if own.address() == *address { Some(own.key.public().clone()) } else { self.members().key_of(address) }
    }
}
