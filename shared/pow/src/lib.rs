//! The nonce search of Raclette's proof of work.
//!
//! A header is 92 bytes, integers big-endian: previous hash (32), Merkle root (32), version u32, height u32, time u64,
//! target u32, nonce u64. Its hash is one SHA-256 (FIPS 180-4) of these bytes, compared as a big-endian number: it must
//! not exceed the target. The nonce lies in the second of the two blocks that SHA-256 makes of a header, so an attempt
//! costs one compression from the state that the first 64 bytes leave behind.
//!
//! [`Search`] does the attempts in the fastest way that this processor has; see [`Backend`]. Whichever way is taken, the
//! answer is the same: the lowest nonce of the range, in the order in which it was asked for. The crate has no clock, no
//! threads and no input or output: a miner calls [`Search::run`] on its own threads, in slices as long as it can bear not
//! to look up.

mod backend;
mod portable;
mod search;
mod template;

#[cfg(target_arch = "x86_64")]
mod x86;

pub use crate::{
    backend::Backend,
    search::{Found, Search},
};

use sha2::{Digest, Sha256};

/// The length of a header in bytes.
pub const HEADER_LEN: usize = 92;

/// The hash of a header: one SHA-256 of its bytes. As a number it is big-endian.
#[must_use]
pub fn hash(header: &[u8; HEADER_LEN]) -> [u8; 32] {
    Sha256::digest(header).into()
}
