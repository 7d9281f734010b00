//! What the crate promises, seen from outside: every backend against a search that knows nothing but SHA-256.

mod hash;
mod search;

use raclette_pow::{Backend, Found, HEADER_LEN, Search};
use sha2::{Digest, Sha256};

/// The header with this nonce.
fn with_nonce(header: &[u8; HEADER_LEN], nonce: u64) -> [u8; HEADER_LEN] {
    let mut header = *header;
    header[84..].copy_from_slice(&nonce.to_be_bytes());
    header
}

/// The hash of the header with this nonce, by `sha2` alone.
fn naive_hash(header: &[u8; HEADER_LEN], nonce: u64) -> [u8; 32] {
    Sha256::digest(with_nonce(header, nonce)).into()
}

/// The search as one would first write it.
fn naive_run(header: &[u8; HEADER_LEN], target: &[u8; 32], start: u64, attempts: u64) -> Option<Found> {
    (0..attempts).map(|skipped| start.wrapping_add(skipped)).find_map(|nonce| {
        let hash = naive_hash(header, nonce);
        (hash <= *target).then_some(Found { nonce, hash })
    })
}

/// A search with each backend of this processor.
fn searches(header: &[u8; HEADER_LEN], target: &[u8; 32]) -> Vec<(Backend, Search)> {
    Backend::all()
        .iter()
        .filter_map(|backend| Some((*backend, Search::with_backend(header, target, *backend)?)))
        .collect()
}

/// Checks that every backend, and the one that is chosen unasked, answers as the naive search does.
#[track_caller]
fn check(header: &[u8; HEADER_LEN], target: &[u8; 32], start: u64, attempts: u64) {
    let expected = naive_run(header, target, start, attempts);
    for (backend, search) in searches(header, target) {
        assert_eq!(search.run(start, attempts), expected, "{backend}, {attempts} attempts from {start}");
    }
    assert_eq!(Search::new(header, target).run(start, attempts), expected, "the chosen backend");
}

/// A target that about one in 2^`bits` hashes meets.
fn target_of(bits: u32) -> [u8; 32] {
    let mut target = [0xff; 32];
    target[..16].copy_from_slice(&(u128::MAX.checked_shr(bits).unwrap_or(0)).to_be_bytes());
    target
}
