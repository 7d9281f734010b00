//! The part of a hash that nonces with the same upper half have in common.
//!
//! Only word 6 of the second block changes. So rounds 0 to 5 are the same for all attempts, round 6 is two additions, and
//! of the message schedule the words 16 to 20, and some terms of 21 to 36, are known.

use crate::template::{BLOCK_LEN, Stretch};

/// The constants of the 64 rounds (FIPS 180-4, section 4.2.2).
#[rustfmt::skip]
pub(super) const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// The word that holds the lower half of the nonce.
pub(super) const NONCE_WORD: usize = 6;

/// The last word of the message schedule that does not depend on the lower half of the nonce, word 6 itself apart.
const LAST_KNOWN_WORD: usize = 20;

/// How many words of the message schedule have a term that is known.
const WORDS: usize = 37;

/// What is worked out once for all nonces of a stretch.
pub(super) struct Known {
    /// The state after round 5, which is the last before the lower half of the nonce comes in.
    pub(super) after_round_5: [u32; 8],
    /// The state after round 6 if word 6 were 0: the round adds it to a and e, and does nothing else with it.
    pub(super) after_round_6: [u32; 8],
    /// The message schedule. Word 6 is 0 here, and words 21 to 36 are the sum of those of their four terms that the
    /// nonce does not touch.
    pub(super) words: [u32; WORDS],
}

impl Known {
    pub(super) fn new(stretch: &Stretch) -> Self {
        let words = known_words(&stretch.second_block);
        let mut after_round_5 = stretch.midstate;
        for (constant, word) in K.iter().zip(words).take(NONCE_WORD) {
            round(&mut after_round_5, constant.wrapping_add(word));
        }
        let mut after_round_6 = after_round_5;
        round(&mut after_round_6, K[NONCE_WORD]);
        Self { after_round_5, after_round_6, words }
    }
}

/// One round, for a state of which the words a to h follow each other. `word` has the round's constant in it.
fn round(state: &mut [u32; 8], word: u32) {
    let [a, b, c, d, e, f, g, h] = *state;
    let big_sigma_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let big_sigma_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let choice = (e & f) ^ (!e & g);
    let majority = (a & b) ^ (a & c) ^ (b & c);
    let first = h.wrapping_add(big_sigma_1).wrapping_add(choice).wrapping_add(word);
    let second = big_sigma_0.wrapping_add(majority);
    *state = [first.wrapping_add(second), a, b, c, d.wrapping_add(first), e, f, g];
}

/// The message schedule up to the last word in which a term is known: see [`Known::words`].
fn known_words(second_block: &[u8; BLOCK_LEN]) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(second_block.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words[NONCE_WORD] = 0;
    for at in 16..words.len() {
        // What is not known counts as zero, and both functions keep zero as it is.
        let known = |back: usize| {
            let is_known = at - back <= LAST_KNOWN_WORD && at - back != NONCE_WORD;
            if is_known { words[at - back] } else { 0 }
        };
        words[at] = small_sigma_1(known(2))
            .wrapping_add(known(7))
            .wrapping_add(small_sigma_0(known(15)))
            .wrapping_add(known(16));
    }
    words
}

fn small_sigma_0(word: u32) -> u32 {
    word.rotate_right(7) ^ word.rotate_right(18) ^ (word >> 3)
}

fn small_sigma_1(word: u32) -> u32 {
    word.rotate_right(17) ^ word.rotate_right(19) ^ (word >> 10)
}
