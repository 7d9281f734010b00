//! What the measurements are made of: keys with money, signed transactions, and blocks that hold them.
//!
//! All of it is made before a clock starts, on all processors.

use std::{
    num::NonZero,
    sync::Arc,
    thread::{self, available_parallelism},
};

use raclette_api::{block::BlockMessage, transaction::TransactionMessage};
use raclette_chain::{
    amount::Amount,
    block::{Block, merkle_root},
    difficulty::next_target,
    genesis::Genesis,
    hash::{MerkleRoot, MessageDigest, NetworkId},
    header::{BLOCK_VERSION, Header},
    keys::{KeySize, PrivateKey},
    parameters::Parameters,
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};
use raclette_pow::Search;
use raclette_service::clock::now_ms;

use super::Failure;

/// How many accounts send: enough that none of them meets its bound in the ledger.
pub(super) const SENDERS: usize = 32;

/// An account that sends.
#[derive(Debug, Clone)]
struct Sender {
    key: Arc<PrivateKey>,
    next_sequence: u64,
}

/// Makes transactions and blocks on top of a chain that nobody else extends.
#[derive(Debug)]
pub(super) struct Maker {
    senders: Vec<Sender>,
    network: NetworkId,
    parameters: Parameters,
    tip: Header,
    /// How many transactions there are up to and including each height.
    counts: Vec<usize>,
}

/// How many threads work at once.
pub(super) fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Makes keys of 2048 bits on all processors.
pub(super) fn keys(count: usize) -> Result<Vec<Arc<PrivateKey>>, Failure> {
    let made = on_all_processors((0..count).collect(), |_| PrivateKey::generate(KeySize::Bits2048));
    made.into_iter().map(|key| Ok(Arc::new(key?))).collect()
}

/// Does the same with all of these, on all processors; the outcomes in the same order.
pub(super) fn on_all_processors<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let share = items.len().div_ceil(processors()).max(1);
    let mut items = items.into_iter();
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..processors())
            .map(|_| {
                let part: Vec<T> = items.by_ref().take(share).collect();
                scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>())
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Vec<R>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    })
}

impl Maker {
    /// A maker on top of the genesis block; its senders have no money yet.
    pub(super) fn new(keys: &[Arc<PrivateKey>], genesis: &Genesis) -> Self {
        Self {
            senders: keys.iter().map(|key| Sender { key: Arc::clone(key), next_sequence: 0 }).collect(),
            network: genesis.network(),
            parameters: genesis.parameters.clone(),
            tip: genesis.header(),
            counts: vec![0],
        }
    }

    /// The network of its chain.
    pub(super) fn network(&self) -> &NetworkId {
        &self.network
    }

    /// The height of its tip.
    pub(super) fn height(&self) -> u32 {
        self.tip.height
    }

    /// How many transactions its chain holds up to and including this height, rewards not counted.
    pub(super) fn transactions_up_to(&self, height: u32) -> usize {
        self.counts.get(height as usize).or(self.counts.last()).copied().unwrap_or_default()
    }

    /// Blocks that give each sender money.
    pub(super) fn fund(&mut self) -> Result<Vec<Block>, Failure> {
        (0..self.senders.len()).map(|sender| self.block_for(sender, &[])).collect()
    }

    /// Transactions of all senders in turn, each of which pays 1 and a fee of 1.
    pub(super) fn transactions(&mut self, count: usize) -> Vec<Arc<SignedTransaction>> {
        let created = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        let one = Amount::new(1).unwrap_or(Amount::ZERO);
        let among = self.senders.len();
        let unsigned = (0..count).map(|number| {
            let recipient = self.senders[(number + 1) % among].key.public().address();
            let sender = &mut self.senders[number % among];
            let transaction = Transaction {
                sender: sender.key.public().clone(),
                recipient,
                amount: one,
                fee: one,
                sequence: sender.next_sequence,
                created,
                valid_until: 0,
                message_digest: MessageDigest::ZERO,
                message_length: 0,
            };
            sender.next_sequence += 1;
            (transaction, Arc::clone(&sender.key))
        });
        let network = self.network;
        on_all_processors(unsigned.collect(), |(transaction, key)| Arc::new(transaction.sign(&key, &network)))
    }

    /// The next block, with these transactions.
    pub(super) fn block(&mut self, transactions: &[Arc<SignedTransaction>]) -> Result<Block, Failure> {
        self.block_for(0, transactions)
    }

    /// The next blocks, so many transactions in each.
    pub(super) fn blocks(
        &mut self,
        transactions: &[Arc<SignedTransaction>],
        in_each: usize,
    ) -> Result<Vec<Block>, Failure> {
        transactions.chunks(in_each).map(|transactions| self.block(transactions)).collect()
    }

    fn block_for(&mut self, miner: usize, transactions: &[Arc<SignedTransaction>]) -> Result<Block, Failure> {
        let height = self.tip.height + 1;
        let fees: u64 = transactions.iter().map(|transaction| transaction.transaction().fee.units()).sum();
        let amount = Amount::new(self.parameters.subsidy(height).units() + fees)?;
        let reward = Reward { miner: self.senders[miner].key.public().address(), amount };
        let transactions: Vec<SignedTransaction> =
            transactions.iter().map(|one| SignedTransaction::clone(one)).collect();
        // A millisecond is enough to be above the median, and never ahead of the clock.
        let time = self.tip.time.saturating_add(std::time::Duration::from_millis(1));
        let target = next_target(&self.tip, time, &self.parameters);
        let mut header = Header {
            previous: self.tip.hash(),
            merkle_root: MerkleRoot::ZERO,
            version: BLOCK_VERSION,
            height,
            time,
            target: target.compact(),
            nonce: 0,
        };
        header.merkle_root = merkle_root(&header, &reward, &transactions, &self.network);
        let found =
            Search::new(&header.bytes(), &target.bytes()).run(0, u64::MAX).ok_or("no nonce meets the target")?;
        header.nonce = found.nonce;
        self.tip = header;
        self.counts.push(self.transactions_up_to(height - 1) + transactions.len());
        Ok(Block::new(header, reward, transactions))
    }

    /// A block as `POST /block` takes it, whole.
    pub(super) fn whole(&self, block: &Block) -> Result<Vec<u8>, Failure> {
        Ok(serde_json::to_vec(&BlockMessage::full(block, &self.network))?)
    }

    /// A block as `POST /block` takes it, with the hashes of its transactions only.
    pub(super) fn compact(&self, block: &Block) -> Result<Vec<u8>, Failure> {
        Ok(serde_json::to_vec(&BlockMessage::compact(block, &self.network))?)
    }
}

/// Transactions as `POST /tx` takes each of them alone.
pub(super) fn as_json(transactions: &[Arc<SignedTransaction>]) -> Result<Vec<Vec<u8>>, Failure> {
    let written =
        on_all_processors(transactions.to_vec(), |one| serde_json::to_vec(&TransactionMessage::new(&one, None)));
    Ok(written.into_iter().collect::<Result<_, _>>()?)
}

/// Transactions as `POST /tx` takes many of them together.
pub(super) fn as_arrays(transactions: &[Arc<SignedTransaction>], in_each: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let join = |texts: &[Vec<u8>]| [b"[".as_slice(), &texts.join(&b','), b"]"].concat();
    Ok(as_json(transactions)?.chunks(in_each).map(join).collect())
}
