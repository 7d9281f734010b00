//! Transactions: what a sender signs.

use crate::{
    address::Address,
    amount::Amount,
    encoding::{Preimage, sha256, tag},
    hash::{LeafHash, MessageDigest, NetworkId, TransactionId},
    keys::{PrivateKey, PublicKey, Signature, SignatureError},
    merkle,
    message::Binding,
    time::Timestamp,
};

/// What a sender signs: a transfer of money, a commitment to a message, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The sender's public key; its address pays.
    pub sender: PublicKey,
    /// Who receives. May be the sender: a transfer of 0 to oneself cancels by replacement.
    pub recipient: Address,
    /// Money from the sender to the recipient; may be 0.
    pub amount: Amount,
    /// Money from the sender to whoever mines it.
    pub fee: Amount,
    /// How many transactions of this sender come before it, from 0.
    pub sequence: u64,
    /// When it was made. Only policy looks at it.
    pub created: Timestamp,
    /// The last height at which it may stand in a block; 0: at any.
    pub valid_until: u32,
    /// The digest of the sealed message; [`MessageDigest::ZERO`]: none.
    pub message_digest: MessageDigest,
    /// The length of the digest's preimage; 0: no message.
    pub message_length: u32,
}

impl Transaction {
    /// The bytes that are signed and hashed (`raclette/tx/1`).
    #[must_use]
    pub fn preimage(&self, network: &NetworkId) -> Vec<u8> {
        Preimage::new(tag::TRANSACTION, network)
            .bytes(self.sender.der())
            .fixed(self.recipient.as_bytes())
            .u64(self.amount.units())
            .u64(self.fee.units())
            .u64(self.sequence)
            .u64(self.created.milliseconds())
            .u32(self.valid_until)
            .fixed(self.message_digest.as_bytes())
            .u32(self.message_length)
            .finish()
    }

    /// What a message of this transaction must be bound to.
    #[must_use]
    pub fn binding(&self, network: NetworkId) -> Binding {
        Binding {
            network,
            sender: self.sender.address(),
            recipient: self.recipient,
            sequence: self.sequence,
            amount: self.amount,
            fee: self.fee,
        }
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &PrivateKey, network: &NetworkId) -> SignedTransaction {
        let signature = key.sign(&self.preimage(network));
        SignedTransaction::new(self, signature, network)
    }
}

/// A transaction with a signature of the right form. Whether the signature verifies is a rule of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    transaction: Transaction,
    signature: Signature,
    id: TransactionId,
    leaf: LeafHash,
    size: usize,
}

impl SignedTransaction {
    /// Puts a transaction and a signature together and computes what identifies them.
    #[must_use]
    pub fn new(transaction: Transaction, signature: Signature, network: &NetworkId) -> Self {
        let preimage = transaction.preimage(network);
        let id = TransactionId::from_bytes(sha256(&preimage));
        let leaf = merkle::leaf(&id, signature.as_bytes());
        let size = preimage.len() + signature.as_bytes().len() + transaction.message_length as usize;
        Self { transaction, signature, id, leaf, size }
    }

    /// The signed content.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The id: SHA-256 of what is signed. It does not depend on the signature.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// The hash of id and signature together, which a block commits to.
    #[must_use]
    pub fn leaf(&self) -> LeafHash {
        self.leaf
    }

    /// What it counts towards limits, in bytes: the signed bytes, the signature and the signed length of its message,
    /// whether or not the message is at hand.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The sender's address.
    #[must_use]
    pub fn sender(&self) -> Address {
        self.transaction.sender.address()
    }

    /// Amount and fee together, or none if that is more than there can be.
    #[must_use]
    pub fn cost(&self) -> Option<Amount> {
        self.transaction.amount.checked_add(self.transaction.fee)
    }

    /// Whether the sender really signed it. Takes some 20 to 40 microseconds of one core.
    ///
    /// # Errors
    /// See [`PublicKey::verify`].
    pub fn verify(&self, network: &NetworkId) -> Result<(), SignatureError> {
        self.transaction.sender.verify(&self.transaction.preimage(network), &self.signature)
    }
}

/// The first transaction of a block: new money and the fees, for the miner. Nobody signs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reward {
    /// Who mined the block.
    pub miner: Address,
    /// Exactly subsidy + fees, credited after all other transactions of the block.
    pub amount: Amount,
}

impl Reward {
    /// The id of the reward in the block of this height on top of `previous` (`raclette/reward/1`).
    #[must_use]
    pub fn id(&self, network: &NetworkId, previous: &crate::hash::BlockHash, height: u32) -> TransactionId {
        let preimage = Preimage::new(tag::REWARD, network)
            .fixed(previous.as_bytes())
            .u32(height)
            .fixed(self.miner.as_bytes())
            .u64(self.amount.units())
            .finish();
        TransactionId::from_bytes(sha256(&preimage))
    }
}
