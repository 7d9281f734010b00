//! A miner that plays with timestamps cannot make mining much easier.

use raclette_chain::{
    difficulty::next_target,
    hash::{BlockHash, MerkleRoot},
    header::{BLOCK_VERSION, Header},
    index::median,
    parameters::Parameters,
    target::Target,
    time::Timestamp,
};

use crate::test_chain::START;

const BLOCKS: usize = 10_000;
/// Blocks until the target has found the pace, which do not count.
const WARM_UP: usize = 1_000;
/// Attempts a second of all miners together; ten seconds of them are a block of about 2^30 attempts, far from the easiest.
const ATTEMPTS_PER_SECOND: f64 = (1_u64 << 30) as f64 / 10.0;
const ATTACKERS_SHARE: f64 = 0.6;
const STEP: u64 = 1_000;
const MAX_AHEAD: u64 = 120_000;

/// Which time the attacker writes into its block, from the earliest that the rules allow, now, and the latest.
type Strategy = fn(random: f64, height: u32, earliest: u64, now: u64, latest: u64) -> u64;

/// `SplitMix64`: random enough for a simulation, and the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn attempts(target: Target) -> f64 {
    let value = target.bytes().iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte));
    2_f64.powi(256) / (value + 1.0)
}

/// The mean number of attempts that a block costs, over a chain of which the attacker makes 60 %.
fn difficulty_under(strategy: Strategy) -> f64 {
    let parameters = Parameters { first_target: Target::of_bits(16).compact(), ..Parameters::default() };
    let mut random = Random(7);
    let mut chain = vec![Header {
        previous: BlockHash::ZERO,
        merkle_root: MerkleRoot::ZERO,
        version: BLOCK_VERSION,
        height: 0,
        time: Timestamp::new(START).unwrap(),
        target: Target::of_bits(30).compact(),
        nonce: 0,
    }];
    let mut now = START;
    let mut sum = 0.0;
    while chain.len() < BLOCKS {
        now += STEP;
        let parent = *chain.last().unwrap();
        let last_eleven = chain.iter().rev().take(11).map(|header| header.time).collect();
        let earliest = median(last_eleven).milliseconds() + 1;
        let choice = random.next();
        let attackers = strategy(choice, parent.height + 1, earliest, now, now + MAX_AHEAD).max(earliest);
        for (share, time) in [(1.0 - ATTACKERS_SHARE, now.max(earliest)), (ATTACKERS_SHARE, attackers)] {
            let time = Timestamp::new(time).unwrap();
            let target = next_target(&parent, time, &parameters);
            let cost = attempts(target);
            let expected = share * ATTEMPTS_PER_SECOND * STEP as f64 / 1000.0 / cost;
            if random.next() < 1.0 - (-expected).exp() {
                sum += if chain.len() > WARM_UP { cost } else { 0.0 };
                chain.push(Header { height: parent.height + 1, time, target: target.compact(), ..parent });
                break;
            }
        }
    }
    sum / (BLOCKS - WARM_UP) as f64
}

#[test]
fn a_majority_that_plays_with_timestamps_does_not_make_mining_much_easier() {
    let honest = difficulty_under(|_, _, _, now, _| now);
    let ratio_to_plan = honest / (ATTEMPTS_PER_SECOND * 10.0);
    assert!((0.9..1.1).contains(&ratio_to_plan), "honest mining keeps the pace: {ratio_to_plan}");
    let strategies: [(&str, Strategy); 5] = [
        ("always as late as allowed", |_, _, _, _, latest| latest),
        ("always as early as allowed", |_, _, earliest, _, _| earliest),
        ("early and late in turn", |_, height, earliest, _, latest| if height % 2 == 0 { earliest } else { latest }),
        (
            "nine late ones, then an early one",
            |_, height, earliest, _, latest| {
                if height % 10 == 0 { earliest } else { latest }
            },
        ),
        ("anything allowed, at random", |random, _, earliest, _, latest| {
            earliest + (random * latest.saturating_sub(earliest) as f64) as u64
        }),
    ];
    for (name, strategy) in strategies {
        let ratio = difficulty_under(strategy) / honest;
        assert!(ratio >= 0.8, "{name}: difficulty is {ratio} of the honest one");
    }
}
