//! What a network fixes for ever with its genesis block.

use crate::{
    amount::{Amount, MAX_SAFE_INTEGER},
    message::MAX_SEALED_LENGTH,
    target::{CompactTarget, Target},
};

/// The most transactions a block may have in any network, the reward not counted.
pub const MAX_BLOCK_TRANSACTIONS: u32 = 5_000;
/// The largest block in any network, in bytes ([`crate::block::Block::size`]).
pub const MAX_BLOCK_BYTES: u32 = 4 << 20;
/// The shortest half-life of the target other than 0, in seconds; below it single blocks would swing the target too far.
pub const MIN_HALF_LIFE_SECONDS: u64 = 400;
/// The longest spacing and half-life, in seconds: a hundred years.
const MAX_SECONDS: u64 = 100 * 366 * 86_400;

/// The parameters of a network. They come from the tracker's configuration and are committed to by the genesis block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// The network's name; see [`is_valid_name`].
    pub name: String,
    /// The time between blocks that the target aims at, in seconds.
    pub spacing_seconds: u64,
    /// The delay that halves or doubles the target, in seconds; 0: the target never changes.
    pub half_life_seconds: u64,
    /// The target of the first block, and the easiest of all.
    pub first_target: CompactTarget,
    /// New money for the miner of a block, before any halving.
    pub reward: Amount,
    /// After how many blocks the reward halves; 0: never.
    pub halving_interval: u32,
    /// The most transactions in a block, the reward not counted.
    pub max_block_transactions: u32,
    /// The largest block, in bytes.
    pub max_block_bytes: u32,
    /// The longest sealed message, in bytes of its digest's preimage.
    pub max_message_length: u32,
    /// The lowest fee of a transaction.
    pub minimum_fee: Amount,
}

impl Default for Parameters {
    /// A block every ten seconds of about four million attempts, a reward of 50 that halves every 210,000 blocks.
    fn default() -> Self {
        Self {
            name: String::from("raclette"),
            spacing_seconds: 10,
            half_life_seconds: 600,
            first_target: Target::of_bits(22).compact(),
            reward: Amount::new(50).expect("50 is below 2^53"),
            halving_interval: 210_000,
            max_block_transactions: MAX_BLOCK_TRANSACTIONS,
            max_block_bytes: MAX_BLOCK_BYTES,
            max_message_length: MAX_SEALED_LENGTH,
            minimum_fee: Amount::ZERO,
        }
    }
}

/// Why parameters are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// The name is none.
    #[error("expected a network name of 1 to 32 characters from a-z, 0-9 and -, found {found:?}")]
    Name {
        /// The name.
        found: String,
    },
    /// The first target is not in canonical compact form.
    #[error("expected a first target in canonical compact form, found {found}")]
    FirstTarget {
        /// The 32 bits.
        found: CompactTarget,
    },
    /// A limit is 0 or above what any network may have.
    #[error("expected {what} from {least} to {most}, found {found}")]
    OutOfRange {
        /// Which parameter.
        what: &'static str,
        /// The least allowed.
        least: u64,
        /// The most allowed.
        most: u64,
        /// The value.
        found: u64,
    },
    /// All rewards together would pass 2^53 - 1.
    #[error("expected rewards of at most {} in all, found {found}", MAX_SAFE_INTEGER)]
    Supply {
        /// The sum.
        found: u128,
    },
}

