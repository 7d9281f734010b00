//! Blocks from the near future: kept aside until their time comes, then offered again by themselves.
//!
//! Nothing about such a block is remembered as invalid. Its body and its signatures have been verified before it is kept,
//! so that no mutated copy takes the place of the real block.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use raclette_chain::{
    block::{Block, Unchecked},
    hash::BlockHash,
    header::Header,
    rules::MAX_TIME_AHEAD,
    time::Timestamp,
};
use raclette_service::clock::now_ms;
use tokio::sync::Notify;

use super::{BlockOutcome, Node, NodeError, Origin};

/// How far ahead of now a block may be to be kept.
pub const MAX_KEPT_AHEAD: Duration = Duration::from_secs(2 * 3_600);
/// The most blocks that are kept.
pub const MAX_KEPT: usize = 64;
/// The most blocks that are kept of one sender.
pub const MAX_KEPT_PER_SENDER: usize = 8;
/// The most bytes of blocks that are kept, counted as the limit of a block counts them.
const MAX_KEPT_BYTES: usize = 64 << 20;
/// How long the clock is not looked at: somebody may set it meanwhile.
const LONGEST_REST: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
struct Kept {
    block: Block<Unchecked>,
    origin: Origin,
}

impl Kept {
    fn time(&self) -> Timestamp {
        self.block.header().time
    }
}

/// Blocks that wait for their time.
#[derive(Debug, Default)]
pub(super) struct LaterBlocks {
    kept: Mutex<Vec<Kept>>,
    /// Rung when there is one more.
    pub(super) bell: Notify,
}

impl LaterBlocks {
    /// Whether this block waits already.
    pub(super) fn contains(&self, hash: &BlockHash) -> bool {
        self.kept().iter().any(|kept| kept.block.hash() == *hash)
    }

    /// Whether a block with this header would be kept, if it came from there: to know it before its body is read.
    pub(super) fn has_place_for(&self, header: &Header, origin: Origin, now: Timestamp) -> bool {
        is_near(header, now) && !matches!(place(&self.kept(), header.time, origin, 0), Place::None)
    }

    /// Keeps a block; whether it is kept now.
    pub(super) fn keep(&self, block: Block<Unchecked>, origin: Origin, now: Timestamp) -> bool {
        if !is_near(block.header(), now) {
            return false;
        }
        let mut kept = self.kept();
        if kept.iter().any(|other| other.block.hash() == block.hash()) {
            return true;
        }
        match place(&kept, block.header().time, origin, block.size()) {
            Place::Free => kept.push(Kept { block, origin }),
            Place::Of(position) => kept[position] = Kept { block, origin },
            Place::None => return false,
        }
        self.bell.notify_one();
        true
    }

    /// Takes out the blocks whose time has come, the earliest first.
    fn take_due(&self, now: Timestamp) -> Vec<Kept> {
        let latest = now.saturating_add(MAX_TIME_AHEAD);
        let mut due: Vec<Kept> = self.kept().extract_if(.., |kept| kept.time() <= latest).collect();
        due.sort_by_key(Kept::time);
        due
    }

    /// How long it takes until the time of the next block comes.
    fn rest(&self, now: Timestamp) -> Duration {
        let next = self.kept().iter().map(Kept::time).min();
        let latest = now.saturating_add(MAX_TIME_AHEAD).milliseconds();
        next.map_or(LONGEST_REST, |next| Duration::from_millis(next.milliseconds().saturating_sub(latest)))
            .min(LONGEST_REST)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        // Whole after every call: a panic elsewhere cannot have left it half written.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_near(header: &Header, now: Timestamp) -> bool {
    header.time <= now.saturating_add(MAX_KEPT_AHEAD)
}

/// Where a newcomer goes.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// There is room.
    Free,
    /// The block at this position has to leave for it.
    Of(usize),
    /// Nowhere.
    None,
}

/// Of one sender the block furthest ahead leaves first; and nobody makes the block of somebody leave who has fewer.
fn place(kept: &[Kept], time: Timestamp, origin: Origin, size: usize) -> Place {
    let mut by_sender: HashMap<Origin, Vec<usize>> = HashMap::new();
    for (position, one) in kept.iter().enumerate() {
        by_sender.entry(one.origin).or_default().push(position);
    }
    let latest_of = |positions: &[usize]| positions.iter().copied().max_by_key(|position| kept[*position].time());
    let own = by_sender.get(&origin).map_or(0, Vec::len);
    let leaving = if own >= MAX_KEPT_PER_SENDER {
        by_sender.get(&origin).and_then(|own| latest_of(own)).filter(|position| time < kept[*position].time())
    } else if kept.len() >= MAX_KEPT {
        let greediest = by_sender.values().max_by_key(|positions| positions.len());
        greediest.filter(|positions| positions.len() > own).and_then(|positions| latest_of(positions))
    } else {
        None
    };
    let must_leave = own >= MAX_KEPT_PER_SENDER || kept.len() >= MAX_KEPT;
    let freed = leaving.map_or(0, |position| kept[position].block.size());
    let bytes: usize = kept.iter().map(|one| one.block.size()).sum();
    match leaving {
        _ if bytes - freed + size > MAX_KEPT_BYTES => Place::None,
        Some(position) => Place::Of(position),
        None if must_leave => Place::None,
        None => Place::Free,
    }
}

impl Node {
    /// Rung when a block from the future has been kept.
    #[must_use]
    pub fn later_bell(&self) -> &Notify {
        &self.later.bell
    }

