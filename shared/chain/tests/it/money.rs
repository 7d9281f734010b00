//! Money is neither made nor lost: over random blocks, good and bad, forwards and backwards, beside a second bookkeeping.

use proptest::prelude::*;
use raclette_chain::{
    accounts::{Account, Accounts, Overlay, Undo, write},
    address::Address,
    amount::{Amount, MAX_SAFE_INTEGER},
    block::Block,
    hash::StateHash,
    header::Header,
    keys::{PrivateKey, Signature},
    parameters::Parameters,
    rules::{BlockError, Rules, connect_block},
    transaction::{Reward, SignedTransaction},
};

use crate::test_chain::{ALICE, BOB, CAROL, TestChain, amount, parameters, transfer};

/// Who owns money: three with keys, and an address that nobody has the key of.
const ACCOUNTS: usize = 4;

/// A wish to transfer, which may be more than there is.
#[derive(Debug, Clone, Copy)]
struct Wish {
    from: usize,
    to: usize,
    units: u64,
    fee: u64,
    /// How far its sequence number is from the right one.
    ahead: u64,
}

/// Something that happens to the chain.
#[derive(Debug, Clone)]
enum Step {
    /// A block of those transfers that can be paid.
    Valid { miner: usize, wishes: Vec<Wish> },
    /// A block of all transfers, whether or not they can be paid, with so much more in the reward than is right.
    Any { miner: usize, wishes: Vec<Wish>, excess: i64 },
    /// The last blocks are taken off.
    Revert(usize),
}

fn wish() -> impl Strategy<Value = Wish> {
    let units = prop_oneof![8 => 0..80_u64, 1 => Just(MAX_SAFE_INTEGER), 1 => 0..=MAX_SAFE_INTEGER];
    let fee = prop_oneof![20 => 0..4_u64, 1 => Just(MAX_SAFE_INTEGER)];
    let ahead = prop_oneof![15 => Just(0), 1 => 1..3_u64];
    (0..3_usize, 0..ACCOUNTS, units, fee, ahead).prop_map(|(from, to, units, fee, ahead)| Wish {
        from,
        to,
        units,
        fee,
        ahead,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let wishes = |most| prop::collection::vec(wish(), 0..most);
    let excess = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(-1)];
    prop_oneof![
        6 => (0..3_usize, wishes(6)).prop_map(|(miner, wishes)| Step::Valid { miner, wishes }),
        3 => (0..3_usize, wishes(3), excess).prop_map(|(miner, wishes, excess)| Step::Any { miner, wishes, excess }),
        1 => (1..4_usize).prop_map(Step::Revert),
    ]
}

fn address(number: usize) -> Address {
    let keys: [&PrivateKey; 3] = [&ALICE, &BOB, &CAROL];
    keys.get(number).map_or(Address::from_bytes([9; 32]), |key| key.public().address())
}

/// The second bookkeeping: what everybody has, and how many transactions they made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Books {
    units: [u64; ACCOUNTS],
    sequences: [u64; ACCOUNTS],
    minted: u64,
}

impl Books {
    fn pay(&mut self, wish: &Wish) -> Result<(), &'static str> {
        let cost = wish.units + wish.fee;
        if wish.ahead != 0 {
            Err("wrong_sequence")
        } else if cost > MAX_SAFE_INTEGER {
            Err("cost_too_large")
        } else if cost > self.units[wish.from] {
            Err("insufficient_funds")
        } else {
            self.sequences[wish.from] += 1;
            self.units[wish.from] -= cost;
            self.units[wish.to] += wish.units;
            Ok(())
        }
    }

    fn apply(&mut self, wishes: &[Wish], miner: usize, subsidy: u64, excess: i64) -> Result<(), &'static str> {
        let mut fees = 0;
        for wish in wishes {
            self.pay(wish)?;
            fees += wish.fee;
        }
        if excess != 0 {
            return Err("wrong_reward");
        }
        self.units[miner] += subsidy + fees;
        self.minted += subsidy;
        Ok(())
    }

    /// Those wishes that can be paid one after another.
    fn affordable(&self, wishes: &[Wish]) -> Vec<Wish> {
        let mut after = self.clone();
        wishes.iter().filter(|wish| after.pay(wish).is_ok()).copied().collect()
    }
}

/// The chain: accounts, state hash, and what takes each block off again.
struct Chain {
    rules: Rules,
    header: Header,
    accounts: Accounts,
    state_hash: StateHash,
    before: Vec<(Accounts, StateHash, Books, Undo)>,
}

impl Chain {
    fn new() -> Self {
        let chain = TestChain::new(Parameters { halving_interval: 4, ..parameters() });
        let header = chain.draft(Vec::new()).header;
        Self {
            rules: chain.rules,
            header,
            accounts: Accounts::default(),
            state_hash: StateHash::ZERO,
            before: Vec::new(),
        }
    }

    fn subsidy(&self) -> u64 {
        self.rules.parameters.subsidy(self.height()).units()
    }

    fn height(&self) -> u32 {
        u32::try_from(self.before.len()).unwrap() + 1
    }

