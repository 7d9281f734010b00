//! The byte strings that are hashed and signed.
//!
//! Such a string is a tag, the network's id, and fields in a fixed order. Integers are big-endian, byte strings of
//! variable length (the tag too) carry their length as a u32 before them, values of fixed length stand as they are. Two
//! different messages can therefore never share a byte string, and a signature for one purpose is void for any other.

use sha2::{Digest as _, Sha256};

use crate::hash::NetworkId;

/// Tags of the byte strings, one per purpose.
pub mod tag {
    /// A transaction that its sender signs.
    pub const TRANSACTION: &str = "raclette/tx/1";
    /// The reward of a block.
    pub const REWARD: &str = "raclette/reward/1";
    /// What a network fixes with its genesis block.
    pub const GENESIS: &str = "raclette/genesis/1";
    /// The data that a sealed message is bound to.
    pub const MESSAGE_BINDING: &str = "raclette/aad/1";
    /// The digest of a sealed message.
    pub const SEALED_MESSAGE: &str = "raclette/sealed/1";
    /// The state after a block.
    pub const STATE: &str = "raclette/state/1";
    /// A registration at a tracker.
    pub const REGISTER: &str = "raclette/register/1";
    /// A peer's answer to somebody who asks whether it lives at an address.
    pub const CHALLENGE: &str = "raclette/challenge/1";
    /// A tracker's notice about who is online.
    pub const NOTICE: &str = "raclette/notice/1";
    /// A tracker's request to a peer to look whether another peer lives.
    pub const PROBE: &str = "raclette/probe/1";
    /// A peer's farewell.
    pub const LEAVE: &str = "raclette/leave/1";
    /// The report of the genesis block by the peer that made it.
    pub const GENESIS_REPORT: &str = "raclette/genesis-report/1";
    /// A miner's word that it has found a block.
    pub const MINING_COMPLETE: &str = "raclette/mining-complete/1";
    /// A recipient's word that its peer has a transaction and its message.
    pub const RECEIPT: &str = "raclette/receipt/1";
}

/// A byte string under construction; every call appends one field.
#[derive(Debug, Clone)]
pub struct Preimage {
    buffer: Vec<u8>,
}

impl Preimage {
    /// Starts with a tag and the id of the network (zeros where the network does not exist yet).
    #[must_use]
    pub fn new(tag: &str, network: &NetworkId) -> Self {
        let empty = Self { buffer: Vec::with_capacity(640) };
        empty.bytes(tag.as_bytes()).fixed(network.as_bytes())
    }

    /// Appends one byte.
    #[must_use]
    pub fn u8(mut self, value: u8) -> Self {
        self.buffer.push(value);
        self
    }

    /// Appends two bytes, big-endian.
    #[must_use]
    pub fn u16(mut self, value: u16) -> Self {
        self.buffer.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends four bytes, big-endian.
    #[must_use]
    pub fn u32(mut self, value: u32) -> Self {
        self.buffer.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends eight bytes, big-endian.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.buffer.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a value of fixed length as it is.
    #[must_use]
    pub fn fixed<const N: usize>(mut self, value: &[u8; N]) -> Self {
        self.buffer.extend_from_slice(value);
        self
    }

    /// Appends a byte string of variable length behind its length.
    ///
    /// # Panics
    /// Never in practice: only for a string of 4 GiB or more, which no limit of the protocol lets through.
    #[must_use]
    pub fn bytes(mut self, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).expect("limits keep every byte string far below 4 GiB");
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.extend_from_slice(value);
        self
    }

    /// The finished byte string.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.buffer
    }
}

/// SHA-256 of one byte string (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_byte_strings_cannot_be_shifted_into_each_other() {
        let network = NetworkId::ZERO;
        let left = Preimage::new("t", &network).bytes(b"ab").bytes(b"c").finish();
        let right = Preimage::new("t", &network).bytes(b"a").bytes(b"bc").finish();
        assert_ne!(left, right);
    }

    #[test]
    fn integers_are_big_endian() {
        let bytes = Preimage::new("t", &NetworkId::ZERO).u8(1).u16(2).u32(3).u64(4).finish();
        assert_eq!(bytes[4 + 1 + 32..], [1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4]);
    }
}
