//! Hashes, each kind a type of its own, so that a block's hash can never stand where a transaction's id is meant.
//!
//! All are 32 bytes, shown as 64 lower-case hex digits, and ordered as big-endian numbers.

use std::{fmt, str::FromStr};

/// Why a text is not a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hex digits, found {found:?}")]
pub struct ParseHashError {
    found: String,
}

/// Reads `text` as exactly `N` bytes of lower-case hex.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    faster_hex::hex_decode_with_case(text.as_bytes(), &mut bytes, faster_hex::CheckCase::Lower).ok()?;
    Some(bytes)
}

macro_rules! hash_type {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Thirty-two zero bytes: "none".
            pub const ZERO: Self = Self([0; 32]);

            /// The value behind these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes, most significant first.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Whether this is [`Self::ZERO`].
            #[must_use]
            pub fn is_zero(&self) -> bool {
                *self == Self::ZERO
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&faster_hex::hex_string(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseHashError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex(text).map(Self).ok_or_else(|| ParseHashError { found: text.chars().take(80).collect() })
            }
        }
    };
}

hash_type! {
    /// The id of a network: the hash of its genesis block.
    NetworkId
}
hash_type! {
    /// The hash of a block's header, which commits to the whole block through the Merkle root.
    BlockHash
}
hash_type! {
    /// The id of a transaction: the hash of what is signed, without the signature.
    TransactionId
}
hash_type! {
    /// The hash of a Merkle leaf: of a transaction's id together with its signature. What is remembered as verified is
    /// this, never the id, since one id can carry many valid signatures.
    LeafHash
}
hash_type! {
    /// The root of the Merkle tree over a block's transactions.
    MerkleRoot
}
hash_type! {
    /// The digest of a sealed message, which the transaction that carries it commits to.
    MessageDigest
}
hash_type! {
    /// A hash over all account changes since the genesis block; equal on two nodes exactly if their states are.
    StateHash
}

impl From<BlockHash> for NetworkId {
    /// The id of the network that begins with this genesis block.
    fn from(genesis: BlockHash) -> Self {
        Self(genesis.0)
    }
}

impl From<NetworkId> for BlockHash {
    /// The hash of the genesis block that this id names.
    fn from(network: NetworkId) -> Self {
        Self(network.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_exactly_64_lower_case_digits() {
        let text = "00000000000000000000000000000000000000000000000000000000000000ab";
        assert_eq!(text.parse::<BlockHash>().unwrap().to_string(), text);
        assert!(text.to_uppercase().parse::<BlockHash>().is_err(), "upper case would be a second encoding");
        assert!(text[2..].parse::<BlockHash>().is_err());
        assert!(format!("0x{text}").parse::<BlockHash>().is_err());
    }

    #[test]
    fn order_is_that_of_big_endian_numbers() {
        let mut high = [0; 32];
        high[0] = 1;
        let mut low = [0; 32];
        low[31] = 255;
        assert!(BlockHash::from_bytes(low) < BlockHash::from_bytes(high));
    }
}
