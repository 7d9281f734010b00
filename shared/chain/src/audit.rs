//! A second opinion about the chain: every rule of PROTOCOL.md again, over the stored bytes, in the plainest code.
//!
//! It shares nothing with the code that accepts blocks but the list of parameters: own reading of bytes, own preimages, own
//! arithmetic of targets, balances in a sorted map, and another library's RSA. It may be slow. What it must not be is clever.

mod bytes;
mod target;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::{
    bytes::{Body, Header, Transaction, genesis_header, hash, hex, leaf, root, signature_holds, tagged},
    target::{compact, expand, next_target},
};
use crate::{
    accounts::Account,
    address::Address,
    amount::{Amount, MAX_SAFE_INTEGER},
    genesis::Genesis,
    hash::{BlockHash, StateHash},
    time::Timestamp,
};

/// How far ahead of now a block's time may be, in milliseconds.
const AHEAD: u64 = 120_000;

/// What is stored of a block, as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// The hash under which it is stored.
    pub hash: BlockHash,
    /// The header.
    pub header: Vec<u8>,
    /// Reward and transactions.
    pub body: Vec<u8>,
    /// The state hash after it.
    pub state_hash: Option<Vec<u8>>,
}

/// A rule that a stored block breaks, with both sides of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: expected {expected}, found {seen}")]
pub struct Fault {
    /// The code of the rule; `damaged` if the bytes are no block, `wrong_state_hash` if only the stored state hash is wrong.
    pub rule: &'static str,
    /// What the rule asks for.
    pub expected: String,
    /// What is there.
    pub seen: String,
}

impl Fault {
    fn new(rule: &'static str, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { rule, expected: expected.into(), seen: seen.into() }
    }
}

/// Holds, or is a fault.
fn rule(code: &'static str, holds: bool, expected: impl Into<String>, seen: impl Into<String>) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::new(code, expected, seen)) }
}

/// An account that is not what the blocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The account.
    pub address: Address,
    /// What follows from the blocks: balance and next sequence number.
    pub expected: (u64, u64),
    /// What was found.
    pub seen: (u64, u64),
}

type Accounts = BTreeMap<[u8; 32], (u64, u64)>;

/// Checks a chain block by block, from the genesis block on. It holds all accounts, and of the blocks only the last headers.
#[derive(Debug)]
pub struct Auditor {
    genesis: Genesis,
    network: [u8; 32],
    now: u64,
    parent: Header,
    /// The times of the last eleven blocks.
    times: VecDeque<u64>,
    accounts: Accounts,
    issued: u64,
    blocks: u64,
    transactions: u64,
    state_hash: [u8; 32],
}

impl Auditor {
    /// An auditor of the chain that begins with this genesis block.
    #[must_use]
    pub fn new(genesis: Genesis, now: Timestamp) -> Self {
        let parent = genesis_header(&genesis);
        Self {
            network: parent.hash,
            now: now.milliseconds(),
            times: VecDeque::from([parent.time]),
            parent,
            genesis,
            accounts: Accounts::new(),
            issued: 0,
            blocks: 0,
            transactions: 0,
            state_hash: [0; 32],
        }
    }

    /// The hash of the last block: at first that of the genesis block, computed from the parameters.
    #[must_use]
    pub fn tip(&self) -> BlockHash {
        BlockHash::from_bytes(self.parent.hash)
    }

