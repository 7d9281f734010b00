//! Reading stored bytes, and what is hashed or signed, for the audit.

use rsa::{
    pkcs8::{DecodePublicKey as _, EncodePublicKey as _},
    pss::{Signature, VerifyingKey},
    sha2::Sha256,
    signature::Verifier as _,
    traits::PublicKeyParts as _,
};
use sha2::Digest as _;

use crate::{amount::MAX_SAFE_INTEGER, genesis::Genesis};

/// SHA-256.
pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A byte string behind its length.
fn variable(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("nothing stored is as long as 4 GiB");
    [&length.to_be_bytes(), bytes].concat()
}

/// Tag, network and fields, as they are hashed or signed.
pub(super) fn tagged(tag: &str, network: &[u8; 32], fields: &[&[u8]]) -> Vec<u8> {
    [variable(tag.as_bytes()), network.to_vec(), fields.concat()].concat()
}

/// The leaf of a transaction.
pub(super) fn leaf(id: &[u8; 32], signature: &[u8]) -> [u8; 32] {
    hash(&[&[0], &id[..], signature].concat())
}

/// The Merkle root, by the definition of RFC 6962.
pub(super) fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    if let [one] = leaves {
        return *one;
    }
    let mut split = 1;
    while split * 2 < leaves.len() {
        split *= 2;
    }
    hash(&[&[1], &root(&leaves[..split])[..], &root(&leaves[split..])[..]].concat())
}

/// A header, and its hash.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) hash: [u8; 32],
    pub(super) previous: [u8; 32],
    pub(super) merkle_root: [u8; 32],
    pub(super) version: u32,
    pub(super) height: u32,
    pub(super) time: u64,
    pub(super) target: u32,
}

impl Header {
    /// Reads the 92 bytes; none if they are no header.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let header = Self {
            hash: hash(bytes),
            previous: reader.fixed()?,
            merkle_root: reader.fixed()?,
            version: reader.u32()?,
            height: reader.u32()?,
            time: reader.safe_u64()?,
            target: reader.u32()?,
        };
        reader.fixed::<8>()?;
        reader.0.is_empty().then_some(header)
    }
}

/// The header of the genesis block.
pub(super) fn genesis_header(genesis: &Genesis) -> Header {
    let parameters = &genesis.parameters;
    let preimage = tagged(
        "raclette/genesis/1",
        &[0; 32],
        &[
            &variable(b"RacletteCheese"),
            &variable(parameters.name.as_bytes()),
            &parameters.spacing_seconds.to_be_bytes(),
            &parameters.half_life_seconds.to_be_bytes(),
            &parameters.first_target.bits().to_be_bytes(),
            &parameters.reward.units().to_be_bytes(),
            &parameters.halving_interval.to_be_bytes(),
            &parameters.max_block_transactions.to_be_bytes(),
            &parameters.max_block_bytes.to_be_bytes(),
            &parameters.max_message_length.to_be_bytes(),
            &parameters.minimum_fee.units().to_be_bytes(),
            &genesis.time.milliseconds().to_be_bytes(),
        ],
    );
    let (merkle_root, time) = (hash(&preimage), genesis.time.milliseconds());
    let target = parameters.first_target.bits();
    let bytes = [
        &[0; 32][..],
        &merkle_root,
        &1_u32.to_be_bytes(),
        &0_u32.to_be_bytes(),
        &time.to_be_bytes(),
        &target.to_be_bytes(),
        &0_u64.to_be_bytes(),
    ];
    Header { hash: hash(&bytes.concat()), previous: [0; 32], merkle_root, version: 1, height: 0, time, target }
}

/// A transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) sender_key: Vec<u8>,
    pub(super) recipient: [u8; 32],
    pub(super) amount: u64,
    pub(super) fee: u64,
    pub(super) sequence: u64,
    created: u64,
    pub(super) valid_until: u32,
    pub(super) message_digest: [u8; 32],
    pub(super) message_length: u32,
    pub(super) signature: Vec<u8>,
}

impl Transaction {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            sender_key: reader.variable()?,
            recipient: reader.fixed()?,
            amount: reader.safe_u64()?,
            fee: reader.safe_u64()?,
            sequence: u64::from_be_bytes(reader.fixed()?),
            created: reader.safe_u64()?,
            valid_until: reader.u32()?,
            message_digest: reader.fixed()?,
            message_length: reader.u32()?,
            signature: reader.variable()?,
        })
    }

    /// The bytes that its sender signed.
    pub(super) fn signed(&self, network: &[u8; 32]) -> Vec<u8> {
        let fields: [&[u8]; 9] = [
            &variable(&self.sender_key),
            &self.recipient,
            &self.amount.to_be_bytes(),
            &self.fee.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &self.created.to_be_bytes(),
            &self.valid_until.to_be_bytes(),
            &self.message_digest,
            &self.message_length.to_be_bytes(),
        ];
        tagged("raclette/tx/1", network, &fields)
    }

    /// What it counts towards the size of a block.
    pub(super) fn size(&self, network: &[u8; 32]) -> u64 {
        (self.signed(network).len() + self.signature.len()) as u64 + u64::from(self.message_length)
    }
}

/// Whether the sender's key is one, and signed the transaction: RSASSA-PSS by another library than the one that accepts.
pub(super) fn signature_holds(network: &[u8; 32], transaction: &Transaction) -> bool {
    let Ok(key) = rsa::PublicKey::from_public_key_der(&transaction.sender_key) else { return false };
    let encoded_alike = key.to_public_key_der().is_ok_and(|der| der.as_bytes() == transaction.sender_key);
    let modulus = key.n_bytes();
    let allowed = [256, 384, 512].contains(&modulus.len()) && modulus[0] >= 0x80 && *key.e_bytes() == [1, 0, 1];
    let signature = &transaction.signature;
    if !encoded_alike || !allowed || signature.len() != modulus.len() || signature[..] >= modulus[..] {
        return false;
    }
    let Ok(signature) = Signature::try_from(signature.as_slice()) else { return false };
    VerifyingKey::<Sha256>::new_with_salt_len(key, 32).verify(&transaction.signed(network), &signature).is_ok()
}

/// Reward and transactions of a block.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) miner: [u8; 32],
    pub(super) reward: u64,
    pub(super) transactions: Vec<Transaction>,
}

impl Body {
    /// Reads all bytes; none if they are no body.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (miner, reward) = (reader.fixed()?, reader.safe_u64()?);
        let mut transactions = Vec::new();
        while !reader.0.is_empty() {
            transactions.push(Transaction::read(&mut reader)?);
        }
        Some(Self { miner, reward, transactions })
    }
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*value)
    }

    fn u32(&mut self) -> Option<u32> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// An integer of at most 2^53 - 1.
    fn safe_u64(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_be_bytes).filter(|value| *value <= MAX_SAFE_INTEGER)
    }

    fn variable(&mut self) -> Option<Vec<u8>> {
        let length = self.u32()? as usize;
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value.to_vec())
    }
}
