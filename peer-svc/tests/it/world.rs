//! A node that never crashes: all blocks of a test network with the accounts and the state hash after each, in memory. It
//! makes the blocks and transactions that the tests feed to real peers, competing branches among them.

use std::collections::{BTreeMap, HashMap};

use raclette_api::{
    membership::{NewRegistration, PeerRecord, PeerState, Registration},
    transaction::TransactionMessage,
};
use raclette_chain::{
    accounts::{Account, Accounts, Overlay, write},
    address::Address,
    amount::Amount,
    block::{Block, Unchecked, merkle_root},
    difficulty::next_target,
    genesis::Genesis,
    hash::{BlockHash, MerkleRoot, MessageDigest, StateHash},
    header::{BLOCK_VERSION, Header},
    index::Index,
    keys::PrivateKey,
    rules::{Rules, check_block},
    testing::{BOB_PEM, CAROL_PEM, DAVE_PEM, key},
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};
use raclette_service::clock::now_ms;
use rand::{RngExt as _, rngs::StdRng};

use crate::peer::{EASY, genesis, tracker};

/// What a sender gives away in all: less than it has in the first blocks, which no branch leaves out, so that no
/// reorganisation makes a transaction one that cannot be paid.
const ALLOWANCE: u64 = 40;
/// How many transactions of a sender wait at most: fewer than a ledger takes without a fee.
const WAITING: u64 = 40;

/// Somebody who sends.
struct Sender {
    key: PrivateKey,
    /// All it ever signed, by sequence number.
    signed: Vec<SignedTransaction>,
    given: u64,
}

/// What is known after a block.
struct After {
    accounts: Accounts,
    state_hash: StateHash,
}

/// All blocks there are.
pub(crate) struct World {
    pub(crate) genesis: Genesis,
    pub(crate) rules: Rules,
    index: Index,
    after: HashMap<BlockHash, After>,
    senders: Vec<Sender>,
}

fn now() -> Timestamp {
    Timestamp::new(now_ms()).unwrap()
}

impl World {
    /// A network of nothing but its genesis block.
    pub(crate) fn new() -> Self {
        let genesis = genesis(EASY);
        let rules = Rules { network: genesis.network(), parameters: genesis.parameters.clone() };
        let index = Index::new(genesis.header(), StateHash::ZERO);
        let begin = After { accounts: Accounts::new(), state_hash: StateHash::ZERO };
        let after = HashMap::from([(genesis.header().hash(), begin)]);
        let sender = |pem| Sender { key: key(pem), signed: Vec::new(), given: 0 };
        Self { genesis, rules, index, after, senders: [BOB_PEM, CAROL_PEM, DAVE_PEM].map(sender).into() }
    }

    /// The other members: bob, at a port where nobody answers, carol and dave, who are offline.
    pub(crate) fn members(&self) -> Vec<PeerRecord> {
        let member = |(sender, name): (&Sender, &str)| {
            let new = NewRegistration {
                network: self.rules.network,
                tracker: tracker().public().address(),
                name,
                host: "127.0.0.1",
                port: 1_025,
                epoch: 1,
                time: now(),
            };
            let online = name == "bob";
            PeerRecord {
                name: name.to_owned(),
                address: sender.key.public().address().to_string(),
                public_key: sender.key.public().to_pem(),
                state: if online { PeerState::Online } else { PeerState::Offline },
                epoch: 1,
                version: 1,
                last_seen: now_ms(),
                registration: online.then(|| Registration::signed(&new, &sender.key)),
            }
        };
        self.senders.iter().zip(["bob", "carol", "dave"]).map(member).collect()
    }

    pub(crate) fn knows(&self, hash: &BlockHash) -> bool {
        self.after.contains_key(hash)
    }

    pub(crate) fn genesis_hash(&self) -> BlockHash {
        self.genesis.header().hash()
    }

    pub(crate) fn height(&self, hash: &BlockHash) -> u32 {
        self.index.get(hash).expect("the block is known").header.height
    }

    /// The state hash after a block.
    pub(crate) fn state_hash(&self, hash: &BlockHash) -> StateHash {
        self.after[hash].state_hash
    }

    /// All accounts after a block.
    pub(crate) fn accounts(&self, hash: &BlockHash) -> BTreeMap<Address, Account> {
        self.after[hash].accounts.iter().map(|(address, account)| (*address, *account)).collect()
    }

