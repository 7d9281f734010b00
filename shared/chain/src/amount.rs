//! Money: whole units, never negative, never beyond what every JSON client can hold exactly.

use std::fmt;

/// The largest integer that JSON clients hold exactly (2^53 - 1, RFC 8259 section 6); no amount, supply or time goes beyond.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A number of whole units of money, at most [`Amount::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u64);

/// A number that no amount can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("amount {found} is above {}", MAX_SAFE_INTEGER)]
pub struct AmountError {
    /// What was asked for.
    pub found: u64,
}

impl Amount {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount and the largest supply: 2^53 - 1 units.
    pub const MAX: Self = Self(MAX_SAFE_INTEGER);

    /// An amount of `units`.
    ///
    /// # Errors
    /// When `units` is above [`Amount::MAX`].
    pub const fn new(units: u64) -> Result<Self, AmountError> {
        if units > MAX_SAFE_INTEGER { Err(AmountError { found: units }) } else { Ok(Self(units)) }
    }

    /// The number of units.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The sum, or none if it would be above [`Amount::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }

    /// The difference, or none if it would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u64> for Amount {
    type Error = AmountError;

    fn try_from(units: u64) -> Result<Self, Self::Error> {
        Self::new(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_never_pass_the_largest_amount_and_differences_never_fall_below_zero() {
        let one = Amount::new(1).unwrap();
        assert_eq!(Amount::MAX.checked_add(one), None);
        assert_eq!(Amount::ZERO.checked_sub(one), None);
        assert_eq!(Amount::MAX.checked_sub(one).and_then(|less| less.checked_add(one)), Some(Amount::MAX));
        assert_eq!(Amount::new(1 << 53), Err(AmountError { found: 1 << 53 }));
    }
}
