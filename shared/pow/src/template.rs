//! What does not change while the nonce does, worked out once.
//!
//! SHA-256 (FIPS 180-4, section 6.2) of a header takes two blocks. The first holds no nonce: a [`Template`] keeps the
//! state after it, the midstate. The second is 28 bytes of header, then 0x80, zeros and the length of 736 bits. As words:
//!
//! | words   | content                                                 |
//! |---------|---------------------------------------------------------|
//! | 0 to 4  | version, height, time (two words), target               |
//! | 5, 6    | nonce, upper and lower half                             |
//! | 7       | 0x80000000                                              |
//! | 8 to 14 | 0                                                       |
//! | 15      | 736                                                     |
//!
//! Over a [`Stretch`] of nonces that share their upper half only word 6 changes.

use sha2::block_api::compress256;

use crate::HEADER_LEN;

/// The state before the first block (FIPS 180-4, section 5.3.3).
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// How many bytes a block has.
pub(crate) const BLOCK_LEN: usize = 64;

/// Where the nonce begins in the second block.
const NONCE_AT: usize = 20;

/// A header, ready for a nonce.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    midstate: [u32; 8],
    second_block: [u8; BLOCK_LEN],
}

/// What is known of all hashes whose nonces share their upper half.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    /// The state after the first block.
    pub(crate) midstate: [u32; 8],
    /// The second block, with the first nonce of the stretch.
    pub(crate) second_block: [u8; BLOCK_LEN],
    /// The lower half of the first nonce.
    pub(crate) first: u32,
    /// The highest top word, which is the first, of a hash that can meet the target.
    pub(crate) highest_top_word: u32,
}

impl Template {
    pub(crate) fn new(header: &[u8; HEADER_LEN]) -> Self {
        let (first_block, rest) = header.split_first_chunk().expect("a header is longer than one block");
        let mut midstate = INITIAL_STATE;
        compress256(&mut midstate, &[*first_block]);

        let mut second_block = [0; BLOCK_LEN];
        second_block[..rest.len()].copy_from_slice(rest);
        second_block[rest.len()] = 0x80;
        let bits = u64::try_from(HEADER_LEN * 8).expect("736 fits");
        second_block[BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        Self { midstate, second_block }
    }

    /// The hash of the header with this nonce.
    pub(crate) fn hash(&self, nonce: u64) -> [u8; 32] {
        let mut state = self.midstate;
        compress256(&mut state, &[self.block_with(nonce)]);
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        hash
    }

    /// Prepares the nonces from `first` on that share its upper half.
    pub(crate) fn stretch(&self, first: u64, target: &[u8; 32]) -> Stretch {
        Stretch {
            midstate: self.midstate,
            second_block: self.block_with(first),
            // Cut to its lower half, on purpose.
            first: first as u32,
            highest_top_word: u32::from_be_bytes([target[0], target[1], target[2], target[3]]),
        }
    }

    fn block_with(&self, nonce: u64) -> [u8; BLOCK_LEN] {
        let mut block = self.second_block;
        block[NONCE_AT..NONCE_AT + 8].copy_from_slice(&nonce.to_be_bytes());
        block
    }
}

impl Stretch {
    /// The lower half of the nonce that comes `skipped` after the first.
    ///
    /// It wraps past the end of the stretch, where lanes lie that are computed and then ignored.
    pub(crate) fn nonce_after(&self, skipped: u64) -> u32 {
        self.first.wrapping_add(skipped as u32)
    }
}
