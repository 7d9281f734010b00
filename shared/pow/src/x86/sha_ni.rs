//! The SHA instructions of x86, a few attempts in turns.
//!
//! An attempt is one chain of instructions that wait for each other, and the processor could start several in the time
//! that one takes. So some attempts go side by side, and what the nonce does not touch is left out: rounds 0 to 5 and the
//! message schedule up to word 19.
#![expect(unsafe_code, reason = "entering code for a processor feature is unsafe; here the type proves the feature")]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32,
};

use super::{
    known::{K, Known, NONCE_WORD},
    lanes::unrolled,
};
use crate::template::Stretch;

/// How many attempts go side by side. Three keep the unit for these instructions busy all the time.
const LANES: usize = 3;

/// The shuffle that brings the upper two words of four down.
const UPPER_HALF: i32 = 0x0e;

/// The proof that this processor has the SHA instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShaNi(());

/// The state, in the order in which the instructions want it.
#[derive(Clone, Copy)]
struct State {
    /// a, b, e and f, the highest first.
    abef: __m128i,
    /// c, d, g and h, the highest first.
    cdgh: __m128i,
}

impl ShaNi {
    pub(crate) fn detect() -> Option<Self> {
        let is_present =
            is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1");
        is_present.then_some(Self(()))
    }

    /// See [`crate::backend::Engine::first_candidate`].
    pub(crate) fn first_candidate(self, stretch: &Stretch, skipped: u64, count: u64) -> Option<u64> {
        // SAFETY: only `detect` makes a value of this type, and only where all three features are present.
        unsafe { first_candidate(stretch, skipped, count) }
    }
}

/// See [`crate::backend::Engine::first_candidate`].
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn first_candidate(stretch: &Stretch, mut skipped: u64, count: u64) -> Option<u64> {
    let known = Known::new(stretch);
    while skipped < count {
        let mut nonces = [stretch.nonce_after(skipped); LANES];
        for (number, nonce) in (0..).zip(&mut nonces) {
            *nonce = nonce.wrapping_add(number);
        }
        for (number, last_a) in (0..).zip(a_after_all_rounds(&known, nonces)) {
            let top_word = last_a.wrapping_add(stretch.midstate[0]);
            if top_word <= stretch.highest_top_word {
                // The last lanes may lie beyond the range.
                let first = skipped + number;
                return (first < count).then_some(first);
            }
        }
        skipped += LANES as u64;
    }
    None
}

/// What a is after the last round. The top word of the hash is this plus the top word of the midstate.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn a_after_all_rounds(known: &Known, nonces: [u32; LANES]) -> [u32; LANES] {
    let [a, b, c, d, e, f, g, h] = known.after_round_5;
    let start = State { abef: four([f, e, b, a]), cdgh: four([h, g, d, c]) };
    let mut states = [start; LANES];
    let mut schedules = [[four([0; 4]); 16]; LANES];

    // Every step is done for all lanes before the next step, since within a lane each step waits for the one before.
    for lane in 0..LANES {
        let schedule = &mut schedules[lane];
        unrolled!(AT in [1 2 3 4] {
            schedule[AT] = four_words(&known.words, AT);
        });
        let nonce = four([0, 0, nonces[lane], 0]);
        schedule[NONCE_WORD / 4] = _mm_add_epi32(schedule[NONCE_WORD / 4], nonce);
        let sum = _mm_add_epi32(schedule[NONCE_WORD / 4], four_words(&K, NONCE_WORD / 4));
        // Rounds 4 and 5, the lower half, are done.
        states[lane] = two_rounds(states[lane], _mm_shuffle_epi32::<UPPER_HALF>(sum));
    }
    unrolled!(AT in [2 3 4] {
        for lane in 0..LANES {
            states[lane] = four_rounds(states[lane], _mm_add_epi32(schedules[lane][AT], four_words(&K, AT)));
        }
    });
    unrolled!(AT in [5 6 7 8 9 10 11 12 13 14 15] {
        for lane in 0..LANES {
            let schedule = &mut schedules[lane];
            let far = _mm_sha256msg1_epu32(schedule[AT - 4], schedule[AT - 3]);
            let near = _mm_alignr_epi8::<4>(schedule[AT - 1], schedule[AT - 2]);
            schedule[AT] = _mm_sha256msg2_epu32(_mm_add_epi32(far, near), schedule[AT - 1]);
            states[lane] = four_rounds(states[lane], _mm_add_epi32(schedule[AT], four_words(&K, AT)));
        }
    });
    states.map(|state| _mm_extract_epi32::<3>(state.abef).cast_unsigned())
}

/// Four rounds, with words that have the rounds' constants in them.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn four_rounds(state: State, words: __m128i) -> State {
    two_rounds(two_rounds(state, words), _mm_shuffle_epi32::<UPPER_HALF>(words))
}

/// Two rounds, with the lower two of these words.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn two_rounds(State { abef, cdgh }: State, words: __m128i) -> State {
    // After two rounds a, b, e and f are c, d, g and h.
    State { abef: _mm_sha256rnds2_epu32(cdgh, abef, words), cdgh: abef }
}

/// Words 4 `at` to 4 `at` + 3 of a table.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn four_words(words: &[u32], at: usize) -> __m128i {
    four([words[4 * at], words[4 * at + 1], words[4 * at + 2], words[4 * at + 3]])
}

/// A vector of four words, the lowest first.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn four(words: [u32; 4]) -> __m128i {
    let [first, second, third, fourth] = words.map(u32::cast_signed);
    _mm_set_epi32(fourth, third, second, first)
}
