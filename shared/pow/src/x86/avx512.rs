//! Sixteen lanes in each register, with AVX-512: it rotates and mixes three operands in one instruction.
#![expect(unsafe_code, reason = "entering code for a processor feature is unsafe; here the type proves the feature")]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_cmple_epu32_mask, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_setr_epi32,
    _mm512_srli_epi32, _mm512_ternarylogic_epi32,
};

use super::{
    known::{K, Known},
    lanes::{define_first_candidate, unrolled},
};
use crate::template::Stretch;

/// How many attempts a register holds.
const LANES: usize = 16;

/// How many registers go side by side. The state of two just fits the 32 that there are.
const IN_TURN: usize = 2;

/// The truth table of `x ^ y ^ z`.
const XOR: i32 = 0x96;
/// The truth table of "y where x is set, z where it is not".
const CHOICE: i32 = 0xca;
/// The truth table of "what at least two of the three have".
const MAJORITY: i32 = 0xe8;

type Register = __m512i;

/// The proof that this processor has AVX-512.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    /// See [`crate::backend::Engine::first_candidate`].
    pub(crate) fn first_candidate(self, stretch: &Stretch, skipped: u64, count: u64) -> Option<u64> {
        // SAFETY: only `detect` makes a value of this type, and only where AVX-512F is present.
        unsafe { first_candidate(stretch, skipped, count) }
    }
}

define_first_candidate!("avx512f");

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(word: u32) -> Register {
    _mm512_set1_epi32(word.cast_signed())
}

#[target_feature(enable = "avx512f")]
#[inline]
fn lane_numbers() -> Register {
    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn at_most(words: Register, highest: Register) -> u32 {
    u32::from(_mm512_cmple_epu32_mask(words, highest))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn add(x: Register, y: Register) -> Register {
    _mm512_add_epi32(x, y)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor(x: Register, y: Register, z: Register) -> Register {
    _mm512_ternarylogic_epi32::<XOR>(x, y, z)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn choice(x: Register, y: Register, z: Register) -> Register {
    _mm512_ternarylogic_epi32::<CHOICE>(x, y, z)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn majority(x: Register, y: Register, z: Register) -> Register {
    _mm512_ternarylogic_epi32::<MAJORITY>(x, y, z)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn big_sigma_0(x: Register) -> Register {
    xor(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn big_sigma_1(x: Register) -> Register {
    xor(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn small_sigma_0(x: Register) -> Register {
    xor(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn small_sigma_1(x: Register) -> Register {
    xor(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
}
