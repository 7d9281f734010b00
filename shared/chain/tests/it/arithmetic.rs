//! Targets and work, computed a second time with an independent library of unlimited integers, by the words of PROTOCOL.md
//! section 9; and the published facts about aserti3-2d.

use num_bigint::{BigInt, BigUint};
use proptest::prelude::*;
use raclette_chain::{
    difficulty::next_target,
    hash::{BlockHash, MerkleRoot},
    header::{BLOCK_VERSION, Header},
    parameters::Parameters,
    target::{CompactTarget, Target, Work},
};

use crate::test_chain::{START, at};

fn number(target: Target) -> BigUint {
    BigUint::from_bytes_be(&target.bytes())
}

fn one() -> BigUint {
    BigUint::from(1_u8)
}

/// The compact form of a number from 1 on.
fn compact(value: &BigUint) -> u32 {
    let digits = value.to_bytes_be();
    let mut exponent = u32::try_from(digits.len()).unwrap();
    let highest = digits.iter().copied().chain([0, 0]).take(3);
    let mut mantissa = highest.fold(0_u32, |mantissa, digit| mantissa << 8 | u32::from(digit));
    if mantissa & 0x80_0000 != 0 {
        mantissa >>= 8;
        exponent += 1;
    }
    exponent << 24 | mantissa
}

/// The number behind a canonical compact form.
fn expand(bits: u32) -> Option<BigUint> {
    let (exponent, mantissa) = (bits >> 24, BigUint::from(bits & 0x00ff_ffff));
    let value = if exponent >= 3 { mantissa << (8 * (exponent - 3)) } else { mantissa >> (8 * (3 - exponent)) };
    let is_in_range = value >= one() && value.bits() <= 256;
    let is_positive = bits & 0x80_0000 == 0;
    (is_in_range && is_positive && compact(&value) == bits).then_some(value)
}

fn work(target: &BigUint) -> BigUint {
    (one() << 256) / (target + 1_u8)
}

/// The target that follows, `late` milliseconds behind the plan.
fn next(parent: &BigUint, late: i64, half_life_seconds: u64, first: &BigUint) -> u32 {
    if half_life_seconds == 0 {
        return compact(first);
    }
    let exponent: BigInt = BigInt::from(late) * 65_536 / (BigInt::from(half_life_seconds) * 1_000);
    let shifts: BigInt = exponent.clone() >> 16;
    let fraction = BigUint::try_from(exponent - (shifts.clone() << 16)).unwrap();
    let polynomial: BigUint = &fraction * 195_766_423_245_049_u64
        + &fraction * &fraction * 971_821_376_u64
        + &fraction * &fraction * &fraction * 5_127_u64;
    let factor: BigUint = BigUint::from(65_536_u32) + ((polynomial + (one() << 47)) >> 48);
    // Beyond 600 bits nothing changes any more, and the number would only fill the memory.
    let shifts = i64::try_from(shifts).map_or(600 * late.signum(), |shifts| shifts.clamp(-600, 600)) - 16;
    let distance = usize::try_from(shifts.unsigned_abs()).unwrap();
    let product: BigUint = parent * factor;
    let target: BigUint = if shifts >= 0 { product << distance } else { product >> distance };
    compact(&target.max(one()).min(first.clone()))
}

fn header(target: CompactTarget, time: u64) -> Header {
    Header {
        previous: BlockHash::ZERO,
        merkle_root: MerkleRoot::ZERO,
        version: BLOCK_VERSION,
        height: 7,
        time: at(time),
        target,
        nonce: 0,
    }
}

/// Bits, of which many are a target or nearly one.
fn bits() -> impl Strategy<Value = u32> {
    let near = (0..36_u32, prop_oneof![any::<u32>(), 0..0x200_u32, 0x7f_ff00..0x80_0100_u32]);
    prop_oneof![1 => any::<u32>(), 8 => near.prop_map(|(exponent, mantissa)| exponent << 24 | mantissa & 0x00ff_ffff)]
}

fn target() -> impl Strategy<Value = Target> {
    (any::<[u8; 32]>(), 0..256_usize).prop_map(|(bytes, shift)| {
        let value = BigUint::from_bytes_be(&bytes) >> shift;
        let mut bytes = [0; 32];
        let digits = value.to_bytes_be();
        bytes[32 - digits.len()..].copy_from_slice(&digits);
        Target::from_value(ruint::aliases::U256::from_be_bytes(bytes))
    })
}

