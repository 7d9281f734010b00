//! Targets and work.
//!
//! A block's hash, as a big-endian number, must not exceed its target. A header carries the target in the compact form
//! that Bitcoin made a standard: one byte of exponent (the number of bytes), three of mantissa.

use std::fmt;

use ruint::aliases::U256;

use crate::hash::BlockHash;

/// A 256-bit number that a block's hash must not exceed. Lower is harder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

/// A target in the 32 bits of a header. Not every value is one: see [`CompactTarget::expand`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompactTarget(u32);

/// How many attempts blocks cost on average, added up along a chain. The chain with the most wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Work(U256);

const MANTISSA_BYTES: u32 = 3;

impl CompactTarget {
    /// The value with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The 32 bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The target, or none if this is not the canonical form of a number from 1 to 2^256 - 1: negative, zero, too large,
    /// or written with another exponent than the smallest.
    #[must_use]
    pub fn expand(self) -> Option<Target> {
        let [exponent, high, middle, low] = self.0.to_be_bytes();
        let exponent = u32::from(exponent);
        let mantissa = u32::from_be_bytes([0, high, middle, low]);
        if exponent == 0 || exponent > 32 + 1 {
            return None;
        }
        let mantissa = U256::from(mantissa);
        let value = if exponent <= MANTISSA_BYTES {
            mantissa >> ((8 * (MANTISSA_BYTES - exponent)) as usize)
        } else {
            mantissa.checked_shl((8 * (exponent - MANTISSA_BYTES)) as usize)?
        };
        let target = Target(value);
        (!value.is_zero() && target.compact() == self).then_some(target)
    }
}

impl fmt::Display for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactTarget({self})")
    }
}

impl Target {
    /// The hardest target: 1.
    pub const MIN: Self = Self(U256::ONE);

    /// The target of this value, at least 1.
    #[must_use]
    pub fn from_value(value: U256) -> Self {
        Self(value.max(U256::ONE))
    }

    /// The target at which a block takes about 2^`bits` attempts; from 0 to 255.
    #[must_use]
    pub fn of_bits(bits: u8) -> Self {
        Self(U256::MAX >> usize::from(bits))
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> U256 {
        self.0
    }

    /// The number in 32 big-endian bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// The compact form. It keeps the highest 16 to 24 bits, and cuts the rest: the target gets no easier.
    #[must_use]
    pub fn compact(self) -> CompactTarget {
        let length = u32::try_from(self.0.byte_len()).expect("a 256-bit number has at most 32 bytes");
        let shifted = if length <= MANTISSA_BYTES {
            self.0 << ((8 * (MANTISSA_BYTES - length)) as usize)
        } else {
            self.0 >> ((8 * (length - MANTISSA_BYTES)) as usize)
        };
        let mut mantissa: u32 = shifted.try_into().expect("three bytes remain after the shift");
        let mut exponent = length;
        // The highest bit of the mantissa is a sign in this form; a number that needs it takes one byte more.
        if mantissa & 0x0080_0000 != 0 {
            mantissa >>= 8;
            exponent += 1;
        }
        CompactTarget(exponent << 24 | mantissa)
    }

    /// Whether a block's hash is low enough.
    #[must_use]
    pub fn is_met_by(self, hash: &BlockHash) -> bool {
        U256::from_be_bytes(*hash.as_bytes()) <= self.0
    }

    /// How many attempts a block with this target costs on average: floor(2^256 / (target + 1)).
    #[must_use]
    pub fn work(self) -> Work {
        // 2^256 does not fit: 2^256 / (t + 1) = (2^256 - 1 - t) / (t + 1) + 1.
        self.0.checked_add(U256::ONE).map_or(Work(U256::ONE), |above| Work((!self.0) / above + U256::ONE))
    }
}

impl Work {
    /// No work.
    pub const ZERO: Self = Self(U256::ZERO);

    /// The sum. It cannot pass 2^256 before the hashes of this universe do; if it would, it stays there.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The number in 32 big-endian bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// The work behind 32 big-endian bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }
}

impl fmt::Display for Work {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&faster_hex::hex_string(&self.bytes()))
    }
}

impl fmt::Display for Target {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&faster_hex::hex_string(&self.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_compact_forms() {
        assert_eq!(
            CompactTarget(0x1d00_ffff).expand().unwrap().value(),
            U256::from(0xffff) << 208,
            "Bitcoin's first target"
        );
        assert_eq!(Target::MIN.compact(), CompactTarget(0x0101_0000));
        for bits in [
            0_u32,
            0x1d00_0000,
            0x2100_ffff + 0x100_0000,
            0x0480_0000,
            0x0300_0000,
            0x0200_0100 + 1,
            0x1e00_00ff,
            0xff12_3456,
        ] {
            assert_eq!(CompactTarget(bits).expand(), None, "{bits:08x}");
        }
    }

    #[test]
    fn the_easiest_and_hardest_targets_work() {
        assert_eq!(Target::of_bits(0).work(), Work(U256::ONE));
        assert_eq!(Target::of_bits(8).work(), Work(U256::from(256)));
        assert!(Target::of_bits(0).compact().expand().unwrap() <= Target::of_bits(0));
        assert!(Target::MIN.work() > Target::of_bits(200).work());
    }

    proptest! {
        #[test]
        fn compact_forms_have_one_spelling_and_never_get_easier(bytes in any::<[u8; 32]>(), shift in 0_usize..256) {
            let target = Target::from_value(U256::from_be_bytes(bytes) >> shift);
            let expanded = target.compact().expand().expect("what is compacted is canonical");
            prop_assert!(expanded <= target);
            prop_assert_eq!(expanded.compact(), target.compact());
        }

        #[test]
        fn any_bits_expand_to_what_compacts_to_them(bits in any::<u32>()) {
            if let Some(target) = CompactTarget(bits).expand() {
                prop_assert_eq!(target.compact(), CompactTarget(bits));
            }
        }
    }
}
