//! The way that works everywhere: one compression of `sha2` an attempt.
//!
//! `sha2` uses the SHA instructions of x86 and 64-bit ARM where the processor has them.

use sha2::block_api::compress256;

use crate::template::Stretch;

/// How many of the `count` nonces of the stretch come before the first, from the one after `skipped` on, whose hash may
/// meet the target. None if there is none.
pub(crate) fn first_candidate(stretch: &Stretch, skipped: u64, count: u64) -> Option<u64> {
    let mut block = stretch.second_block;
    (skipped..count).find(|skipped| {
        block[24..28].copy_from_slice(&stretch.nonce_after(*skipped).to_be_bytes());
        let mut state = stretch.midstate;
        compress256(&mut state, &[block]);
        state[0] <= stretch.highest_top_word
    })
}