/// How much later a block is made than its parent, in milliseconds: often near to the plan, sometimes any time there is.
fn elapsed() -> impl Strategy<Value = i64> {
    const LONGEST: i64 = (1 << 52) - 1;
    prop_oneof![4 => -100_000..200_000_i64, 3 => -100_000_000..2_000_000_000_i64, 1 => -LONGEST..LONGEST]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bits_are_the_target_that_their_definition_says_or_none(bits in bits()) {
        prop_assert_eq!(CompactTarget::from_bits(bits).expand().map(number), expand(bits));
    }

    #[test]
    fn targets_are_cut_and_weighed_as_defined(target in target()) {
        prop_assert_eq!(target.compact().bits(), compact(&number(target)));
        prop_assert_eq!(BigUint::from_bytes_be(&target.work().bytes()), work(&number(target)));
    }

    #[test]
    fn a_hash_meets_a_target_as_numbers_compare(target in target(), hash in any::<[u8; 32]>(), near in -1..=1_i8) {
        let close = (BigInt::from(number(target)) + near).to_bytes_be().1;
        let mut bytes = [0; 32];
        if close.len() <= 32 {
            bytes[32 - close.len()..].copy_from_slice(&close);
            prop_assert_eq!(target.is_met_by(&BlockHash::from_bytes(bytes)), near <= 0);
        }
        let is_low = BigUint::from_bytes_be(&hash) <= number(target);
        prop_assert_eq!(target.is_met_by(&BlockHash::from_bytes(hash)), is_low);
    }

    #[test]
    fn the_work_of_a_chain_is_the_sum_of_its_blocks(targets in prop::collection::vec(target(), 0..20)) {
        let sum = targets.iter().fold(Work::ZERO, |sum, target| sum.saturating_add(target.work()));
        let exact: BigUint = targets.iter().map(|target| work(&number(*target))).sum();
        let most = (one() << 256) - 1_u8;
        prop_assert_eq!(BigUint::from_bytes_be(&sum.bytes()), exact.min(most));
    }

    #[test]
    fn the_next_target_is_that_of_the_definition(
        parent in target(),
        first in target(),
        elapsed in elapsed(),
        spacing_seconds in 1..100_000_u64,
        half_life_seconds in prop_oneof![1 => Just(0), 4 => 400..1_000_000_u64, 1 => Just(3_162_240_000)],
    ) {
        let first_target = first.compact();
        let parameters = Parameters { first_target, spacing_seconds, half_life_seconds, ..Parameters::default() };
        let made = 1_u64 << 52;
        let parent = header(parent.compact(), made);
        let time = at(made.checked_add_signed(elapsed).unwrap());
        let (parent_value, first_value) = (expand(parent.target.bits()).unwrap(), expand(first_target.bits()).unwrap());
        let late = elapsed - i64::try_from(spacing_seconds).unwrap() * 1_000;
        let expected = next(&parent_value, late, half_life_seconds, &first_value);
        prop_assert_eq!(next_target(&parent, time, &parameters).compact().bits(), expected);
    }
}

/// The polynomial is never further from the power of two than is published: 0.013 %.
#[test]
fn the_factor_is_two_to_the_fraction() {
    const PRECISION: usize = 256;
    let parameters = Parameters {
        first_target: Target::of_bits(0).compact(),
        spacing_seconds: 1,
        // So that every second of delay is one 65,536th in the exponent.
        half_life_seconds: 65_536,
        ..Parameters::default()
    };
    // Of this target all 17 bits of the factor are to be seen: 2^166.
    let parent = header(CompactTarget::from_bits(0x1540_0000), START);
    let root = (0..16).fold(BigUint::from(2_u8) << PRECISION, |power, _| (power << PRECISION).sqrt());
    let mut power = one() << PRECISION;
    for fraction in 0..65_536_u64 {
        let next = next_target(&parent, at(START + 1_000 + fraction * 1_000), &parameters);
        let factor = number(next) >> (166 - 16);
        let (found, exact) = (BigInt::from(factor << PRECISION), BigInt::from(&power << 16_u8));
        let difference = (found - &exact).magnitude().clone();
        assert!(difference * 100_000_u32 < exact.magnitude() * 13_u8, "the fraction {fraction}");
        power = (power * &root) >> PRECISION;
    }
}

