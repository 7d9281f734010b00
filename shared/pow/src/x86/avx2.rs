//! Eight lanes in each register, with AVX2. It has no rotation: two shifts stand for one.
#![expect(unsafe_code, reason = "entering code for a processor feature is unsafe; here the type proves the feature")]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_min_epu32,
    _mm256_movemask_ps, _mm256_or_si256, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_slli_epi32, _mm256_srli_epi32,
    _mm256_xor_si256,
};

use super::{
    known::{K, Known},
    lanes::{define_first_candidate, unrolled},
};
use crate::template::Stretch;

/// How many attempts a register holds.
const LANES: usize = 8;

/// How many registers go side by side. There are 16, too few for a second: it was slower.
const IN_TURN: usize = 1;

type Register = __m256i;

/// The proof that this processor has AVX2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// See [`crate::backend::Engine::first_candidate`].
    pub(crate) fn first_candidate(self, stretch: &Stretch, skipped: u64, count: u64) -> Option<u64> {
        // SAFETY: only `detect` makes a value of this type, and only where AVX2 is present.
        unsafe { first_candidate(stretch, skipped, count) }
    }
}

define_first_candidate!("avx2");

#[target_feature(enable = "avx2")]
#[inline]
fn splat(word: u32) -> Register {
    _mm256_set1_epi32(word.cast_signed())
}

#[target_feature(enable = "avx2")]
#[inline]
fn lane_numbers() -> Register {
    _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
}

/// AVX2 compares signed numbers only, so this asks which words are the lower of the two.
#[target_feature(enable = "avx2")]
#[inline]
fn at_most(words: Register, highest: Register) -> u32 {
    let are_lower = _mm256_cmpeq_epi32(_mm256_min_epu32(words, highest), words);
    _mm256_movemask_ps(_mm256_castsi256_ps(are_lower)).cast_unsigned()
}

#[target_feature(enable = "avx2")]
#[inline]
fn add(x: Register, y: Register) -> Register {
    _mm256_add_epi32(x, y)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor(x: Register, y: Register, z: Register) -> Register {
    _mm256_xor_si256(_mm256_xor_si256(x, y), z)
}

#[target_feature(enable = "avx2")]
#[inline]
fn choice(x: Register, y: Register, z: Register) -> Register {
    _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(y, z), x), z)
}

/// What at least two of the three have. What are x and y here are y and z in the next round, so that the difference of
/// the two, being written the same way, is computed once.
#[target_feature(enable = "avx2")]
#[inline]
fn majority(x: Register, y: Register, z: Register) -> Register {
    _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(x, y), _mm256_xor_si256(y, z)), y)
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate_right<const BITS: i32, const REST: i32>(x: Register) -> Register {
    const { assert!(BITS + REST == 32, "a rotation loses no bit") };
    _mm256_or_si256(_mm256_srli_epi32::<BITS>(x), _mm256_slli_epi32::<REST>(x))
}

#[target_feature(enable = "avx2")]
#[inline]
fn big_sigma_0(x: Register) -> Register {
    xor(rotate_right::<2, 30>(x), rotate_right::<13, 19>(x), rotate_right::<22, 10>(x))
}

#[target_feature(enable = "avx2")]
#[inline]
fn big_sigma_1(x: Register) -> Register {
    xor(rotate_right::<6, 26>(x), rotate_right::<11, 21>(x), rotate_right::<25, 7>(x))
}

#[target_feature(enable = "avx2")]
#[inline]
fn small_sigma_0(x: Register) -> Register {
    xor(rotate_right::<7, 25>(x), rotate_right::<18, 14>(x), _mm256_srli_epi32::<3>(x))
}

#[target_feature(enable = "avx2")]
#[inline]
fn small_sigma_1(x: Register) -> Register {
    xor(rotate_right::<17, 15>(x), rotate_right::<19, 13>(x), _mm256_srli_epi32::<10>(x))
}
