//! The hash of a header.

use proptest::prelude::*;
use raclette_pow::{HEADER_LEN, Search, hash};
use sha2::{Digest, Sha256};

/// Computed by `openssl dgst -sha256` over the bytes 0 to 91.
#[rustfmt::skip]
const HASH_OF_COUNTING_BYTES: [u8; 32] = [
    0x4e, 0x45, 0x30, 0xc3, 0x92, 0x31, 0x6f, 0x59, 0x8e, 0x1b, 0xd0, 0x7f, 0x32, 0x16, 0x63, 0x80,
    0xa8, 0xf7, 0x12, 0xa3, 0x3a, 0x48, 0xe9, 0xeb, 0x42, 0x47, 0x13, 0x1e, 0xc5, 0xdc, 0x05, 0xd3,
];

#[test]
fn hash_of_counting_bytes_is_what_openssl_says() {
    let header = std::array::from_fn(|at| u8::try_from(at).unwrap());
    assert_eq!(hash(&header), HASH_OF_COUNTING_BYTES);
}

proptest! {
    #[test]
    fn hash_is_one_sha_256_of_the_header(header: [[u8; 4]; HEADER_LEN / 4]) {
        let header: [u8; HEADER_LEN] = header.as_flattened().try_into().unwrap();
        let expected: [u8; 32] = Sha256::digest(header).into();
        prop_assert_eq!(hash(&header), expected);
    }

    #[test]
    fn found_hash_is_the_hash_of_the_header_with_the_found_nonce(byte: u8, nonce: u64) {
        let header = [byte; HEADER_LEN];
        let found = Search::new(&header, &[0xff; 32]).run(nonce, 1).unwrap();
        prop_assert_eq!(found.nonce, nonce);
        prop_assert_eq!(found.hash, hash(&super::with_nonce(&header, nonce)));
    }
}
