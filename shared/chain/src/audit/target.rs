//! Targets for the audit, as PROTOCOL.md writes them down, in integers that are wide enough for every step.

use ruint::{Uint, aliases::U256};

use super::bytes::Header;
use crate::parameters::Parameters;

/// Wide enough for a target of 256 bits, a factor of 18, and all shifts that could matter.
type Wide = Uint<1024, 16>;

/// The target behind a compact form; none if it is not canonical.
pub(super) fn expand(bits: u32) -> Option<U256> {
    let (exponent, mantissa) = (bits >> 24, Wide::from(bits & 0x00ff_ffff));
    let target = if exponent >= 3 {
        mantissa << (8 * (exponent as usize - 3)).min(600)
    } else {
        mantissa >> (8 * (3 - exponent as usize))
    };
    let target = U256::checked_from_limbs_slice(target.as_limbs())?;
    (target >= U256::from(1) && compact(target) == bits).then_some(target)
}

/// The compact form of a target; bits below the point are cut.
pub(super) fn compact(target: U256) -> u32 {
    let bytes = target.to_be_bytes_vec();
    let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let digit = |position: usize| u32::from(digits.get(position).copied().unwrap_or(0));
    let (mut exponent, mut mantissa) = (digits.len(), digit(0) << 16 | digit(1) << 8 | digit(2));
    if mantissa >= 0x0080_0000 {
        mantissa >>= 8;
        exponent += 1;
    }
    (u32::try_from(exponent).expect("at most 33 bytes") << 24) | mantissa
}

/// The target of a block made at `time` on top of a parent.
pub(super) fn next_target(parent: &Header, time: u64, parameters: &Parameters) -> U256 {
    let easiest = expand(parameters.first_target.bits()).unwrap_or_default();
    if parameters.half_life_seconds == 0 {
        return easiest;
    }
    let late = i128::from(time) - i128::from(parent.time) - i128::from(parameters.spacing_seconds) * 1000;
    let exponent = late * 65_536 / (i128::from(parameters.half_life_seconds) * 1000);
    let (shifts, fraction) = (exponent.div_euclid(65_536), exponent.rem_euclid(65_536));
    let cubic = 195_766_423_245_049 * fraction + 971_821_376 * fraction.pow(2) + 5_127 * fraction.pow(3) + (1 << 47);
    let factor = 65_536 + cubic.div_euclid(1 << 48);
    let product = Wide::from(expand(parent.target).unwrap_or_default()) * Wide::from(factor);
    let shifts = shifts - 16;
    let target = if shifts > 300 {
        // More than any target has bits.
        Wide::from(easiest)
    } else if shifts >= 0 {
        product << usize::try_from(shifts).unwrap_or(0)
    } else {
        product >> usize::try_from(-shifts).unwrap_or(usize::MAX).min(1023)
    };
    let target = target.max(Wide::from(1)).min(Wide::from(easiest));
    U256::from(target)
}
