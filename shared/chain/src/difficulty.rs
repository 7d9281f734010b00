//! How the target follows the pace of the blocks.
//!
//! Every block's target is its parent's, scaled by 2^((time between the two - spacing) / half-life), in the fixed-point
//! arithmetic published as aserti3-2d. It is limited to the network's first target, so that a quiet month owes no blocks
//! and the first block after it is quick.

use ruint::{Uint, aliases::U256};

use crate::{header::Header, parameters::Parameters, target::Target, time::Timestamp};

/// A number wide enough for a target times the 17-bit factor.
type Wide = Uint<320, 5>;

const FRACTION_BITS: u32 = 16;
const RADIX: i128 = 1 << FRACTION_BITS;

/// The target of a block made at `time` on top of `parent`.
///
/// # Panics
/// Never for a parent that passed the rules: its target is canonical.
#[must_use]
pub fn next_target(parent: &Header, time: Timestamp, parameters: &Parameters) -> Target {
    let easiest = parameters.first_target();
    let parent_target = parent.target.expand().expect("a block in the chain has a canonical target");
    if parameters.half_life_seconds == 0 {
        return easiest;
    }
    let elapsed = i128::from(time.milliseconds()) - i128::from(parent.time.milliseconds());
    let late = elapsed - i128::from(parameters.spacing_seconds) * 1000;
    let exponent = late * RADIX / (i128::from(parameters.half_life_seconds) * 1000);
    let scaled = scale(parent_target.value(), exponent).map_or(easiest, Target::from_value);
    // What a header can carry has fewer bits; cut them here, so that the rule and the header compare equal.
    scaled.min(easiest).compact().expand().expect("what is compacted is canonical")
}

/// `value` x 2^(`exponent` / 65536), rounded down; none if that is 2^256 or more.
///
/// The power of two is approximated by a cubic polynomial with an error below 0.013 %, in integers, so that all nodes
/// agree to the last bit.
fn scale(value: U256, exponent: i128) -> Option<U256> {
    let shifts = exponent >> FRACTION_BITS;
    let fraction = u128::try_from(exponent & (RADIX - 1)).expect("a masked number is not negative");
    let polynomial = 195_766_423_245_049 * fraction
        + 971_821_376 * fraction * fraction
        + 5_127 * fraction * fraction * fraction
        + (1 << 47);
    let factor = (1 << FRACTION_BITS) + (polynomial >> 48);
    let product = Wide::from(value) * Wide::from(factor);
    let shifts = shifts - i128::from(FRACTION_BITS);
    let shifted = if shifts <= 0 {
        product >> usize::try_from(-shifts).map_or(Wide::BITS, |shifts| shifts.min(Wide::BITS))
    } else {
        // A shift beyond the width loses bits just as surely as one within it.
        product.checked_shl(usize::try_from(shifts).ok()?.min(Wide::BITS))?
    };
    U256::checked_from_limbs_slice(shifted.as_limbs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hash::{BlockHash, MerkleRoot},
        parameters::Parameters,
        target::CompactTarget,
    };

    fn parameters() -> Parameters {
        Parameters {
            first_target: Target::of_bits(8).compact(),
            spacing_seconds: 10,
            half_life_seconds: 600,
            ..Parameters::default()
        }
    }

    fn parent(target: CompactTarget) -> Header {
        Header {
            previous: BlockHash::ZERO,
            merkle_root: MerkleRoot::ZERO,
            version: 1,
            height: 7,
            time: Timestamp::new(1_000_000_000).unwrap(),
            target,
            nonce: 0,
        }
    }

    fn after(seconds: u64) -> Timestamp {
        Timestamp::new(1_000_000_000 + seconds * 1000).unwrap()
    }

    #[test]
    fn a_block_on_time_keeps_the_target() {
        let target = Target::of_bits(30).compact();
        assert_eq!(next_target(&parent(target), after(10), &parameters()).compact(), target);
    }

    #[test]
    fn a_half_life_late_doubles_and_early_halves() {
        let parent = parent(Target::of_bits(30).compact());
        let value = parent.target.expand().unwrap().value();
        let doubled = next_target(&parent, after(610), &parameters()).value();
        assert_eq!(doubled, value << 1);
        let parameters = Parameters { spacing_seconds: 600, ..parameters() };
        assert_eq!(
            next_target(&parent, after(0), &parameters).value(),
            Target::from_value(value >> 1).compact().expand().unwrap().value()
        );
    }

    #[test]
    fn the_first_block_after_a_quiet_month_is_easy_and_the_quiet_is_forgotten() {
        let parameters = parameters();
        let month = 30 * 86_400;
        let quiet = next_target(&parent(Target::of_bits(60).compact()), after(month), &parameters);
        assert_eq!(quiet, parameters.first_target());
        let then = Header { time: after(month), target: quiet.compact(), ..parent(quiet.compact()) };
        assert!(next_target(&then, after(month), &parameters) < quiet, "the block right behind it is harder, not owed");
    }

    #[test]
    fn extreme_times_saturate() {
        let parameters = parameters();
        let parent = parent(Target::of_bits(60).compact());
        assert_eq!(next_target(&parent, Timestamp::MAX, &parameters), parameters.first_target());
        let early = Timestamp::new(0).unwrap();
        assert_eq!(next_target(&parent, early, &parameters), Target::MIN);
    }
}
