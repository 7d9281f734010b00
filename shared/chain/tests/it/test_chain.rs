//! A small chain that makes valid blocks, so that a test can say what it changes in one.

use std::{collections::HashSet, sync::LazyLock};

use raclette_chain::{
    accounts::{Accounts, Overlay, write},
    address::Address,
    amount::Amount,
    block::{Block, Unchecked, merkle_root},
    difficulty::next_target,
    genesis::Genesis,
    hash::{LeafHash, MerkleRoot, MessageDigest, StateHash},
    header::{BLOCK_VERSION, Header},
    index::{Index, Path},
    keys::PrivateKey,
    parameters::Parameters,
    rules::{
        BlockError, Broken, Connected, Explanation, Parent, Rules, check_block, explain_body, explain_header,
        explain_signatures, explain_state,
    },
    target::Target,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, key},
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};

/// When the genesis block is made: the first second of 2026.
pub(crate) const START: u64 = 1_767_225_600_000;

/// The keys of the tests; reading one takes a millisecond, so it is done once.
pub(crate) static ALICE: LazyLock<PrivateKey> = LazyLock::new(|| key(ALICE_PEM));
pub(crate) static BOB: LazyLock<PrivateKey> = LazyLock::new(|| key(BOB_PEM));
pub(crate) static CAROL: LazyLock<PrivateKey> = LazyLock::new(|| key(CAROL_PEM));

pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

pub(crate) fn at(milliseconds: u64) -> Timestamp {
    Timestamp::new(milliseconds).unwrap()
}

/// Parameters with which a block takes about 256 attempts.
pub(crate) fn parameters() -> Parameters {
    Parameters { first_target: Target::of_bits(8).compact(), ..Parameters::default() }
}

/// A transfer without message, not signed.
pub(crate) fn transfer(from: &PrivateKey, to: Address, units: u64, fee: u64, sequence: u64) -> Transaction {
    Transaction {
        sender: from.public().clone(),
        recipient: to,
        amount: amount(units),
        fee: amount(fee),
        sequence,
        created: at(START),
        valid_until: 0,
        message_digest: MessageDigest::ZERO,
        message_length: 0,
    }
}

/// The parts of a block that is still to be put together. Changing them makes the block a bad one.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) header: Header,
    pub(crate) reward: Reward,
    pub(crate) transactions: Vec<SignedTransaction>,
}

/// A chain, its accounts, and a clock that only moves when told to.
#[derive(Debug)]
pub(crate) struct TestChain {
    pub(crate) rules: Rules,
    pub(crate) index: Index,
    pub(crate) accounts: Accounts,
    pub(crate) state_hash: StateHash,
    pub(crate) now: Timestamp,
    /// Leaves whose signature has been verified before.
    pub(crate) verified: HashSet<LeafHash>,
}

impl TestChain {
    /// A chain of nothing but the genesis block.
    pub(crate) fn new(parameters: Parameters) -> Self {
        let genesis = Genesis { parameters: parameters.clone(), time: at(START) };
        Self {
            rules: Rules { network: genesis.network(), parameters },
            index: Index::new(genesis.header(), StateHash::ZERO),
            accounts: Accounts::default(),
            state_hash: StateHash::ZERO,
            now: at(START),
            verified: HashSet::new(),
        }
    }

    /// A chain in which alice has mined `blocks` blocks and owns 50 for each.
    pub(crate) fn with_blocks(parameters: Parameters, blocks: usize) -> Self {
        let mut chain = Self::new(parameters);
        for _ in 0..blocks {
            let block = chain.mine(chain.draft(Vec::new()));
            chain.push(&block).unwrap();
        }
        chain
    }

    pub(crate) fn tip(&self) -> Parent {
        self.index.parent(&self.index.tip().hash).unwrap()
    }

    /// A valid next block by alice, one spacing behind the tip.
    pub(crate) fn draft(&self, transactions: Vec<SignedTransaction>) -> Draft {
        let parent = self.tip().header;
        let time = at(parent.time.milliseconds() + self.rules.parameters.spacing_seconds * 1000);
        let header = Header {
            previous: parent.hash(),
            merkle_root: MerkleRoot::ZERO,
            version: BLOCK_VERSION,
            height: parent.height + 1,
            time,
            target: next_target(&parent, time, &self.rules.parameters).compact(),
            nonce: 0,
        };
        let fees: u64 = transactions.iter().map(|signed| signed.transaction().fee.units()).sum();
        let subsidy = self.rules.parameters.subsidy(header.height);
        let reward = Reward { miner: ALICE.public().address(), amount: amount(subsidy.units() + fees) };
        Draft { header, reward, transactions }
    }

    /// Signs a transaction for this network.
    pub(crate) fn sign(&self, transaction: Transaction, key: &PrivateKey) -> SignedTransaction {
        transaction.sign(key, &self.rules.network)
    }

    /// Commits the header to the body, and searches a nonce for whatever target it claims.
    pub(crate) fn mine(&self, draft: Draft) -> Block<Unchecked> {
        let Draft { mut header, reward, transactions } = draft;
        header.merkle_root = merkle_root(&header, &reward, &transactions, &self.rules.network);
        Block::new(mine_header(header), reward, transactions)
    }

    /// Checks a block on top of the tip, by a clock that shows the block's own time or later, and leaves the chain as it is.
    pub(crate) fn check(&self, block: Block<Unchecked>) -> Result<Connected, BlockError> {
        let explanation = self.explain(&block);
        let mut overlay = Overlay::new(&self.accounts);
        let verified = |leaf: &LeafHash| self.verified.contains(leaf);
        let checked = check_block(block, &self.tip(), &mut overlay, &self.state_hash, &self.rules, self.now, verified);
        // What explains and what refuses are the same, for every block of every test.
        let explained = explanation.broken().map(|step| (step.rule, step.compared.clone(), step.position));
        let refused = checked.as_ref().err().map(|error| (error.code(), Some(error.sides()), Broken::position(error)));
        // An explanation verifies every signature anew, also those that were verified before.
        if self.verified.is_empty() {
            assert_eq!(explained, refused);
        }
        checked.map(|(_, connected)| connected)
    }

    /// Every rule about a block on top of the tip, and how it fares.
    pub(crate) fn explain(&self, block: &Block<Unchecked>) -> Explanation {
        let mut explanation = Explanation::new();
        explain_header(block.header(), &self.tip(), &self.rules, self.now, &mut explanation);
        explain_body(block, &self.rules, &mut explanation);
        explain_signatures(block, &self.rules, &mut explanation);
        explain_state(block, &mut Overlay::new(&self.accounts), &self.state_hash, &self.rules, &mut explanation);
        explanation
    }

    /// Checks a block and makes it the tip. The clock moves to the block's time.
    pub(crate) fn push(&mut self, block: &Block<Unchecked>) -> Result<(), BlockError> {
        self.now = self.now.max(block.header().time);
        let connected = self.check(block.clone())?;
        self.index.insert(*block.header());
        self.index.follow(&Path { disconnect: Vec::new(), connect: vec![block.hash()] });
        self.index.set_state_hash(&block.hash(), connected.state_hash);
        write(&mut self.accounts, connected.changes.0);
        self.state_hash = connected.state_hash;
        Ok(())
    }
}

/// Searches a nonce, one after another, with which the header meets the target in it; any nonce will do for a target that
/// is none.
pub(crate) fn mine_header(mut header: Header) -> Header {
    if let Some(target) = header.target.expand() {
        while !target.is_met_by(&header.hash()) {
            header.nonce += 1;
        }
    }
    header
}
