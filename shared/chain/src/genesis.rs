//! The genesis block: the first of a chain, and what makes one network different from another.

use crate::{
    encoding::{Preimage, sha256, tag},
    hash::{BlockHash, MerkleRoot, NetworkId},
    header::{BLOCK_VERSION, Header},
    parameters::Parameters,
    time::Timestamp,
};

/// The note in every genesis block.
pub const NOTE: &str = "RacletteCheese";

/// A genesis block. It mints nothing and needs no work; its hash is the network's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The parameters of the network.
    pub parameters: Parameters,
    /// When it was made.
    pub time: Timestamp,
}

impl Genesis {
    /// The bytes whose hash stands in the header where other blocks have their Merkle root (`raclette/genesis/1`).
    #[must_use]
    pub fn preimage(&self) -> Vec<u8> {
        let parameters = &self.parameters;
        Preimage::new(tag::GENESIS, &NetworkId::ZERO)
            .bytes(NOTE.as_bytes())
            .bytes(parameters.name.as_bytes())
            .u64(parameters.spacing_seconds)
            .u64(parameters.half_life_seconds)
            .u32(parameters.first_target.bits())
            .u64(parameters.reward.units())
            .u32(parameters.halving_interval)
            .u32(parameters.max_block_transactions)
            .u32(parameters.max_block_bytes)
            .u32(parameters.max_message_length)
            .u64(parameters.minimum_fee.units())
            .u64(self.time.milliseconds())
            .finish()
    }

    /// The header: height 0, no block before it, nonce 0.
    #[must_use]
    pub fn header(&self) -> Header {
        Header {
            previous: BlockHash::ZERO,
            merkle_root: MerkleRoot::from_bytes(sha256(&self.preimage())),
            version: BLOCK_VERSION,
            height: 0,
            time: self.time,
            target: self.parameters.first_target,
            nonce: 0,
        }
    }

    /// The network's id: the hash of the header.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        NetworkId::from(self.header().hash())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_and_the_time_make_another_network() {
        let genesis = Genesis { parameters: Parameters::default(), time: Timestamp::new(1).unwrap() };
        let other_time = Genesis { time: Timestamp::new(2).unwrap(), ..genesis.clone() };
        let other_name =
            Genesis { parameters: Parameters { name: "brie".into(), ..Parameters::default() }, time: genesis.time };
        assert_ne!(genesis.network(), other_time.network());
        assert_ne!(genesis.network(), other_name.network());
        assert!(genesis.preimage().windows(NOTE.len()).any(|window| window == NOTE.as_bytes()));
    }
}