    /// Offers the kept blocks again whose time has come. Returns how many of them were accepted, and after how long to look
    /// again at the latest.
    pub async fn accept_due_blocks(&self) -> (usize, Duration) {
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        let mut accepted = 0;
        for Kept { block, origin } in self.later.take_due(now) {
            let hash = block.hash();
            match self.submit_block(block.clone(), origin).await {
                Ok(outcome) => {
                    tracing::info!(block = %hash, ?outcome, "the time of a block has come");
                    accepted += usize::from(matches!(outcome, BlockOutcome::Accepted | BlockOutcome::Stored));
                }
                Err(error @ (NodeError::Block(_) | NodeError::KnownInvalid { .. })) => {
                    tracing::warn!(block = %hash, %error, "a block from the future is not valid");
                }
                Err(error) => {
                    // Not the block's fault, such as a full disk: it is tried again.
                    tracing::warn!(block = %hash, %error, "a block whose time has come could not be stored");
                    self.later.keep(block, origin, now);
                    return (accepted, LONGEST_REST);
                }
            }
        }
        (accepted, self.later.rest(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raclette_chain::{
        address::Address,
        amount::Amount,
        hash::{BlockHash, MerkleRoot},
        target::Target,
        transaction::Reward,
    };

    const NOW: u64 = 1_800_000_000_000;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds).unwrap()
    }

    fn block(ahead: u64, nonce: u64) -> Block<Unchecked> {
        let header = Header {
            previous: BlockHash::ZERO,
            merkle_root: MerkleRoot::ZERO,
            version: 1,
            height: 1,
            time: at(NOW + ahead),
            target: Target::of_bits(1).compact(),
            nonce,
        };
        Block::new(header, Reward { miner: Address::from_bytes([1; 32]), amount: Amount::ZERO }, Vec::new())
    }

    fn member(number: u8) -> Origin {
        Origin::Member(Address::from_bytes([number; 32]))
    }

    fn count(later: &LaterBlocks, origin: Origin) -> usize {
        later.kept().iter().filter(|kept| kept.origin == origin).count()
    }

    #[test]
    fn a_block_comes_out_when_it_is_two_minutes_ahead() {
        let later = LaterBlocks::default();
        assert!(later.keep(block(130_000, 1), Origin::Local, at(NOW)));
        assert!(later.keep(block(125_000, 2), Origin::Local, at(NOW)));
        assert!(later.keep(block(125_000, 2), Origin::Local, at(NOW)), "twice is once");
        assert_eq!(later.rest(at(NOW)), Duration::from_secs(5));
        assert!(later.take_due(at(NOW + 4_999)).is_empty());
        let due = later.take_due(at(NOW + 10_000));
        assert_eq!(due.iter().map(|kept| kept.time()).collect::<Vec<_>>(), [at(NOW + 125_000), at(NOW + 130_000)]);
        assert_eq!(later.rest(at(NOW)), LONGEST_REST);
    }

    #[test]
    fn what_is_too_far_ahead_is_not_kept() {
        let later = LaterBlocks::default();
        let limit = 2 * 3_600_000;
        assert!(!later.has_place_for(block(limit + 1, 1).header(), Origin::Local, at(NOW)));
        assert!(!later.keep(block(limit + 1, 1), Origin::Local, at(NOW)));
        assert!(later.keep(block(limit, 1), Origin::Local, at(NOW)));
    }

    #[test]
    fn a_sender_has_eight_places_and_the_nearest_blocks_keep_them() {
        let later = LaterBlocks::default();
        for nonce in 0..8 {
            assert!(later.keep(block(200_000 + nonce, nonce), member(1), at(NOW)));
        }
        assert!(!later.has_place_for(block(300_000, 9).header(), member(1), at(NOW)));
        assert!(!later.keep(block(300_000, 9), member(1), at(NOW)));
        let nearest = block(199_999, 9);
        assert!(later.has_place_for(nearest.header(), member(1), at(NOW)));
        assert!(later.keep(nearest.clone(), member(1), at(NOW)));
        assert!(later.contains(&nearest.hash()) && !later.contains(&block(200_007, 7).hash()));
        assert_eq!(count(&later, member(1)), MAX_KEPT_PER_SENDER);
        assert!(later.keep(block(300_000, 10), member(2), at(NOW)), "others have places of their own");
    }

    #[test]
    fn when_all_places_are_taken_the_greediest_sender_gives_one() {
        let later = LaterBlocks::default();
        for nonce in 0..64_u8 {
            assert!(later.keep(block(200_000, u64::from(nonce)), member(nonce / 8), at(NOW)));
        }
        assert!(later.keep(block(150_000, 64), member(0), at(NOW)), "in the place of one of its own");
        assert_eq!(count(&later, member(0)), MAX_KEPT_PER_SENDER);
        assert!(later.keep(block(300_000, 65), member(99), at(NOW)));
        assert_eq!(count(&later, member(99)), 1);
        for nonce in 100..107 {
            assert!(later.keep(block(300_000, nonce), member(99), at(NOW)));
        }
        assert_eq!(later.kept().len(), MAX_KEPT);
        let shares: Vec<_> = (0..8).map(|number| count(&later, member(number))).collect();
        assert_eq!((shares.iter().sum::<usize>(), shares.iter().min()), (56, Some(&7)), "each gave one: {shares:?}");
    }
}
