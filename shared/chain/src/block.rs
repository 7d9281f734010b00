//! Blocks: a header, a reward and transactions.

use std::marker::PhantomData;

use crate::{
    hash::{BlockHash, LeafHash, MerkleRoot, NetworkId},
    header::Header,
    merkle,
    transaction::{Reward, SignedTransaction},
};

/// State of a block that nobody has checked: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unchecked;

/// State of a block that has passed [`crate::rules::check_block`] on top of its parent, or was read from where only such
/// blocks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked;

/// A block; `State` tells whether it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<State = Unchecked> {
    header: Header,
    hash: BlockHash,
    reward: Reward,
    transactions: Vec<SignedTransaction>,
    state: PhantomData<State>,
}

impl Block<Unchecked> {
    /// Puts the parts of a block together.
    #[must_use]
    pub fn new(header: Header, reward: Reward, transactions: Vec<SignedTransaction>) -> Self {
        Self { hash: header.hash(), header, reward, transactions, state: PhantomData }
    }

    /// The same block, taken as checked. For the rules, and for blocks read back from a store that only takes checked ones.
    #[must_use]
    pub fn assume_checked(self) -> Block<Checked> {
        Block {
            header: self.header,
            hash: self.hash,
            reward: self.reward,
            transactions: self.transactions,
            state: PhantomData,
        }
    }
}

impl<State> Block<State> {
    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The hash of the header.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        self.hash
    }

    /// The reward, which is the first transaction.
    #[must_use]
    pub fn reward(&self) -> &Reward {
        &self.reward
    }

    /// All transactions but the reward, in order.
    #[must_use]
    pub fn transactions(&self) -> &[SignedTransaction] {
        &self.transactions
    }

    /// The leaf hashes of reward and transactions, in order.
    #[must_use]
    pub fn leaves(&self, network: &NetworkId) -> Vec<LeafHash> {
        leaves(&self.header, &self.reward, self.transactions.iter().map(SignedTransaction::leaf), network)
    }

    /// What it counts towards the size limit, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.transactions.iter().map(SignedTransaction::size).sum()
    }
}

/// The leaf hashes of a block on top of `header.previous` at `header.height`.
pub fn leaves(
    header: &Header,
    reward: &Reward,
    transactions: impl Iterator<Item = LeafHash>,
    network: &NetworkId,
) -> Vec<LeafHash> {
    let reward = merkle::leaf(&reward.id(network, &header.previous, header.height), &[]);
    std::iter::once(reward).chain(transactions).collect()
}

/// The Merkle root of a block with these parts.
#[must_use]
pub fn merkle_root(
    header: &Header,
    reward: &Reward,
    transactions: &[SignedTransaction],
    network: &NetworkId,
) -> MerkleRoot {
    merkle::root(&leaves(header, reward, transactions.iter().map(SignedTransaction::leaf), network))
}