    /// The next block. Applying it looks at no signature and no work: those are rules of their own.
    fn block(&self, miner: usize, wishes: &[Wish], excess: i64) -> Block {
        let mut next = [0, 1, 2].map(|number| self.accounts.get(&address(number)).map_or(0, |one| one.next_sequence));
        let signed = |wish: &Wish| {
            let sequence = next[wish.from] + wish.ahead;
            next[wish.from] += 1;
            let key = [&ALICE, &BOB, &CAROL][wish.from];
            let transaction = transfer(key, address(wish.to), wish.units, wish.fee, sequence);
            SignedTransaction::new(transaction, Signature::from_bytes(vec![1; 256]), &self.rules.network)
        };
        let transactions: Vec<_> = wishes.iter().map(signed).collect();
        let fees: u64 = wishes.iter().map(|wish| wish.fee).sum();
        let reward = (self.subsidy() + fees).checked_add_signed(excess).unwrap_or_default().min(MAX_SAFE_INTEGER);
        let header = Header { height: self.height(), ..self.header };
        Block::new(header, Reward { miner: address(miner), amount: amount(reward) }, transactions)
    }

    fn apply(&mut self, block: &Block, books: &Books) -> Result<(), BlockError> {
        let mut overlay = Overlay::new(&self.accounts);
        let connected = connect_block(block, &mut overlay, &self.state_hash, &self.rules)?;
        let changed = overlay.into_changed();
        self.before.push((self.accounts.clone(), self.state_hash, books.clone(), connected.undo));
        write(&mut self.accounts, changed);
        self.state_hash = connected.state_hash;
        Ok(())
    }

    /// Takes the last block off, if there is one: everything is as it was before it.
    fn revert(&mut self, books: &mut Books) -> Result<(), TestCaseError> {
        let Some((accounts, state_hash, books_before, undo)) = self.before.pop() else { return Ok(()) };
        let mut overlay = Overlay::new(&self.accounts);
        overlay.revert(&undo);
        let changed = overlay.into_changed();
        write(&mut self.accounts, changed);
        prop_assert_eq!(&self.accounts, &accounts);
        self.state_hash = state_hash;
        *books = books_before;
        Ok(())
    }

    fn agrees_with(&self, books: &Books) -> Result<(), TestCaseError> {
        let sum: u64 = self.accounts.values().map(|account| account.balance.units()).sum();
        prop_assert_eq!(sum, books.minted, "at height {}", self.height() - 1);
        for number in 0..ACCOUNTS {
            let account = self.accounts.get(&address(number)).copied().unwrap_or_default();
            let expected = Account { balance: amount(books.units[number]), next_sequence: books.sequences[number] };
            prop_assert_eq!(account, expected, "account {}", number);
        }
        Ok(())
    }
}

fn balances_are_what_was_minted(steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut chain, mut books) = (Chain::new(), Books::default());
    for step in steps {
        let (miner, wishes, excess) = match step {
            Step::Valid { miner, wishes } => (*miner, books.affordable(wishes), 0),
            Step::Any { miner, wishes, excess } => (*miner, wishes.clone(), *excess),
            Step::Revert(depth) => {
                for _ in 0..*depth {
                    chain.revert(&mut books)?;
                }
                chain.agrees_with(&books)?;
                continue;
            }
        };
        let block = chain.block(miner, &wishes, excess);
        let mut after = books.clone();
        let expected = after.apply(&wishes, miner, chain.subsidy(), excess);
        let before = (chain.accounts.clone(), chain.state_hash);
        let found = chain.apply(&block, &books).map_err(|error| error.code());
        prop_assert_eq!(found, expected, "{:?}", block);
        if found.is_ok() {
            prop_assert_ne!(chain.state_hash, before.1);
            books = after;
        } else {
            prop_assert_eq!((chain.accounts.clone(), chain.state_hash), before, "a refused block changes nothing");
        }
        chain.agrees_with(&books)?;
    }
    while !chain.before.is_empty() {
        chain.revert(&mut books)?;
        chain.agrees_with(&books)?;
    }
    prop_assert!(chain.accounts.is_empty(), "nothing was there before the first block");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn balances_add_up_to_what_was_minted_and_reverting_is_the_way_back(steps in prop::collection::vec(step(), 1..14)) {
        balances_are_what_was_minted(&steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "minutes: the same a hundred times as often"]
    fn balances_add_up_to_what_was_minted_in_100_000_cases(steps in prop::collection::vec(step(), 1..14)) {
        balances_are_what_was_minted(&steps)?;
    }
}

#[test]
fn an_account_that_has_sent_is_remembered_even_when_it_is_empty() {
    let (mut chain, books) = (Chain::new(), Books::default());
    chain.apply(&chain.block(0, &[], 0), &books).unwrap();
    let everything = Wish { from: 0, to: 1, units: 50, fee: 0, ahead: 0 };
    chain.apply(&chain.block(1, &[everything], 0), &books).unwrap();
    let empty = Account { balance: Amount::ZERO, next_sequence: 1 };
    assert_eq!(chain.accounts.get(&address(0)), Some(&empty), "otherwise its first transaction could come again");
}