/// Facts of the test vectors published with aserti3-2d: the anchor's target; so many blocks above the anchor's parent and so
/// many seconds later than it, the target of the block behind that one. Six hundred seconds are the plan for a block, two
/// days the half-life, `1d00ffff` the easiest target.
const PUBLISHED: [(u32, u64, u64, u32); 54] = [
    // On time, at the easiest, at any and at the hardest target.
    (0x1d00_ffff, 2, 1_200, 0x1d00_ffff),
    (0x1d00_ffff, 11, 6_600, 0x1d00_ffff),
    (0x0101_0000, 2, 1_200, 0x0101_0000),
    (0x0101_0000, 11, 6_600, 0x0101_0000),
    // A half-life late with each block, from the hardest target on.
    (0x0101_0000, 2, 174_000, 0x0102_0000),
    (0x0101_0000, 7, 1_041_000, 0x0140_0000),
    (0x0101_0000, 8, 1_214_400, 0x0200_8000),
    (0x0101_0000, 120, 20_635_200, 0x1000_8000),
    (0x0101_0000, 202, 34_854_000, 0x1a02_0000),
    (0x0101_0000, 224, 38_668_800, 0x1d00_8000),
    (0x0101_0000, 225, 38_842_200, 0x1d00_ffff),
    (0x0101_0000, 226, 39_015_600, 0x1d00_ffff),
    // No time passes while the height grows, from the easiest target on.
    (0x1d00_ffff, 2, 0, 0x1d00_fec5),
    (0x1d00_ffff, 290, 0, 0x1c7f_62c0),
    (0x1d00_ffff, 2_594, 0, 0x1b7f_62c0),
    (0x1d00_ffff, 28_802, 0, 0x100f_ec58),
    (0x1d00_ffff, 60_194, 0, 0x027f_6200),
    (0x1d00_ffff, 62_210, 0, 0x0200_fe00),
    (0x1d00_ffff, 62_498, 0, 0x017f_0000),
    (0x1d00_ffff, 63_938, 0, 0x0103_0000),
    (0x1d00_ffff, 64_226, 0, 0x0101_0000),
    (0x1d00_ffff, 64_514, 0, 0x0101_0000),
    // Random times at a steady hash rate.
    (0x1802_aee8, 3, 1_310, 0x1802_ad91),
    (0x1802_aee8, 4, 1_327, 0x1802_abf8),
    (0x1802_aee8, 9, 7_099, 0x1802_b39c),
    (0x1802_aee8, 10, 7_099, 0x1802_b1f2),
    (0x1802_aee8, 100, 63_111, 0x1802_b78d),
    (0x1802_aee8, 250, 158_683, 0x1802_c74e),
    (0x1802_aee8, 319, 203_719, 0x1802_d1c7),
    (0x1802_aee8, 501, 300_620, 0x1802_aef5),
    (0x1802_aee8, 600, 369_787, 0x1802_ca76),
    // Random times while the hash rate falls, until the easiest target is reached.
    (0x1802_aee8, 22, 33_606, 0x1802_e994),
    (0x1802_aee8, 88, 207_289, 0x1804_fca6),
    (0x1802_aee8, 158, 743_137, 0x1824_26f4),
    (0x1802_aee8, 187, 1_078_358, 0x1900_8158),
    (0x1802_aee8, 281, 2_529_858, 0x1a00_881c),
    (0x1802_aee8, 352, 3_950_808, 0x1b00_85ea),
    (0x1802_aee8, 426, 5_430_357, 0x1c00_a57c),
    (0x1802_aee8, 480, 6_774_168, 0x1c7c_75fc),
    (0x1802_aee8, 481, 6_842_136, 0x1d00_a31a),
    (0x1802_aee8, 484, 6_930_238, 0x1d00_e688),
    (0x1802_aee8, 485, 6_993_399, 0x1d00_ffff),
    (0x1802_aee8, 501, 7_462_933, 0x1d00_ffff),
    // Twice as fast as planned.
    (0x1802_aee8, 2, 900, 0x1802_ae16),
    (0x1802_aee8, 3, 1_200, 0x1802_ad44),
    (0x1802_aee8, 4, 1_500, 0x1802_ac71),
    (0x1802_aee8, 6, 2_100, 0x1802_aacd),
    (0x1802_aee8, 11, 3_600, 0x1802_a6b7),
    // Half as fast again as planned.
    (0x1802_aee8, 2, 1_500, 0x1802_afbb),
    (0x1802_aee8, 3, 2_400, 0x1802_b08f),
    (0x1802_aee8, 4, 3_300, 0x1802_b166),
    (0x1802_aee8, 7, 6_000, 0x1802_b3e5),
    (0x1802_aee8, 9, 7_800, 0x1802_b592),
    (0x1802_aee8, 11, 9_600, 0x1802_b73d),
];

#[test]
fn the_published_vectors_of_aserti3_2d_are_met() {
    let parameters = Parameters {
        first_target: CompactTarget::from_bits(0x1d00_ffff),
        spacing_seconds: 600,
        half_life_seconds: 172_800,
        ..Parameters::default()
    };
    for (anchor, blocks, seconds, expected) in PUBLISHED {
        // There the target follows from an anchor far below, here from the parent: what counts is the delay behind the plan.
        let made = START + blocks * 600_000;
        let parent = header(CompactTarget::from_bits(anchor), made);
        let time = at(START + 600_000 + seconds * 1_000);
        let found = next_target(&parent, time, &parameters).compact().bits();
        assert_eq!(found, expected, "{blocks} blocks, {seconds} seconds: {found:08x}");
    }
}
