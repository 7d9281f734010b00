//! Money is neither made nor lost: over random transfers, forwards and backwards.

use proptest::prelude::*;
use raclette_chain::{
    accounts::{Account, Accounts, Overlay, Undo, write},
    address::Address,
    amount::Amount,
    block::Block,
    hash::StateHash,
    keys::{PrivateKey, Signature},
    parameters::Parameters,
    rules::{BlockError, Rules, connect_block},
    transaction::{Reward, SignedTransaction},
};

use crate::test_chain::{ALICE, BOB, CAROL, TestChain, amount, parameters, transfer};

/// A wish to transfer, which may be more than there is.
#[derive(Debug, Clone)]
struct Wish {
    from: usize,
    to: usize,
    units: u64,
    fee: u64,
}

fn keys() -> [&'static PrivateKey; 3] {
    [&ALICE, &BOB, &CAROL]
}

fn wish() -> impl Strategy<Value = Wish> {
    (0..3_usize, 0..4_usize, 0..80_u64, 0..4_u64).prop_map(|(from, to, units, fee)| Wish { from, to, units, fee })
}

/// Blocks of up to six transfers each, with the number of who mines each of them.
fn history() -> impl Strategy<Value = Vec<(usize, Vec<Wish>)>> {
    prop::collection::vec((0..3_usize, prop::collection::vec(wish(), 0..6)), 1..12)
}

fn address(number: usize) -> Address {
    // The fourth is an address that nobody has the key of.
    keys().get(number).map_or(Address::from_bytes([9; 32]), |key| key.public().address())
}

/// The state after each block, and what takes the block off again.
struct Ledger {
    rules: Rules,
    accounts: Accounts,
    state_hash: StateHash,
    minted: u64,
}

impl Ledger {
    fn new() -> Self {
        let parameters = Parameters { halving_interval: 4, ..parameters() };
        let rules = TestChain::new(parameters).rules;
        Self { rules, accounts: Accounts::default(), state_hash: StateHash::ZERO, minted: 0 }
    }

    fn signed(&self, wish: &Wish, sequence: u64) -> SignedTransaction {
        let transaction = transfer(keys()[wish.from], address(wish.to), wish.units, wish.fee, sequence);
        // Applying a block looks at no signature: that is a rule of its own.
        SignedTransaction::new(transaction, Signature::from_bytes(vec![1; 256]), &self.rules.network)
    }

    /// The transactions for those wishes that can be paid, one after another.
    fn affordable(&self, wishes: &[Wish]) -> Vec<SignedTransaction> {
        let mut accounts: Vec<Account> =
            (0..4).map(|number| self.accounts.get(&address(number)).copied().unwrap_or_default()).collect();
        let mut chosen = Vec::new();
        for wish in wishes {
            let signed = self.signed(wish, accounts[wish.from].next_sequence);
            let cost = signed.cost().unwrap();
            if let Some(rest) = accounts[wish.from].balance.checked_sub(cost) {
                accounts[wish.from].balance = rest;
                accounts[wish.from].next_sequence += 1;
                accounts[wish.to].balance = accounts[wish.to].balance.checked_add(amount(wish.units)).unwrap();
                chosen.push(signed);
            }
        }
        chosen
    }

    fn block(&self, height: u32, miner: usize, transactions: Vec<SignedTransaction>) -> Block {
        let fees: u64 = transactions.iter().map(|signed| signed.transaction().fee.units()).sum();
        let subsidy = self.rules.parameters.subsidy(height).units();
        let mut header = TestChain::new(self.rules.parameters.clone()).draft(Vec::new()).header;
        header.height = height;
        Block::new(header, Reward { miner: address(miner), amount: amount(subsidy + fees) }, transactions)
    }

    fn apply(&mut self, block: &Block) -> Result<Undo, BlockError> {
        let mut overlay = Overlay::new(&self.accounts);
        let connected = connect_block(block, &mut overlay, &self.state_hash, &self.rules)?;
        let changed = overlay.into_changed();
        write(&mut self.accounts, changed);
        self.state_hash = connected.state_hash;
        self.minted += self.rules.parameters.subsidy(block.header().height).units();
        Ok(connected.undo)
    }

    fn revert(&mut self, undo: &Undo) {
        let mut overlay = Overlay::new(&self.accounts);
        overlay.revert(undo);
        let changed = overlay.into_changed();
        write(&mut self.accounts, changed);
    }

    fn sum(&self) -> u64 {
        self.accounts.values().map(|account| account.balance.units()).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn balances_add_up_to_what_was_minted_and_reverting_is_the_way_back(history in history()) {
        let mut ledger = Ledger::new();
        let mut stages = Vec::new();
        for (height, (miner, wishes)) in (1..).zip(&history) {
            let block = ledger.block(height, *miner, ledger.affordable(wishes));
            let before = ledger.accounts.clone();
            let undo = ledger.apply(&block).unwrap();
            prop_assert_eq!(ledger.sum(), ledger.minted, "at height {}", height);
            stages.push((before, undo));
        }
        for (before, undo) in stages.iter().rev() {
            ledger.revert(undo);
            prop_assert_eq!(&ledger.accounts, before);
        }
        prop_assert!(ledger.accounts.is_empty(), "nothing was there before the first block");
    }

    #[test]
    fn a_block_with_any_transfer_beyond_the_balance_is_refused_whole(history in history(), bad in wish()) {
        let mut ledger = Ledger::new();
        for (height, (miner, wishes)) in (1..).zip(&history) {
            let block = ledger.block(height, *miner, ledger.affordable(wishes));
            ledger.apply(&block).unwrap();
        }
        let account = ledger.accounts.get(&address(bad.from)).copied().unwrap_or_default();
        let too_much = Wish { units: account.balance.units() + 1, ..bad };
        let block = ledger.block(99, 0, vec![ledger.signed(&too_much, account.next_sequence)]);
        let before = (ledger.accounts.clone(), ledger.state_hash);
        prop_assert_eq!(ledger.apply(&block).unwrap_err().code(), "insufficient_funds");
        prop_assert_eq!((ledger.accounts.clone(), ledger.state_hash), before);
    }
}

#[test]
fn an_account_that_has_sent_is_remembered_even_when_it_is_empty() {
    let mut ledger = Ledger::new();
    let block = ledger.block(1, 0, Vec::new());
    ledger.apply(&block).unwrap();
    let everything = Wish { from: 0, to: 1, units: 50, fee: 0 };
    let block = ledger.block(2, 1, ledger.affordable(&[everything]));
    ledger.apply(&block).unwrap();
    let empty = Account { balance: Amount::ZERO, next_sequence: 1 };
    assert_eq!(ledger.accounts.get(&address(0)), Some(&empty), "otherwise its first transaction could come again");
}
