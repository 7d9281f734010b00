//! What a peer should do: all blocks that anybody made with the books after each of them, and which of them the peer has.
//!
//! Nothing here is clever. Whatever a transition leads to is worked out from whole chains, and kept as the [`Action`] that the
//! peer is to be put through, with what it should answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use proptest::{prelude::*, sample::Index};
use proptest_state_machine::ReferenceStateMachine;
use raclette_chain::{
    amount::Amount,
    block::{Block, Unchecked, merkle_root},
    hash::{BlockHash, MerkleRoot, TransactionId},
    header::{BLOCK_VERSION, Header},
    time::Timestamp,
    transaction::{Reward, SignedTransaction},
};

use super::{
    books::{Books, SUBSIDY},
    pending::Pending,
    pool::{Kind, NETWORK, OWNER, PEOPLE, Paper, address, kind, paper},
};
use crate::peer::{EASY, genesis};

/// What is wrong with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Its time is that of the block before.
    OldTime,
    /// A signature in it does not hold.
    Forged,
    /// It holds a transaction that has expired.
    Expired,
    /// It pays its miner one unit too much.
    Greedy,
    /// It spends what nobody has.
    Overspent,
    /// It leaves a sequence number out.
    Gap,
}

impl Flaw {
    /// The rule that is broken whatever the accounts are, but for the header's.
    fn of_body(self) -> Option<&'static str> {
        match self {
            Self::Forged => Some("bad_signature"),
            Self::Expired => Some("expired"),
            Self::OldTime | Self::Greedy | Self::Overspent | Self::Gap => None,
        }
    }
}

/// A block that somebody made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) block: Block<Unchecked>,
    papers: Vec<Paper>,
    flaw: Option<Flaw>,
    /// The books after it, or the rule that it breaks on the accounts; none if a block below it does.
    after: Option<Result<Books, &'static str>>,
}

impl Made {
    fn height(&self) -> u32 {
        self.block.header().height
    }
}

/// Where a new block stands.
#[derive(Debug, Clone)]
pub(crate) enum Below {
    Tip,
    /// So many blocks below the tip.
    Deeper(u32),
    /// Any block that was ever made, also one that the peer does not have.
    Any(Index),
}

/// A transaction that is wished for: by whom, how far its sequence number is from the sender's next one, of what kind.
type Wish = (usize, i64, Kind);

/// What happens next.
#[derive(Debug, Clone)]
pub(crate) enum Transition {
    /// Transactions are submitted together.
    Submit(Vec<Wish>),
    /// Somebody mines a block, and perhaps keeps it for later.
    Mine { below: Below, pending: bool, wishes: Vec<(usize, Kind)>, miner: usize, flaw: Option<Flaw>, kept: bool },
    /// A block comes: one of those that the peer lacks, if there are any and that is wished for.
    Deliver { block: Index, lacking: bool },
    /// Blocks that the peer lacks come in one go, as history does; parents first, or in any order.
    DeliverTogether { blocks: Vec<Index>, sorted: bool },
    /// A block comes with another body than the one it commits to.
    DeliverMutated(Index),
    /// The peer ends and starts again.
    Restart,
}

