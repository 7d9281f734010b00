//! The tree of blocks: which branch wins, and how to get from one to another.

use raclette_chain::{
    hash::{BlockHash, MerkleRoot, StateHash},
    header::{BLOCK_VERSION, Header},
    index::{Index, Path, median},
    target::Target,
};

use crate::test_chain::{START, at};

/// A tree whose headers are only as different as a test needs. Work and links are all that an index looks at.
struct Tree {
    index: Index,
    genesis: BlockHash,
}

impl Tree {
    fn new() -> Self {
        let genesis = header(BlockHash::ZERO, 0, 8, 0);
        Self { index: Index::new(genesis, StateHash::ZERO), genesis: genesis.hash() }
    }

    /// Adds a block of 2^`bits` attempts behind `parent`.
    fn add(&mut self, parent: BlockHash, bits: u8, mark: u64) -> BlockHash {
        let height = self.index.get(&parent).unwrap().header.height + 1;
        self.index.insert(header(parent, height, bits, mark)).hash
    }

    /// Adds a branch of `length` blocks of the same work.
    fn grow(&mut self, parent: BlockHash, length: u64, bits: u8, mark: u64) -> Vec<BlockHash> {
        let mut tip = parent;
        (0..length)
            .map(|number| {
                tip = self.add(tip, bits, mark + number);
                tip
            })
            .collect()
    }

    fn wins(&self, candidate: BlockHash, current: BlockHash) -> bool {
        Index::wins(self.index.get(&candidate).unwrap(), self.index.get(&current).unwrap())
    }

    fn follow(&mut self, tip: BlockHash) -> Path {
        let path = self.index.path_to(&tip).unwrap();
        self.index.follow(&path);
        path
    }
}

fn header(previous: BlockHash, height: u32, bits: u8, mark: u64) -> Header {
    Header {
        previous,
        merkle_root: MerkleRoot::ZERO,
        version: BLOCK_VERSION,
        height,
        time: at(START + u64::from(height) * 10_000),
        target: Target::of_bits(bits).compact(),
        nonce: mark,
    }
}

fn reversed(hashes: &[BlockHash]) -> Vec<BlockHash> {
    hashes.iter().rev().copied().collect()
}

#[test]
fn most_work_wins_even_with_fewer_blocks() {
    let mut tree = Tree::new();
    let long = tree.grow(tree.genesis, 7, 8, 100);
    let heavy = tree.grow(tree.genesis, 1, 11, 200);
    assert!(tree.wins(heavy[0], long[6]), "one block of 2^11 attempts beats seven of 2^8");
    assert!(!tree.wins(long[6], heavy[0]));
}

#[test]
fn among_equals_the_lowest_hash_wins_on_both_sides() {
    let mut tree = Tree::new();
    let (one, other) = (tree.add(tree.genesis, 8, 1), tree.add(tree.genesis, 8, 2));
    assert_eq!(tree.wins(one, other), one < other);
    assert_eq!(tree.wins(other, one), other < one);
    assert!(!tree.wins(one, one), "a tip does not win over itself");
}

#[test]
fn the_path_across_a_fork_takes_off_from_the_top_and_puts_on_from_the_bottom() {
    let mut tree = Tree::new();
    let common = tree.grow(tree.genesis, 3, 8, 0);
    let ours = tree.grow(common[2], 4, 8, 100);
    let theirs = tree.grow(common[2], 5, 8, 200);
    tree.follow(ours[3]);
    let path = tree.index.path_to(&theirs[4]).unwrap();
    assert_eq!(path, Path { disconnect: reversed(&ours), connect: theirs.clone() });
    tree.index.follow(&path);
    assert_eq!(tree.index.tip().hash, theirs[4]);
    assert_eq!(tree.index.at(4).unwrap().hash, theirs[0]);
    assert!(tree.index.is_active(&common[2]) && !tree.index.is_active(&ours[0]));
    let back = tree.follow(ours[3]);
    assert_eq!(back, Path { disconnect: reversed(&theirs), connect: ours });
}

