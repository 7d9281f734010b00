//! The accounts after a block, in the plainest way.

use std::collections::BTreeMap;

use raclette_chain::{
    accounts::{self, Account, Changes},
    address::Address,
    amount::Amount,
    hash::{BlockHash, StateHash},
};

use super::pool::{NETWORK, PEOPLE, Paper, address};

/// The new money of a block; the network of the model never lives to see it halve.
pub(crate) const SUBSIDY: u64 = 50;

/// What everybody has, and the sequence number that their next transaction must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) units: [u64; PEOPLE],
    pub(crate) next: [u64; PEOPLE],
    pub(crate) state_hash: StateHash,
}

impl Books {
    pub(crate) fn new() -> Self {
        Self { units: [0; PEOPLE], next: [0; PEOPLE], state_hash: StateHash::ZERO }
    }

    pub(crate) fn pay(&mut self, paper: &Paper) -> Result<(), &'static str> {
        if paper.sequence != self.next[paper.sender] {
            return Err("wrong_sequence");
        }
        if paper.cost() > self.units[paper.sender] {
            return Err("insufficient_funds");
        }
        self.next[paper.sender] += 1;
        self.units[paper.sender] -= paper.cost();
        self.units[paper.recipient] += paper.amount;
        Ok(())
    }

    /// The books after a block, or the rule that it breaks.
    pub(crate) fn after(
        &self,
        papers: &[Paper],
        miner: usize,
        reward: u64,
        block: &BlockHash,
    ) -> Result<Self, &'static str> {
        let mut after = self.clone();
        let mut fees = 0;
        for paper in papers {
            after.pay(paper)?;
            fees += paper.fee;
        }
        if reward != SUBSIDY + fees {
            return Err("wrong_reward");
        }
        after.units[miner] += reward;
        let (before, now) = (self.accounts(), after.accounts());
        let changed = now.into_iter().filter(|(address, account)| before.get(address) != Some(account));
        after.state_hash = accounts::state_hash(&NETWORK, &self.state_hash, block, &Changes(changed.collect()));
        Ok(after)
    }

    /// The accounts of everybody that has ever had anything.
    pub(crate) fn accounts(&self) -> BTreeMap<Address, Account> {
        let account = |person: usize| Account {
            balance: Amount::new(self.units[person]).unwrap(),
            next_sequence: self.next[person],
        };
        let all = (0..PEOPLE).map(|person| (address(person), account(person)));
        all.filter(|(_, account)| *account != Account::default()).collect()
    }
}
