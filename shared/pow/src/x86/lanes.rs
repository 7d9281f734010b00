//! SHA-256 over lanes: the rounds, written once for vectors of any width.
//!
//! A lane is one attempt. Every operation works on all lanes at once, so the code reads as SHA-256 itself does. It is a
//! macro and no generic function because functions that use vector instructions must carry the `target_feature`
//! attribute of exactly these, and no type parameter can.

/// Repeats the block with `$at` set to each number in turn, as a constant, so that no index is left to compute when the
/// search runs.
macro_rules! unrolled {
    ($at:ident in [$($number:literal)*] $body:block) => {
        $({ const $at: usize = $number; $body })*
    };
}

/// Defines `first_candidate` over registers of the module that calls it. That has to define in its scope:
///
/// - `Register`, `LANES` (how many words it holds), and `lane_numbers() -> Register`, which is 0, 1, 2 and so on;
/// - `splat(u32) -> Register`, `add`, `choice`, `majority`, `big_sigma_0`, `big_sigma_1`, `small_sigma_0`,
///   `small_sigma_1`;
/// - `at_most(Register, Register) -> u32`, which has a bit for each lane, the lowest for lane 0;
/// - `IN_TURN`: how many registers go side by side. An attempt is a chain of instructions that wait for each other, and
///   with a second one there is always something to do.
macro_rules! define_first_candidate {
    ($feature:literal) => {
        /// How many attempts a batch has. A u32 has a bit for each.
        const BATCH: usize = LANES * IN_TURN;
        const _: () = assert!(BATCH <= 32);

        /// One value for each register of a batch.
        type Batch = [Register; IN_TURN];

        /// See [`crate::backend::Engine::first_candidate`].
        #[target_feature(enable = $feature)]
        fn first_candidate(stretch: &Stretch, mut skipped: u64, count: u64) -> Option<u64> {
            let known = Known::new(stretch);
            while skipped < count {
                let candidates = candidates(stretch, &known, stretch.nonce_after(skipped));
                if candidates != 0 {
                    let first = skipped + u64::from(candidates.trailing_zeros());
                    // The last lanes may lie beyond the range.
                    return (first < count).then_some(first);
                }
                skipped += BATCH as u64;
            }
            None
        }

        /// Which nonces of the batch from `first` on have a hash with a top word that may meet the target.
        #[target_feature(enable = $feature)]
        #[inline]
        fn candidates(stretch: &Stretch, known: &Known, first: u32) -> u32 {
            let mut nonces = [splat(first); IN_TURN];
            for turn in 0..IN_TURN {
                nonces[turn] = add(nonces[turn], add(lane_numbers(), splat((turn * LANES) as u32)));
            }
            let last_a = a_after_all_rounds(known, nonces);
            let mut candidates = 0;
            for turn in 0..IN_TURN {
                let top_words = add(last_a[turn], splat(stretch.midstate[0]));
                candidates |= at_most(top_words, splat(stretch.highest_top_word)) << (turn * LANES);
            }
            candidates
        }

        /// What a is after the last round. The top word of the hash is this plus the top word of the midstate.
        #[target_feature(enable = $feature)]
        #[inline]
        fn a_after_all_rounds(known: &Known, nonces: Batch) -> Batch {
            let mut states = [known.after_round_6.map(|word| splat(word)); IN_TURN];
            for turn in 0..IN_TURN {
                states[turn][0] = add(states[turn][0], nonces[turn]);
                states[turn][4] = add(states[turn][4], nonces[turn]);
            }

            unrolled!(AT in [7 8 9 10 11 12 13 14 15 16 17 18 19 20] {
                for turn in 0..IN_TURN {
                    states[turn] = next_state(states[turn], splat(known.words[AT].wrapping_add(K[AT])));
                }
            });
            let mut schedules = [[splat(0); 64]; IN_TURN];
            unrolled!(AT in [21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42
                             43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63] {
                for turn in 0..IN_TURN {
                    let word = next_word::<AT>(known, nonces[turn], &schedules[turn]);
                    schedules[turn][AT] = word;
                    states[turn] = next_state(states[turn], add(word, splat(K[AT])));
                }
            });
            states.map(|[a, ..]| a)
        }

        /// Word `AT` of the message schedule, from those before. Up to 36 a part of it is known.
        #[target_feature(enable = $feature)]
        #[inline]
        fn next_word<const AT: usize>(known: &Known, nonces: Register, schedule: &[Register; 64]) -> Register {
            match AT {
                21 => add(splat(known.words[21]), small_sigma_0(nonces)),
                22 => add(splat(known.words[22]), nonces),
                23..=27 => add(splat(known.words[AT]), small_sigma_1(schedule[AT - 2])),
                28..=35 => add(add(splat(known.words[AT]), schedule[AT - 7]), small_sigma_1(schedule[AT - 2])),
                36 => add(
                    add(add(splat(known.words[36]), small_sigma_0(schedule[21])), schedule[29]),
                    small_sigma_1(schedule[34]),
                ),
                _ => add(
                    add(add(schedule[AT - 16], small_sigma_0(schedule[AT - 15])), schedule[AT - 7]),
                    small_sigma_1(schedule[AT - 2]),
                ),
            }
        }

        /// One round. `word` has the round's constant in it.
        #[target_feature(enable = $feature)]
        #[inline]
        fn next_state([a, b, c, d, e, f, g, h]: [Register; 8], word: Register) -> [Register; 8] {
            let first = add(add(add(h, word), choice(e, f, g)), big_sigma_1(e));
            let second = add(big_sigma_0(a), majority(a, b, c));
            [add(first, second), a, b, c, add(d, first), e, f, g]
        }
    };
}

pub(crate) use {define_first_candidate, unrolled};