/// What to do with the peer, and what it should answer.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Nothing,
    Submit(Vec<(SignedTransaction, &'static str)>),
    Block(Block<Unchecked>, &'static str),
    Blocks(Vec<(Block<Unchecked>, &'static str)>),
    Restart,
}

/// The state of the peer as it should be.
#[derive(Clone)]
pub(crate) struct Reference {
    /// All blocks there are, in the order in which they were made; parents before children.
    made: BTreeMap<BlockHash, Arc<Made>>,
    order: Vec<BlockHash>,
    genesis: Header,
    stored: BTreeSet<BlockHash>,
    invalid: BTreeSet<BlockHash>,
    /// Refused without being stored, as long as the peer remembers.
    refused: BTreeSet<BlockHash>,
    pub(crate) tip: BlockHash,
    pub(crate) pending: Pending,
    /// The last action.
    pub(crate) action: Action,
    /// How many blocks that action takes off, and how many transactions it brings back.
    pub(crate) disconnected: usize,
    pub(crate) returned: usize,
}

impl fmt::Debug for Reference {
    /// Short: the transitions tell how it came about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference").field("blocks", &self.made.len()).field("tip", &self.tip).finish_non_exhaustive()
    }
}

impl Reference {
    /// The peer has a block of everybody.
    pub(crate) fn new() -> Self {
        let genesis = genesis(EASY).header();
        let mut reference = Self {
            made: BTreeMap::new(),
            order: Vec::new(),
            genesis,
            stored: BTreeSet::new(),
            invalid: BTreeSet::new(),
            refused: BTreeSet::new(),
            tip: genesis.hash(),
            pending: Pending::default(),
            action: Action::Nothing,
            disconnected: 0,
            returned: 0,
        };
        for miner in 0..PEOPLE {
            let block = reference.mine(&reference.tip.clone(), Vec::new(), miner, None);
            reference.accept(&block);
        }
        reference.action = Action::Blocks(reference.first_blocks());
        reference
    }

    fn first_blocks(&self) -> Vec<(Block<Unchecked>, &'static str)> {
        self.order.iter().map(|hash| (self.made[hash].block.clone(), "accepted")).collect()
    }

    fn header(&self, hash: &BlockHash) -> Header {
        self.made.get(hash).map_or(self.genesis, |made| *made.block.header())
    }

    /// The books after a valid block.
    fn after(&self, hash: &BlockHash) -> Option<Books> {
        match self.made.get(hash) {
            None => Some(Books::new()),
            Some(made) => made.after.clone().and_then(Result::ok),
        }
    }

    /// The books after the tip.
    pub(crate) fn books(&self) -> Books {
        self.after(&self.tip).expect("the tip is valid")
    }

    pub(crate) fn height(&self) -> u32 {
        self.header(&self.tip).height
    }

    /// A block and all below it, the genesis block left out, the lowest first.
    fn branch(&self, tip: &BlockHash) -> Vec<BlockHash> {
        let mut branch = Vec::new();
        let mut hash = *tip;
        while let Some(made) = self.made.get(&hash) {
            branch.push(hash);
            hash = made.block.header().previous;
        }
        branch.reverse();
        branch
    }

    fn papers(&self, blocks: &[BlockHash]) -> Vec<Paper> {
        blocks.iter().flat_map(|hash| self.made[hash].papers.iter().cloned()).collect()
    }

    /// Where each confirmed transaction stands: height and position.
    pub(crate) fn confirmed(&self) -> BTreeMap<TransactionId, (u32, usize)> {
        let place = |hash: &BlockHash| {
            let made = &self.made[hash];
            let ids = made.papers.iter().map(|paper| paper.signed.id()).enumerate();
            ids.map(|(position, id)| (id, (made.height(), position))).collect::<Vec<_>>()
        };
        self.branch(&self.tip).iter().flat_map(place).collect()
    }

    /// Makes a block. The same one may have been made before.
    fn mine(&mut self, below: &BlockHash, mut papers: Vec<Paper>, miner: usize, flaw: Option<Flaw>) -> BlockHash {
        let parent = self.header(below);
        let books = self.after(below);
        let height = parent.height + 1;
        // On a branch that is invalid already there is nothing more to spoil; and nothing has expired at height 1.
        let flaw = flaw.filter(|flaw| books.is_some() && (*flaw != Flaw::Expired || height > 1));
        if let Some(books) = &books {
            let spoilt = |kind, ahead| paper(miner, next_sequence(books, &papers, miner) + ahead, kind);
            let more = match flaw {
                Some(Flaw::Forged) => Some(spoilt(Kind::Forged, 0)),
                Some(Flaw::Expired) => Some(spoilt(Kind::Until(1), 0)),
                Some(Flaw::Overspent) => Some(spoilt(Kind::TooLarge, 0)),
                Some(Flaw::Gap) => Some(spoilt(Kind::Free, 1)),
                Some(Flaw::OldTime | Flaw::Greedy) | None => None,
            };
            papers.extend(more);
        }
        let fees: u64 = papers.iter().map(|paper| paper.fee).sum();
        let units = SUBSIDY + fees + u64::from(flaw == Some(Flaw::Greedy));
        let reward = Reward { miner: address(miner), amount: Amount::new(units).unwrap() };
        // No two are made at the same time, so that no two are the same.
        let usual = parent.time.milliseconds() + 1_000 + self.order.len() as u64;
        let time = if flaw == Some(Flaw::OldTime) { self.median(below) } else { usual };
        let mut header = Header {
            previous: *below,
            merkle_root: MerkleRoot::ZERO,
            version: BLOCK_VERSION,
            height,
            time: Timestamp::new(time).unwrap(),
            target: self.genesis.target,
            nonce: 0,
        };
        let transactions: Vec<_> = papers.iter().map(|paper| paper.signed.clone()).collect();
        header.merkle_root = merkle_root(&header, &reward, &transactions, &NETWORK);
        let target = header.target.expand().unwrap();
        while !target.is_met_by(&header.hash()) {
            header.nonce += 1;
        }
        let hash = header.hash();
        let after = books.map(|books| books.after(&papers, miner, units, &hash));
        let block = Block::new(header, reward, transactions);
        if !self.made.contains_key(&hash) {
            self.order.push(hash);
            self.made.insert(hash, Arc::new(Made { block, papers, flaw, after }));
        }
        hash
    }

    /// The median of the last eleven times; every block is later than the one before.
    fn median(&self, tip: &BlockHash) -> u64 {
        let mut branch = vec![self.genesis.hash()];
        branch.extend(self.branch(tip));
        let last: Vec<_> = branch.iter().rev().take(11).collect();
        self.header(last[(last.len() - 1) / 2]).time.milliseconds()
    }

    fn has(&self, hash: &BlockHash) -> bool {
        self.stored.contains(hash) || *hash == self.genesis.hash()
    }

    /// What the peer says of a block before it reads the body, if that is enough.
    fn judge(&mut self, hash: &BlockHash) -> Option<&'static str> {
        let made = Arc::clone(&self.made[hash]);
        let parent = made.block.header().previous;
        if self.stored.contains(hash) {
            return Some(if self.invalid.contains(hash) { "known_invalid" } else { "known" });
        }
        if self.refused.contains(hash) {
            return Some("known_invalid");
        }
        if self.refused.contains(&parent) || self.invalid.contains(&parent) {
            self.refused.insert(*hash);
            return Some("known_invalid");
        }
        if !self.has(&parent) {
            return Some("orphan");
        }
        if made.flaw == Some(Flaw::OldTime) {
            self.refused.insert(*hash);
            return Some("time_too_old");
        }
        None
    }

    /// A block comes alone.
    fn deliver(&mut self, hash: &BlockHash) -> &'static str {
        self.judge(hash).unwrap_or_else(|| self.deliver_unjudged(hash))
    }

    /// A block comes as part of the history.
    fn deliver_unjudged(&mut self, hash: &BlockHash) -> &'static str {
        if let Some(code) = self.made[hash].flaw.and_then(Flaw::of_body) {
            self.refused.insert(*hash);
            return code;
        }
        self.accept(hash)
    }

    /// A block whose body and signatures hold is stored, and followed if it wins.
    fn accept(&mut self, hash: &BlockHash) -> &'static str {
        let made = Arc::clone(&self.made[hash]);
        let parent = made.block.header().previous;
        if self.stored.contains(hash) {
            return if self.invalid.contains(hash) { "known_invalid" } else { "known" };
        }
        if !self.has(&parent) {
            return "orphan";
        }
        if self.invalid.contains(&parent) {
            return "known_invalid";
        }
        if made.flaw == Some(Flaw::OldTime) {
            return "time_too_old";
        }
        self.stored.insert(*hash);
        if let Some((bad, code)) = self.follow_if_best(hash) {
            // Everything above it is invalid with it, this block among it.
            let above: Vec<_> = self.stored.iter().filter(|one| self.branch(one).contains(&bad)).copied().collect();
            self.invalid.extend(above);
            return code;
        }
        if self.branch(&self.tip).contains(hash) { "accepted" } else { "stored" }
    }

    /// All blocks have the same target, so that the longest branch has the most work.
    fn wins(&self, candidate: &BlockHash) -> bool {
        let (ours, theirs) = (self.height(), self.header(candidate).height);
        theirs > ours || (theirs == ours && *candidate < self.tip)
    }

    /// Makes a block the tip if it wins; the lowest block on the way that breaks a rule, if there is one.
    fn follow_if_best(&mut self, hash: &BlockHash) -> Option<(BlockHash, &'static str)> {
        if !self.wins(hash) {
            return None;
        }
        let (old, new) = (self.branch(&self.tip), self.branch(hash));
        for block in &new {
            if let Some(Err(code)) = &self.made[block].after {
                return Some((*block, code));
            }
        }
        let common = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let (losing, connected) = (self.papers(&old[common..]), self.papers(&new[common..]));
        self.tip = *hash;
        let (books, next_height) = (self.books(), self.height() + 1);
        self.returned += self.pending.follow(&connected, &losing, &books, next_height);
        self.disconnected += old.len() - common;
        None
    }

    fn submit(&mut self, wishes: &[Wish]) -> Action {
        let (books, next_height, confirmed) = (self.books(), self.height() + 1, self.confirmed());
        let submit = |(sender, ahead, kind): &Wish| {
            let sequence = books.next[*sender].saturating_add_signed(*ahead);
            let paper = paper(*sender, sequence, *kind);
            let is_confirmed = confirmed.contains_key(&paper.signed.id());
            let answer = self.pending.submit(&paper, &books, next_height, is_confirmed);
            (paper.signed, answer)
        };
        Action::Submit(wishes.iter().map(submit).collect())
    }

    /// The transactions of a new block: some that are pending, then those wished for, as far as they can be paid.
    fn chosen(&self, below: &BlockHash, pending: bool, wishes: &[(usize, Kind)]) -> Vec<Paper> {
        let Some(mut books) = self.after(below) else { return Vec::new() };
        let height = self.header(below).height + 1;
        let mut chosen = Vec::new();
        let mut choose = |paper: Paper, books: &mut Books| {
            let is_in_time = paper.valid_until == 0 || paper.valid_until >= height;
            if is_in_time && paper.kind.fits_a_block() && books.pay(&paper).is_ok() {
                chosen.push(paper);
            }
        };
        for paper in self.pending.papers.values().filter(|_| pending) {
            choose(paper.clone(), &mut books);
        }
        for (sender, kind) in wishes {
            let next = paper(*sender, books.next[*sender], *kind);
            choose(next, &mut books);
        }
        chosen
    }

    fn any(&self, index: &Index) -> BlockHash {
        *index.get(&self.order)
    }

    /// One of the blocks that the peer lacks, if there are any.
    fn any_lacking(&self, index: &Index) -> BlockHash {
        let lacking: Vec<_> = self.order.iter().filter(|hash| !self.stored.contains(hash)).copied().collect();
        if lacking.is_empty() { self.any(index) } else { *index.get(&lacking) }
    }

    fn place(&self, below: &Below) -> BlockHash {
        match below {
            Below::Tip => self.tip,
            Below::Deeper(depth) => {
                let branch = self.branch(&self.tip);
                let depth = usize::try_from(*depth).unwrap();
                branch.iter().rev().nth(depth).copied().unwrap_or_else(|| self.genesis.hash())
            }
            Below::Any(index) => self.any(index),
        }
    }
}