    /// The tip of a node that has exactly these blocks.
    pub(crate) fn best<'a>(&self, blocks: impl Iterator<Item = &'a BlockHash>) -> BlockHash {
        let entry = |hash: &BlockHash| self.index.get(hash).expect("the block is known");
        let best = blocks.map(entry).fold(entry(&self.genesis_hash()), |best, candidate| {
            if Index::wins(candidate, best) { candidate } else { best }
        });
        best.hash
    }

    /// The block so many below this one, but no lower than `lowest`.
    pub(crate) fn below(&self, hash: &BlockHash, depth: u32, lowest: u32) -> BlockHash {
        let mut header = self.index.get(hash).unwrap().header;
        for _ in 0..depth {
            if header.height > lowest {
                header = self.index.get(&header.previous).unwrap().header;
            }
        }
        header.hash()
    }

    /// Takes in a block, which must be valid by every rule.
    pub(crate) fn learn(&mut self, block: &Block<Unchecked>) {
        if self.knows(&block.hash()) {
            return;
        }
        let parent = self.index.parent(&block.header().previous).expect("its parent is known");
        let before = &self.after[&block.header().previous];
        let mut overlay = Overlay::new(&before.accounts);
        let checked =
            check_block(block.clone(), &parent, &mut overlay, &before.state_hash, &self.rules, now(), |_| false);
        let (_, connected) = checked.expect("the block is valid");
        let mut accounts = before.accounts.clone();
        write(&mut accounts, connected.changes.0);
        self.index.insert(*block.header());
        self.after.insert(block.hash(), After { accounts, state_hash: connected.state_hash });
    }

    /// Somebody signs the next transaction, if it may: always one that can be paid and needs no fee.
    pub(crate) fn sign(&mut self, tip: &BlockHash, random: &mut StdRng) -> Option<SignedTransaction> {
        let chosen = random.random_range(0..self.senders.len());
        let recipient = self.senders[random.random_range(0..self.senders.len())].key.public().address();
        let network = self.rules.network;
        let sender = &mut self.senders[chosen];
        let account = self.after[tip].accounts.get(&sender.key.public().address()).copied().unwrap_or_default();
        let sequence = sender.signed.len() as u64;
        if sequence >= account.next_sequence + WAITING {
            return None;
        }
        let amount = random.random_range(0..=2).min(ALLOWANCE - sender.given);
        sender.given += amount;
        let transaction = Transaction {
            sender: sender.key.public().clone(),
            recipient,
            amount: Amount::new(amount).unwrap(),
            fee: Amount::ZERO,
            sequence,
            created: now(),
            valid_until: 0,
            message_digest: MessageDigest::ZERO,
            message_length: 0,
        };
        let signed = transaction.sign(&sender.key, &network);
        sender.signed.push(signed.clone());
        Some(signed)
    }

    /// Somebody mines a block on top of `parent`, with some of the transactions that it lacks.
    pub(crate) fn mine(&mut self, parent: &BlockHash, random: &mut StdRng) -> Block<Unchecked> {
        let transactions: Vec<SignedTransaction> = self
            .senders
            .iter()
            .flat_map(|sender| {
                let account = self.after[parent].accounts.get(&sender.key.public().address());
                let next = account.map_or(0, |account| usize::try_from(account.next_sequence).unwrap());
                sender.signed.iter().skip(next).take(random.random_range(0..=4)).cloned()
            })
            .collect();
        let miner = self.senders[random.random_range(0..self.senders.len())].key.public().address();
        self.mine_with(parent, miner, transactions)
    }

    /// A block with these transactions on top of `parent`.
    pub(crate) fn mine_with(
        &mut self,
        parent: &BlockHash,
        miner: Address,
        transactions: Vec<SignedTransaction>,
    ) -> Block<Unchecked> {
        let parent = self.index.parent(parent).unwrap();
        let height = parent.header.height + 1;
        let usual = parent.header.time.milliseconds() + 1_000;
        let earliest = parent.median_time.milliseconds() + 1;
        let time = Timestamp::new(usual.min(now_ms()).max(earliest)).unwrap();
        let reward = Reward { miner, amount: self.rules.parameters.subsidy(height) };
        let target = next_target(&parent.header, time, &self.rules.parameters);
        let mut header = Header {
            previous: parent.header.hash(),
            merkle_root: MerkleRoot::ZERO,
            version: BLOCK_VERSION,
            height,
            time,
            target: target.compact(),
            nonce: 0,
        };
        header.merkle_root = merkle_root(&header, &reward, &transactions, &self.rules.network);
        while !target.is_met_by(&header.hash()) {
            header.nonce += 1;
        }
        let block = Block::new(header, reward, transactions);
        self.learn(&block);
        block
    }

    /// The first blocks, which every branch has: each sender mines one.
    pub(crate) fn mine_first_blocks(&mut self) -> Vec<Block<Unchecked>> {
        let mut tip = self.genesis_hash();
        let miners: Vec<Address> = self.senders.iter().map(|sender| sender.key.public().address()).collect();
        let mine = |miner| {
            let block = self.mine_with(&tip, miner, Vec::new());
            tip = block.hash();
            block
        };
        miners.into_iter().map(mine).collect()
    }
}

/// Transactions as they are submitted.
pub(crate) fn messages(transactions: &[SignedTransaction]) -> Vec<TransactionMessage> {
    transactions.iter().map(|transaction| TransactionMessage::new(transaction, None)).collect()
}
