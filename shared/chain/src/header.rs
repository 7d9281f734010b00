//! Block headers: 92 bytes that are hashed once.

use crate::{
    hash::{BlockHash, MerkleRoot},
    target::CompactTarget,
    time::Timestamp,
};

/// The version that blocks carry.
pub const BLOCK_VERSION: u32 = 1;

/// The length of a header in bytes.
pub const HEADER_LENGTH: usize = raclette_pow::HEADER_LEN;

/// The header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The hash of the block before; zeros in the genesis block.
    pub previous: BlockHash,
    /// The Merkle root over reward and transactions; in the genesis block the hash of the network's parameters.
    pub merkle_root: MerkleRoot,
    /// The version of the block: [`BLOCK_VERSION`].
    pub version: u32,
    /// How many blocks come before it.
    pub height: u32,
    /// When the miner made it.
    pub time: Timestamp,
    /// What its hash must not exceed.
    pub target: CompactTarget,
    /// What the miner searched.
    pub nonce: u64,
}

impl Header {
    /// The bytes that are hashed. The first 64 do not change while the nonce does.
    #[must_use]
    pub fn bytes(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        bytes[..32].copy_from_slice(self.previous.as_bytes());
        bytes[32..64].copy_from_slice(self.merkle_root.as_bytes());
        bytes[64..68].copy_from_slice(&self.version.to_be_bytes());
        bytes[68..72].copy_from_slice(&self.height.to_be_bytes());
        bytes[72..80].copy_from_slice(&self.time.milliseconds().to_be_bytes());
        bytes[80..84].copy_from_slice(&self.target.bits().to_be_bytes());
        bytes[84..].copy_from_slice(&self.nonce.to_be_bytes());
        bytes
    }

    /// The header behind these bytes; none if its time is beyond what a time can be.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; HEADER_LENGTH]) -> Option<Self> {
        let (previous, rest) = bytes.split_first_chunk()?;
        let (merkle_root, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (height, rest) = rest.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let (target, rest) = rest.split_first_chunk()?;
        let (nonce, _) = rest.split_first_chunk()?;
        Some(Self {
            previous: BlockHash::from_bytes(*previous),
            merkle_root: MerkleRoot::from_bytes(*merkle_root),
            version: u32::from_be_bytes(*version),
            height: u32::from_be_bytes(*height),
            time: Timestamp::new(u64::from_be_bytes(*time)).ok()?,
            target: CompactTarget::from_bits(u32::from_be_bytes(*target)),
            nonce: u64::from_be_bytes(*nonce),
        })
    }

    /// The hash: one SHA-256 of the bytes, compared as a big-endian number.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        BlockHash::from_bytes(raclette_pow::hash(&self.bytes()))
    }
}
