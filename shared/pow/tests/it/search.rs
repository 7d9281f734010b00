//! The search, with every backend that the processor running the tests has.

use proptest::prelude::*;
use raclette_pow::{Backend, HEADER_LEN, Search};

use super::{check, naive_hash, naive_run, searches, target_of};

/// One more than the number, big-endian, or one less.
fn step(number: [u8; 32], up: bool) -> [u8; 32] {
    let mut number = number;
    for byte in number.iter_mut().rev() {
        let (stepped, carries) = if up { byte.overflowing_add(1) } else { byte.overflowing_sub(1) };
        *byte = stepped;
        if !carries {
            return number;
        }
    }
    panic!("a hash of all zeros or all ones");
}

fn any_header() -> impl Strategy<Value = [u8; HEADER_LEN]> {
    proptest::collection::vec(any::<u8>(), HEADER_LEN)
        .prop_map(|bytes| bytes.try_into().expect("as many as were asked for"))
}

/// Nonces anywhere, and often near the places where a half of them wraps.
fn any_start() -> impl Strategy<Value = u64> {
    let near = |place: u64| (0..300_u64).prop_map(move |distance| place.wrapping_sub(distance));
    prop_oneof![
        any::<u64>(),
        near(0),
        near(1 << 32),
        any::<u32>().prop_flat_map(move |high| near(u64::from(high) << 32))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_backend_finds_what_a_naive_search_finds(
        header in any_header(),
        start in any_start(),
        attempts in 0..600_u64,
        bits in 0..14_u32,
    ) {
        check(&header, &target_of(bits), start, attempts);
    }

    #[test]
    fn hash_equal_to_the_target_is_accepted_and_one_above_refused(header in any_header(), nonce in any_start()) {
        let hash = naive_hash(&header, nonce);
        for (backend, search) in searches(&header, &hash) {
            prop_assert_eq!(search.run(nonce, 1).map(|found| found.hash), Some(hash), "{}", backend);
        }
        for (backend, search) in searches(&header, &step(hash, false)) {
            prop_assert_eq!(search.run(nonce, 1), None, "{}", backend);
        }
        for (backend, search) in searches(&header, &step(hash, true)) {
            prop_assert_eq!(search.run(nonce, 1).map(|found| found.nonce), Some(nonce), "{}", backend);
        }
    }

    /// The top word of the best hash lets its nonce through, the rest of the target does not.
    #[test]
    fn candidate_that_fails_the_full_comparison_does_not_end_the_search(
        header in any_header(),
        start in any_start(),
        before in 1..200_u64,
        after in 1..200_u64,
    ) {
        let attempts = before + after;
        let lowest = (0..attempts).map(|skipped| naive_hash(&header, start.wrapping_add(skipped))).min().unwrap();
        check(&header, &lowest, start, attempts);
        check(&header, &step(lowest, false), start, attempts);

        // With a target whose lower words are zero, hashes that share its top word fail; every other hash decides.
        let mut target = naive_hash(&header, start);
        target[4..].fill(0);
        check(&header, &target, start, attempts);
    }
}

#[test]
fn every_length_of_range_is_searched_to_its_end_and_not_beyond() {
    let header = [0x11; HEADER_LEN];
    for attempts in 0..100 {
        let last = 1_000 + attempts;
        let hash = naive_hash(&header, last);
        for (backend, search) in searches(&header, &hash) {
            let expected = naive_run(&header, &hash, 1_000, attempts + 1);
            assert_eq!(search.run(1_000, attempts + 1), expected, "{backend}");
            let expected = naive_run(&header, &hash, 1_000, attempts);
            assert_eq!(search.run(1_000, attempts), expected, "{backend}");
        }
    }
}

#[test]
fn lowest_nonce_wins_when_every_nonce_is_good() {
    for (backend, search) in searches(&[0x22; HEADER_LEN], &[0xff; 32]) {
        for start in [0, 1, 15, 16, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(search.run(start, u64::MAX).map(|found| found.nonce), Some(start), "{backend}");
        }
    }
}

#[test]
fn search_wraps_from_the_highest_nonce_to_zero() {
    let header = [0x33; HEADER_LEN];
    let start = u64::MAX - 20;
    for skipped in 0..60 {
        let hash = naive_hash(&header, start.wrapping_add(skipped));
        check(&header, &hash, start, 60);
        check(&header, &hash, start.wrapping_add(skipped), 1);
    }
}

#[test]
fn search_passes_from_one_upper_half_of_the_nonce_to_the_next() {
    let header = [0x55; HEADER_LEN];
    let start = (7 << 32) - 20;
    for skipped in 0..60 {
        check(&header, &naive_hash(&header, start + skipped), start + skipped, 1);
        check(&header, &naive_hash(&header, start + skipped), start, 60);
    }
}

#[test]
fn backends_agree_on_a_search_of_a_million_attempts() {
    for byte in 0..4 {
        let header = [byte; HEADER_LEN];
        let start = u64::MAX - 300_000;
        let expected = Search::with_backend(&header, &target_of(20), Backend::Portable)
            .expect("every processor has it")
            .run(start, 1_000_003);
        for (backend, search) in searches(&header, &target_of(20)) {
            assert_eq!(search.run(start, 1_000_003), expected, "{backend}");
        }
    }
}

#[test]
fn nonce_in_the_header_does_not_matter() {
    let mut header = [0x66; HEADER_LEN];
    let expected = Search::new(&header, &target_of(8)).run(5, 10_000);
    header[84..].fill(0xff);
    assert_eq!(Search::new(&header, &target_of(8)).run(5, 10_000), expected);
    assert!(expected.is_some());
}

#[test]
fn best_backend_is_the_first_that_is_there() {
    let there = searches(&[0; HEADER_LEN], &[0; 32]);
    assert_eq!(there.first().map(|(backend, _)| *backend), Some(Backend::best()));
    assert_eq!(there.last().map(|(backend, _)| *backend), Some(Backend::Portable));
}

#[test]
fn exhausted_range_gives_none() {
    let header = [0x44; HEADER_LEN];
    for (backend, search) in searches(&header, &[0; 32]) {
        assert_eq!(search.run(u64::MAX - 5_000, 10_001), None, "{backend}");
        assert_eq!(search.run(7, 0), None, "{backend}");
    }
}