/// The next sequence number of somebody behind these transactions.
fn next_sequence(books: &Books, papers: &[Paper], person: usize) -> u64 {
    papers.iter().filter(|paper| paper.sender == person).fold(books.next[person], |next, _| next + 1)
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::new()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        let wish = (0..PEOPLE, prop_oneof![6 => Just(0_i64), 3 => 1..4_i64, 1 => -2..0_i64], kind());
        let below = prop_oneof![
            6 => Just(Below::Tip),
            4 => (1..5_u32).prop_map(Below::Deeper),
            3 => any::<Index>().prop_map(Below::Any),
        ];
        let flaw = prop_oneof![
            Just(Flaw::OldTime),
            Just(Flaw::Forged),
            Just(Flaw::Expired),
            Just(Flaw::Greedy),
            Just(Flaw::Overspent),
            Just(Flaw::Gap),
        ];
        let wishes = prop::collection::vec((0..PEOPLE, kind()), 0..4);
        let flaw = prop::option::weighted(0.12, flaw);
        let kept = prop::bool::weighted(0.3);
        let mine = (below, any::<bool>(), wishes, 0..PEOPLE, flaw, kept).prop_map(
            |(below, pending, wishes, miner, flaw, kept)| Transition::Mine {
                below,
                pending,
                wishes,
                miner,
                flaw,
                kept,
            },
        );
        let together = (prop::collection::vec(any::<Index>(), 1..8), prop::bool::weighted(0.7));
        prop_oneof![
            10 => prop::collection::vec(wish, 1..4).prop_map(Transition::Submit),
            10 => mine,
            4 => (any::<Index>(), prop::bool::weighted(0.8)).prop_map(|(block, lacking)| Transition::Deliver {
                block,
                lacking,
            }),
            3 => together.prop_map(|(blocks, sorted)| Transition::DeliverTogether { blocks, sorted }),
            1 => any::<Index>().prop_map(Transition::DeliverMutated),
            1 => Just(Transition::Restart),
        ]
        .boxed()
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        (state.disconnected, state.returned) = (0, 0);
        state.action = match transition {
            Transition::Submit(wishes) => state.submit(wishes),
            Transition::Mine { below, pending, wishes, miner, flaw, kept } => {
                let below = state.place(below);
                let papers = state.chosen(&below, *pending, wishes);
                let hash = state.mine(&below, papers, *miner, *flaw);
                if *kept {
                    Action::Nothing
                } else {
                    let answer = state.deliver(&hash);
                    Action::Block(state.made[&hash].block.clone(), answer)
                }
            }
            Transition::Deliver { block, lacking } => {
                let hash = if *lacking { state.any_lacking(block) } else { state.any(block) };
                let answer = state.deliver(&hash);
                Action::Block(state.made[&hash].block.clone(), answer)
            }
            Transition::DeliverTogether { blocks, sorted } => {
                let mut hashes: Vec<_> = blocks.iter().map(|index| state.any_lacking(index)).collect();
                if *sorted {
                    hashes.sort_by_key(|hash| state.made[hash].height());
                }
                let deliver = |hash: &BlockHash| {
                    let answer = state.deliver_unjudged(hash);
                    (state.made[hash].block.clone(), answer)
                };
                Action::Blocks(hashes.iter().map(deliver).collect())
            }
            Transition::DeliverMutated(index) => {
                let hash = state.any(index);
                let answer = state.judge(&hash).unwrap_or("wrong_merkle_root");
                let block = &state.made[&hash].block;
                let reward = Reward { miner: address(OWNER), amount: Amount::new(1).unwrap() };
                Action::Block(Block::new(*block.header(), reward, block.transactions().to_vec()), answer)
            }
            Transition::Restart => {
                state.refused.clear();
                Action::Restart
            }
        };
        state
    }
}
