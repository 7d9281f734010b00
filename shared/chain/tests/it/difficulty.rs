//! Difficulty over thousands of blocks: a miner that plays with timestamps cannot make mining much easier, and a quiet month
//! owes nothing.

use std::collections::VecDeque;

use raclette_chain::{
    difficulty::next_target,
    hash::{BlockHash, MerkleRoot},
    header::{BLOCK_VERSION, Header},
    index::{MEDIAN_SPAN, median},
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
const DAY: u64 = 86_400_000;

/// What the attacker knows when it chooses the time in its block.
struct View {
    random: f64,
    height: u32,
    /// The time of the block before.
    parent: u64,
    /// The earliest that the rules allow.
    earliest: u64,
    now: u64,
    /// The latest that the rules allow.
    latest: u64,
}

/// Which time the attacker writes into its block.
type Strategy = fn(&View) -> u64;

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

/// Miners that search, the attacker among them, and the end of their chain.
struct Simulation {
    parameters: Parameters,
    random: Random,
    now: u64,
    /// The last headers, as many as the median of their times needs.
    headers: VecDeque<Header>,
}

impl Simulation {
    fn new() -> Self {
        let first = Header {
            previous: BlockHash::ZERO,
            merkle_root: MerkleRoot::ZERO,
            version: BLOCK_VERSION,
            height: 0,
            time: Timestamp::new(START).unwrap(),
            target: Target::of_bits(30).compact(),
            nonce: 0,
        };
        Self {
            parameters: Parameters { first_target: Target::of_bits(16).compact(), ..Parameters::default() },
            random: Random(7),
            now: START,
            headers: VecDeque::from([first]),
        }
    }

    /// Everybody searches for a second; returns what the block cost on average that somebody found.
    fn search(&mut self, strategy: Strategy) -> Option<f64> {
        self.now += STEP;
        let parent = self.headers[self.headers.len() - 1];
        let earliest = median(self.headers.iter().map(|header| header.time).collect()).milliseconds() + 1;
        let view = View {
            random: self.random.next(),
            height: parent.height + 1,
            parent: parent.time.milliseconds(),
            earliest,
            now: self.now,
            latest: self.now + MAX_AHEAD,
        };
        let attackers = strategy(&view).min(view.latest).max(earliest);
        for (share, time) in [(1.0 - ATTACKERS_SHARE, self.now.max(earliest)), (ATTACKERS_SHARE, attackers)] {
            let time = Timestamp::new(time).unwrap();
            let target = next_target(&parent, time, &self.parameters);
            let cost = attempts(target);
            let expected = share * ATTEMPTS_PER_SECOND * STEP as f64 / 1000.0 / cost;
            if self.random.next() < 1.0 - (-expected).exp() {
                self.headers.push_back(Header { height: parent.height + 1, time, target: target.compact(), ..parent });
                if self.headers.len() > MEDIAN_SPAN {
                    self.headers.pop_front();
                }
                return Some(cost);
            }
        }
        None
    }

    /// How many blocks are found in so many milliseconds.
    fn blocks_within(&mut self, milliseconds: u64, strategy: Strategy) -> usize {
        (0..milliseconds / STEP).filter(|_| self.search(strategy).is_some()).count()
    }
}

fn honest(view: &View) -> u64 {
    view.now
}

/// The mean number of attempts that a block costs, over a chain of which the attacker makes 60 %.
fn difficulty_under(strategy: Strategy) -> f64 {
    let mut simulation = Simulation::new();
    let costs = std::iter::repeat_with(|| simulation.search(strategy)).flatten();
    costs.take(BLOCKS).skip(WARM_UP).sum::<f64>() / (BLOCKS - WARM_UP) as f64
}

#[test]
fn a_majority_that_plays_with_timestamps_does_not_make_mining_much_easier() {
    let honest = difficulty_under(honest);
    let ratio_to_plan = honest / (ATTEMPTS_PER_SECOND * 10.0);
    assert!((0.9..1.1).contains(&ratio_to_plan), "honest mining keeps the pace: {ratio_to_plan}");
    let strategies: [(&str, Strategy); 9] =
        [
            ("always as late as allowed", |view| view.latest),
            ("always as early as allowed", |view| view.earliest),
            ("early and late in turn", |view| if view.height.is_multiple_of(2) { view.earliest } else { view.latest }),
            ("nine late ones, then an early one", |view| {
                if view.height.is_multiple_of(10) { view.earliest } else { view.latest }
            }),
            ("nine early ones, then a late one", |view| {
                if view.height.is_multiple_of(10) { view.latest } else { view.earliest }
            }),
            ("late in six heights of eleven, which is the median", |view| {
                if view.height % 11 < 6 { view.latest } else { view.earliest }
            }),
            ("a little later than the block before than is the plan, as long as it goes", |view| {
                let next = view.parent + 12_000;
                if next > view.latest { view.earliest } else { next }
            }),
            ("late behind an early block, early behind a late one", |view| {
                if view.parent > view.now { view.earliest } else { view.latest }
            }),
            ("anything allowed, at random", |view| {
                view.earliest + (view.random * view.latest.saturating_sub(view.earliest) as f64) as u64
            }),
        ];
    for (name, strategy) in strategies {
        let ratio = difficulty_under(strategy) / honest;
        assert!(ratio >= 0.8, "{name}: difficulty is {ratio} of the honest one");
    }
}

#[test]
fn a_month_without_a_block_owes_nothing_and_ends_with_an_easy_one() {
    let mut simulation = Simulation::new();
    simulation.blocks_within(DAY / 4, honest);
    let ordinary = simulation.blocks_within(DAY, honest);
    assert!((8_200..9_100).contains(&ordinary), "a block each ten seconds: {ordinary} a day");
    simulation.now += 30 * DAY;
    let easiest = attempts(simulation.parameters.first_target());
    let first = simulation.search(honest).expect("the first block takes less than a second");
    assert!((first / easiest - 1.0).abs() < 0.001, "{first} attempts");
    // From the easiest target back to the pace there are 14 halvings of 60 blocks each; 259,200 were due in the month.
    let after = simulation.blocks_within(DAY, honest);
    assert!((ordinary..ordinary + 1_100).contains(&after), "{after} blocks in the day after, {ordinary} in one before");
    let later = simulation.blocks_within(DAY, honest);
    assert!((8_200..9_100).contains(&later), "and the day after that is like any: {later}");
}