impl Parameters {
    /// Checks that a network can live with them.
    ///
    /// # Errors
    /// See [`ParametersError`].
    pub fn check(&self) -> Result<(), ParametersError> {
        if !is_valid_name(&self.name) {
            return Err(ParametersError::Name { found: self.name.clone() });
        }
        if self.first_target.expand().is_none() {
            return Err(ParametersError::FirstTarget { found: self.first_target });
        }
        in_range("a spacing in seconds", self.spacing_seconds, 1, MAX_SECONDS)?;
        if self.half_life_seconds != 0 {
            in_range("a half-life in seconds of 0, or", self.half_life_seconds, MIN_HALF_LIFE_SECONDS, MAX_SECONDS)?;
        }
        let (transactions, bytes) = (u64::from(self.max_block_transactions), u64::from(self.max_block_bytes));
        in_range("a number of transactions in a block", transactions, 1, u64::from(MAX_BLOCK_TRANSACTIONS))?;
        in_range("a size of a block in bytes", bytes, 16_384, u64::from(MAX_BLOCK_BYTES))?;
        let message = u64::from(self.max_message_length);
        in_range("a length of a sealed message in bytes", message, 0, u64::from(MAX_SEALED_LENGTH))?;
        let supply = self.total_subsidy();
        if supply > u128::from(MAX_SAFE_INTEGER) {
            return Err(ParametersError::Supply { found: supply });
        }
        Ok(())
    }

    /// The new money that the miner of the block at `height` gets.
    #[must_use]
    pub fn subsidy(&self, height: u32) -> Amount {
        if height == 0 {
            return Amount::ZERO;
        }
        let halvings = (height - 1).checked_div(self.halving_interval).unwrap_or(0);
        let units = self.reward.units().checked_shr(halvings).unwrap_or(0);
        Amount::new(units).expect("a part of an amount is an amount")
    }

    /// All the money there can ever be.
    #[must_use]
    pub fn total_subsidy(&self) -> u128 {
        let reward = u128::from(self.reward.units());
        if self.halving_interval == 0 {
            return reward * u128::from(u32::MAX);
        }
        (0..64).map(|halvings| (reward >> halvings) * u128::from(self.halving_interval)).sum()
    }

    /// The first target as a number.
    ///
    /// # Panics
    /// For parameters that do not pass [`Parameters::check`].
    #[must_use]
    pub fn first_target(&self) -> Target {
        self.first_target.expand().expect("checked parameters have a canonical first target")
    }
}

fn in_range(what: &'static str, found: u64, least: u64, most: u64) -> Result<(), ParametersError> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(ParametersError::OutOfRange { what, least, most, found }) }
}

/// Whether this is a name for a network or a peer: 1 to 32 characters from a to z, 0 to 9 and `-`, the first not `-`.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_parameters_are_accepted() {
        assert_eq!(Parameters::default().check(), Ok(()));
        assert_eq!(Parameters::default().total_subsidy(), 210_000 * (50 + 25 + 12 + 6 + 3 + 1));
    }

    #[test]
    fn parameters_that_no_network_can_live_with_are_refused() {
        let good = Parameters::default;
        let bad = [
            Parameters { name: "Emmental".into(), ..good() },
            Parameters { name: "-x".into(), ..good() },
            Parameters { first_target: CompactTarget::from_bits(0), ..good() },
            Parameters { spacing_seconds: 0, ..good() },
            Parameters { half_life_seconds: 399, ..good() },
            Parameters { max_block_transactions: MAX_BLOCK_TRANSACTIONS + 1, ..good() },
            Parameters { max_block_bytes: MAX_BLOCK_BYTES + 1, ..good() },
            Parameters { max_message_length: MAX_SEALED_LENGTH + 1, ..good() },
            Parameters { reward: Amount::MAX, ..good() },
            Parameters { reward: Amount::new(1 << 22).unwrap(), halving_interval: 0, ..good() },
        ];
        for parameters in bad {
            assert!(parameters.check().is_err(), "{parameters:?}");
        }
    }

    #[test]
    fn the_reward_halves_behind_each_interval_and_ends() {
        let parameters = Parameters { halving_interval: 10, ..Parameters::default() };
        let at = |height| parameters.subsidy(height).units();
        assert_eq!([at(0), at(1), at(10), at(11), at(20), at(21), at(61), at(u32::MAX)], [0, 50, 50, 25, 25, 12, 0, 0]);
    }
}