    /// The height of the last block.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.parent.height
    }

    /// How many blocks were checked, the genesis block not counted.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// How many transactions were checked, rewards not counted.
    #[must_use]
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// The money that the blocks issued.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// The sum of all balances.
    #[must_use]
    pub fn balances(&self) -> u128 {
        self.accounts.values().map(|(balance, _)| u128::from(*balance)).sum()
    }

    /// How many accounts there are.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// The state hash after the last block.
    #[must_use]
    pub fn state_hash(&self) -> StateHash {
        StateHash::from_bytes(self.state_hash)
    }

    /// Compares accounts with those that follow from the blocks; those that differ, by address.
    #[must_use]
    pub fn compare<'a>(&self, found: impl IntoIterator<Item = (&'a Address, &'a Account)>) -> Vec<Difference> {
        let found: Accounts = found
            .into_iter()
            .map(|(address, account)| (*address.as_bytes(), (account.balance.units(), account.next_sequence)))
            .collect();
        let addresses: BTreeSet<&[u8; 32]> = self.accounts.keys().chain(found.keys()).collect();
        let of = |accounts: &Accounts, address: &[u8; 32]| accounts.get(address).copied().unwrap_or_default();
        addresses
            .into_iter()
            .map(|address| Difference {
                address: Address::from_bytes(*address),
                expected: of(&self.accounts, address),
                seen: of(&found, address),
            })
            .filter(|difference| difference.expected != difference.seen)
            .collect()
    }

    /// Checks the next block. After a fault the auditor is of no use any more.
    ///
    /// # Errors
    /// The first rule that the block breaks.
    pub fn check(&mut self, stored: &StoredBlock) -> Result<(), Fault> {
        let header = Header::read(&stored.header).ok_or_else(|| damaged("a header of 92 bytes"))?;
        rule("damaged", header.hash == *stored.hash.as_bytes(), hex(stored.hash.as_bytes()), hex(&header.hash))?;
        self.check_header(&header)?;
        let body = Body::read(&stored.body).ok_or_else(|| damaged("reward and transactions"))?;
        self.check_body(&header, &body)?;
        for (position, transaction) in body.transactions.iter().enumerate() {
            let holds = signature_holds(&self.network, transaction);
            rule("bad_signature", holds, "a signature of the sender", format!("none, in transaction {position}"))?;
        }
        self.apply(&header, &body)?;
        let computed = hex(&self.state_hash);
        let seen = stored.state_hash.as_deref().map_or_else(|| String::from("none"), hex);
        rule("wrong_state_hash", seen == computed, computed, seen)?;
        self.times.push_back(header.time);
        if self.times.len() > 11 {
            self.times.pop_front();
        }
        self.blocks += 1;
        self.transactions += body.transactions.len() as u64;
        self.parent = header;
        Ok(())
    }

    fn check_header(&self, header: &Header) -> Result<(), Fault> {
        rule("unknown_version", header.version == 1, "1", header.version.to_string())?;
        let parent = &self.parent;
        rule("wrong_previous", header.previous == parent.hash, hex(&parent.hash), hex(&header.previous))?;
        let height = u64::from(parent.height) + 1;
        rule("wrong_height", u64::from(header.height) == height, height.to_string(), header.height.to_string())?;
        let expected = compact(next_target(parent, header.time, &self.genesis.parameters));
        rule("wrong_target", header.target == expected, hex_u32(expected), hex_u32(header.target))?;
        let target = expand(header.target).map(|target| target.to_be_bytes::<32>()).unwrap_or_default();
        // Arrays of bytes compare as big-endian numbers do.
        rule("not_enough_work", header.hash <= target, hex(&target), hex(&header.hash))?;
        let mut times: Vec<u64> = self.times.iter().copied().collect();
        times.sort_unstable();
        let median = times[times.len() / 2];
        rule("time_too_old", header.time > median, format!("above {median}"), header.time.to_string())?;
        let latest = self.now + AHEAD;
        rule("time_too_new", header.time <= latest, format!("at most {latest}"), header.time.to_string())
    }

    fn check_body(&self, header: &Header, body: &Body) -> Result<(), Fault> {
        let reward = tagged(
            "raclette/reward/1",
            &self.network,
            &[&header.previous, &header.height.to_be_bytes(), &body.miner, &body.reward.to_be_bytes()],
        );
        let ids: Vec<[u8; 32]> =
            body.transactions.iter().map(|transaction| hash(&transaction.signed(&self.network))).collect();
        let mut leaves = vec![leaf(&hash(&reward), &[])];
        leaves.extend(ids.iter().zip(&body.transactions).map(|(id, transaction)| leaf(id, &transaction.signature)));
        let found = root(&leaves);
        rule("wrong_merkle_root", found == header.merkle_root, hex(&header.merkle_root), hex(&found))?;

        let parameters = &self.genesis.parameters;
        let (count, most) = (body.transactions.len(), parameters.max_block_transactions);
        rule("too_many_transactions", count as u64 <= u64::from(most), format!("at most {most}"), count.to_string())?;
        let size: u64 = body.transactions.iter().map(|transaction| transaction.size(&self.network)).sum();
        let most = u64::from(parameters.max_block_bytes);
        rule("too_large", size <= most, format!("at most {most} bytes"), size.to_string())?;
        let distinct: BTreeSet<&[u8; 32]> = ids.iter().collect();
        rule("duplicate_transaction", distinct.len() == count, count.to_string(), distinct.len().to_string())?;
        body.transactions.iter().try_for_each(|transaction| self.check_transaction(transaction, header.height))
    }

    fn check_transaction(&self, transaction: &Transaction, height: u32) -> Result<(), Fault> {
        let parameters = &self.genesis.parameters;
        let cost = u128::from(transaction.amount) + u128::from(transaction.fee);
        let most = u128::from(MAX_SAFE_INTEGER);
        rule("cost_too_large", cost <= most, format!("at most {most}"), cost.to_string())?;
        let (fee, least) = (transaction.fee, parameters.minimum_fee.units());
        rule("fee_too_low", fee >= least, format!("at least {least}"), fee.to_string())?;
        let until = transaction.valid_until;
        rule("expired", until == 0 || until >= height, format!("0 or at least {height}"), until.to_string())?;
        let (none, length) = (transaction.message_digest == [0; 32], transaction.message_length);
        rule("message_contradiction", none == (length == 0), "zeros with 0 only", format!("length {length}"))?;
        let most = parameters.max_message_length;
        rule("message_too_long", length <= most, format!("at most {most}"), length.to_string())
    }

    /// Moves the money, and computes the state hash.
    fn apply(&mut self, header: &Header, body: &Body) -> Result<(), Fault> {
        let mut before = Accounts::new();
        let mut fees = 0_u64;
        for transaction in &body.transactions {
            let sender = hash(&transaction.sender_key);
            let (balance, sequence) = self.touch(&mut before, sender);
            let found = transaction.sequence;
            rule("wrong_sequence", found == sequence, sequence.to_string(), found.to_string())?;
            let cost = transaction.amount + transaction.fee;
            rule("insufficient_funds", balance >= cost, format!("at least {cost}"), balance.to_string())?;
            self.accounts.insert(sender, (balance - cost, sequence + 1));
            self.credit(&mut before, transaction.recipient, transaction.amount)?;
            fees = fees.checked_add(transaction.fee).ok_or_else(overflow)?;
        }
        let subsidy = self.subsidy(header.height);
        let expected = subsidy.checked_add(fees).ok_or_else(overflow)?;
        rule("wrong_reward", body.reward == expected, expected.to_string(), body.reward.to_string())?;
        self.credit(&mut before, body.miner, body.reward)?;
        self.issued = self.issued.checked_add(subsidy).ok_or_else(overflow)?;

        let mut changed = Vec::new();
        for (address, old) in before {
            let new = self.accounts.get(&address).copied().unwrap_or_default();
            if new != old {
                changed.push([&address[..], &new.0.to_be_bytes(), &new.1.to_be_bytes()].concat());
            }
            // An empty account is as good as none.
            if new == (0, 0) {
                self.accounts.remove(&address);
            }
        }
        let count = u32::try_from(changed.len()).map_err(|_| overflow())?.to_be_bytes();
        let accounts = changed.concat();
        let preimage = tagged("raclette/state/1", &self.network, &[&self.state_hash, &header.hash, &count, &accounts]);
        self.state_hash = hash(&preimage);
        Ok(())
    }

    /// The account as it is, noted as it was before the block.
    fn touch(&self, before: &mut Accounts, address: [u8; 32]) -> (u64, u64) {
        let account = self.accounts.get(&address).copied().unwrap_or_default();
        before.entry(address).or_insert(account);
        account
    }

    fn credit(&mut self, before: &mut Accounts, address: [u8; 32], amount: u64) -> Result<(), Fault> {
        let (balance, sequence) = self.touch(before, address);
        let sum = balance.checked_add(amount).filter(|sum| *sum <= Amount::MAX.units()).ok_or_else(overflow)?;
        self.accounts.insert(address, (sum, sequence));
        Ok(())
    }

    fn subsidy(&self, height: u32) -> u64 {
        let (mut reward, interval) = (self.genesis.parameters.reward.units(), self.genesis.parameters.halving_interval);
        let halvings = (height - 1).checked_div(interval).unwrap_or(0);
        for _ in 0..halvings.min(64) {
            reward /= 2;
        }
        reward
    }
}

fn damaged(expected: &str) -> Fault {
    Fault::new("damaged", expected, "bytes that are none")
}

fn overflow() -> Fault {
    Fault::new("overflow", "sums of at most 2^53 - 1", "more")
}

fn hex_u32(bits: u32) -> String {
    hex(&bits.to_be_bytes())
}