#[test]
fn the_path_to_the_tip_is_empty_and_to_an_unknown_block_there_is_none() {
    let mut tree = Tree::new();
    let tip = tree.add(tree.genesis, 8, 0);
    tree.follow(tip);
    assert_eq!(tree.index.path_to(&tip), Some(Path::default()));
    assert_eq!(tree.index.path_to(&BlockHash::from_bytes([1; 32])), None);
}

#[test]
fn a_path_down_the_own_branch_only_takes_off() {
    let mut tree = Tree::new();
    let blocks = tree.grow(tree.genesis, 3, 8, 0);
    tree.follow(blocks[2]);
    let path = tree.index.path_to(&blocks[0]).unwrap();
    assert_eq!(path, Path { disconnect: vec![blocks[2], blocks[1]], connect: Vec::new() });
}

#[test]
fn a_block_is_stored_once() {
    let mut tree = Tree::new();
    let first = tree.add(tree.genesis, 8, 0);
    tree.index.set_state_hash(&first, StateHash::from_bytes([1; 32]));
    let again = tree.add(tree.genesis, 8, 0);
    assert_eq!((first, tree.index.len()), (again, 2));
    assert!(tree.index.get(&first).unwrap().state_hash.is_some(), "what is known of it stays known");
}

#[test]
fn an_invalid_block_takes_all_that_stands_on_it_with_it() {
    let mut tree = Tree::new();
    let good = tree.grow(tree.genesis, 2, 8, 0);
    let bad = tree.grow(tree.genesis, 5, 8, 100);
    let side = tree.add(bad[2], 8, 300);
    tree.follow(good[1]);
    assert_eq!(tree.index.best().hash, bad[4]);
    let mut marked = tree.index.mark_invalid(&bad[1]);
    marked.sort_unstable();
    let mut expected = vec![bad[1], bad[2], bad[3], bad[4], side];
    expected.sort_unstable();
    assert_eq!(marked, expected);
    assert!(!tree.wins(bad[4], good[1]), "an invalid branch wins over nothing");
    assert_eq!(tree.index.best().hash, good[1], "the valid rest of the other branch has less work");
    let child = tree.add(bad[4], 8, 400);
    assert!(tree.index.get(&child).unwrap().invalid, "what comes on top later is invalid too");
    assert!(!tree.index.get(&bad[0]).unwrap().invalid, "what is below is not");
}

#[test]
fn the_best_tip_is_found_again_when_the_active_one_turns_out_invalid() {
    let mut tree = Tree::new();
    let active = tree.grow(tree.genesis, 3, 8, 0);
    let other = tree.grow(tree.genesis, 2, 8, 100);
    tree.follow(active[2]);
    tree.index.mark_invalid(&active[0]);
    assert_eq!(tree.index.best().hash, other[1]);
}

#[test]
fn a_locator_is_dense_at_the_tip_sparse_below_and_ends_at_the_genesis_block() {
    let mut tree = Tree::new();
    let blocks = tree.grow(tree.genesis, 1_000, 8, 0);
    tree.follow(blocks[999]);
    let heights: Vec<u32> =
        tree.index.locator().iter().map(|hash| tree.index.get(hash).unwrap().header.height).collect();
    let expected = [1000, 999, 998, 997, 996, 995, 994, 993, 992, 991, 989, 985, 977, 961, 929, 865, 737, 481, 0];
    assert_eq!(heights, expected);
}

#[test]
fn the_locator_of_a_new_chain_is_its_genesis_block() {
    let tree = Tree::new();
    assert_eq!(tree.index.locator(), [tree.genesis]);
}

#[test]
fn the_median_goes_over_eleven_blocks_of_the_own_branch() {
    let mut tree = Tree::new();
    let blocks = tree.grow(tree.genesis, 20, 8, 0);
    let median_at = |hash: &BlockHash| tree.index.parent(hash).unwrap().median_time;
    assert_eq!(median_at(&tree.genesis), at(START));
    assert_eq!(median_at(&blocks[0]), at(START + 10_000), "of two times, the later");
    assert_eq!(median_at(&blocks[19]), at(START + 150_000), "heights 10 to 20, the middle is 15");
    assert_eq!(median(vec![at(3), at(1), at(2)]), at(2));
}
