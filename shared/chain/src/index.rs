//! The tree of blocks whose bodies are stored, and the branch of it that counts.
//!
//! The branch with the most work is active; among equals the one whose tip has the lowest hash. First-seen would never
//! converge here, since blocks are mined on command.

use std::collections::HashMap;

use crate::{
    hash::{BlockHash, StateHash},
    header::Header,
    rules::Parent,
    target::Work,
    time::Timestamp,
};

/// Over how many blocks the median of their times goes.
pub const MEDIAN_SPAN: usize = 11;

/// A block in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// The work of the chain from the genesis block up to and including this block.
    pub work: Work,
    /// The state hash after it, once it has been connected.
    pub state_hash: Option<StateHash>,
    /// Whether it broke a rule when it was connected, or stands on one that did.
    pub invalid: bool,
}

/// All stored blocks, and which of them are active. A copy costs nothing: what has not changed is shared.
#[derive(Debug, Clone)]
pub struct Index {
    entries: imbl::HashMap<BlockHash, Entry>,
    /// Hash of the active block at each height.
    active: imbl::Vector<BlockHash>,
}

/// The way from one tip to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// Blocks to take off, the highest first.
    pub disconnect: Vec<BlockHash>,
    /// Blocks to put on, the lowest first.
    pub connect: Vec<BlockHash>,
}

impl Index {
    /// An index with nothing but the genesis block. It counts as no work.
    #[must_use]
    pub fn new(genesis: Header, state_hash: StateHash) -> Self {
        let hash = genesis.hash();
        let entry = Entry { header: genesis, hash, work: Work::ZERO, state_hash: Some(state_hash), invalid: false };
        Self { entries: imbl::HashMap::unit(hash, entry), active: imbl::Vector::unit(hash) }
    }

    /// The block with this hash, if it is stored.
    #[must_use]
    pub fn get(&self, hash: &BlockHash) -> Option<&Entry> {
        self.entries.get(hash)
    }

    /// How many blocks are stored, on all branches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: there is always the genesis block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The active tip.
    ///
    /// # Panics
    /// Never: the genesis block is always active.
    #[must_use]
    pub fn tip(&self) -> &Entry {
        let hash = self.active.back().expect("the genesis block is always active");
        self.entries.get(hash).expect("active blocks are in the index")
    }

    /// The active block at a height.
    #[must_use]
    pub fn at(&self, height: u32) -> Option<&Entry> {
        self.entries.get(self.active.get(height as usize)?)
    }

    /// Whether a block is on the active branch.
    #[must_use]
    pub fn is_active(&self, hash: &BlockHash) -> bool {
        self.get(hash).is_some_and(|entry| self.active.get(entry.header.height as usize) == Some(hash))
    }

    /// The work of a block with this header on top of its stored parent; none if the parent is unknown or the target is
    /// no target.
    #[must_use]
    pub fn work_of(&self, header: &Header) -> Option<Work> {
        let parent = self.get(&header.previous)?;
        Some(parent.work.saturating_add(header.target.expand()?.work()))
    }

    /// Adds a stored block whose header has passed the rules. Its parent must be in the index.
    ///
    /// # Panics
    /// If the parent is not in the index, or the target is no target: both are rules that come first.
    pub fn insert(&mut self, header: Header) -> &Entry {
        let hash = header.hash();
        let work = self.work_of(&header).expect("a header is checked against its stored parent first");
        let invalid = self.get(&header.previous).is_some_and(|parent| parent.invalid);
        self.entries.entry(hash).or_insert(Entry { header, hash, work, state_hash: None, invalid })
    }

    /// Notes the state hash after a block that has been connected.
    pub fn set_state_hash(&mut self, hash: &BlockHash, state_hash: StateHash) {
        if let Some(entry) = self.entries.get_mut(hash) {
            entry.state_hash = Some(state_hash);
        }
    }

    /// Marks a block that broke a rule, and everything on top of it, and returns all of them.
    pub fn mark_invalid(&mut self, hash: &BlockHash) -> Vec<BlockHash> {
        let mut marked = vec![*hash];
        let mut children: HashMap<BlockHash, Vec<BlockHash>> = HashMap::new();
        for entry in self.entries.values() {
            children.entry(entry.header.previous).or_default().push(entry.hash);
        }
        let mut next = 0;
        while let Some(current) = marked.get(next).copied() {
            marked.extend(children.get(&current).into_iter().flatten());
            next += 1;
        }
        for hash in &marked {
            if let Some(entry) = self.entries.get_mut(hash) {
                entry.invalid = true;
            }
        }
        marked
    }

    /// Whether a branch that ends in `candidate` wins over one that ends in `current`.
    #[must_use]
    pub fn wins(candidate: &Entry, current: &Entry) -> bool {
        !candidate.invalid
            && (candidate.work > current.work || (candidate.work == current.work && candidate.hash < current.hash))
    }

    /// The best tip among all stored blocks: for after a block turned out invalid.
    #[must_use]
    pub fn best(&self) -> &Entry {
        self.entries
            .values()
            .filter(|entry| !entry.invalid)
            .fold(self.tip(), |best, entry| if best.invalid || Self::wins(entry, best) { entry } else { best })
    }

    /// What to take off and put on to make `hash` the tip; none if a block on the way is not stored.
    #[must_use]
    pub fn path_to(&self, hash: &BlockHash) -> Option<Path> {
        let mut connect = Vec::new();
        let mut cursor = self.get(hash)?;
        while !self.is_active(&cursor.hash) {
            connect.push(cursor.hash);
            cursor = self.get(&cursor.header.previous)?;
        }
        connect.reverse();
        let disconnect = self.active.iter().skip(cursor.header.height as usize + 1).rev().copied().collect();
        Some(Path { disconnect, connect })
    }

    /// Makes the last block of a path the tip.
    pub fn follow(&mut self, path: &Path) {
        self.active.truncate(self.active.len() - path.disconnect.len());
        self.active.extend(path.connect.iter().copied());
    }

    /// What the rules need to know of a block to check one on top of it.
    #[must_use]
    pub fn parent(&self, hash: &BlockHash) -> Option<Parent> {
        let entry = self.get(hash)?;
        Some(Parent { header: entry.header, median_time: self.median_time(entry) })
    }

    fn median_time(&self, entry: &Entry) -> Timestamp {
        let mut times = Vec::with_capacity(MEDIAN_SPAN);
        let mut cursor = Some(entry);
        while let Some(entry) = cursor
            && times.len() < MEDIAN_SPAN
        {
            times.push(entry.header.time);
            cursor = self.get(&entry.header.previous);
        }
        median(times)
    }

    /// Hashes of active blocks, dense near the tip and ever sparser towards the genesis block, by which another node
    /// finds where its chain leaves ours.
    #[must_use]
    pub fn locator(&self) -> Vec<BlockHash> {
        let mut hashes = Vec::new();
        let mut step = 1;
        let mut height = self.active.len() - 1;
        loop {
            hashes.push(self.active[height]);
            if height == 0 {
                return hashes;
            }
            if hashes.len() >= 10 {
                step *= 2;
            }
            height = height.saturating_sub(step);
        }
    }
}

/// The median of the times of at most eleven blocks; of an even number, the later of the two in the middle.
#[must_use]
pub fn median(mut times: Vec<Timestamp>) -> Timestamp {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
