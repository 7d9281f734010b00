//! Accounts: who owns what, how a block changes it, and the hash that makes two nodes comparable.

use std::collections::{BTreeMap, HashMap};

use crate::{
    address::Address,
    amount::Amount,
    encoding::{Preimage, sha256, tag},
    hash::{BlockHash, NetworkId, StateHash},
};

/// What the chain knows of an address. An address that nobody ever used has the default: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// The money, never negative.
    pub balance: Amount,
    /// The sequence number that its next transaction must have.
    pub next_sequence: u64,
}

/// All accounts that are not empty. A persistent map: a copy costs nothing, and shares what has not changed.
pub type Accounts = imbl::HashMap<Address, Account>;

/// Accounts as they would be after some blocks, on top of accounts that stay as they are.
#[derive(Debug)]
pub struct Overlay<'a> {
    base: &'a Accounts,
    changed: HashMap<Address, Account>,
}

/// What must be put back to take a block off the chain: the accounts it changed, as they were, sorted by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undo(pub Vec<(Address, Account)>);

/// The accounts that a block changed, as they are after it, sorted by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes(pub Vec<(Address, Account)>);

impl<'a> Overlay<'a> {
    /// Nothing changed yet.
    #[must_use]
    pub fn new(base: &'a Accounts) -> Self {
        Self { base, changed: HashMap::new() }
    }

    /// The account of an address.
    #[must_use]
    pub fn get(&self, address: &Address) -> Account {
        self.changed.get(address).or_else(|| self.base.get(address)).copied().unwrap_or_default()
    }

    /// Sets the account of an address.
    pub fn set(&mut self, address: Address, account: Account) {
        self.changed.insert(address, account);
    }

    /// Takes a block off again.
    pub fn revert(&mut self, undo: &Undo) {
        for (address, account) in &undo.0 {
            self.set(*address, *account);
        }
    }

    /// Everything that was set, for writing it into the accounts below.
    #[must_use]
    pub fn into_changed(self) -> HashMap<Address, Account> {
        self.changed
    }
}

/// Writes changes into accounts; one that became empty is removed, so that it is as if it had never been.
pub fn write(accounts: &mut Accounts, changed: impl IntoIterator<Item = (Address, Account)>) {
    for (address, account) in changed {
        if account == Account::default() {
            accounts.remove(&address);
        } else {
            accounts.insert(address, account);
        }
    }
}

/// Notes the accounts of one block: before its first change and after its last.
#[derive(Debug, Default)]
pub(crate) struct Recorder(BTreeMap<Address, Account>);

impl Recorder {
    /// Notes the account as it was, the first time.
    pub(crate) fn before(&mut self, address: Address, account: Account) {
        self.0.entry(address).or_insert(account);
    }

    /// What to undo and what changed; accounts that ended as they began are in neither.
    pub(crate) fn finish(self, overlay: &Overlay<'_>) -> (Undo, Changes) {
        let mut undo = Undo::default();
        let mut changes = Changes::default();
        for (address, before) in self.0 {
            let after = overlay.get(&address);
            if before != after {
                undo.0.push((address, before));
                changes.0.push((address, after));
            }
        }
        (undo, changes)
    }
}

/// The state hash after a block (`raclette/state/1`): it covers the state hash before it, the block, and every account
/// that the block changed.
///
/// # Panics
/// Never in practice: a block changes at most some ten thousand accounts.
#[must_use]
pub fn state_hash(network: &NetworkId, before: &StateHash, block: &BlockHash, changes: &Changes) -> StateHash {
    let count = u32::try_from(changes.0.len()).expect("a block has at most 5,000 transactions");
    let start = Preimage::new(tag::STATE, network).fixed(before.as_bytes()).fixed(block.as_bytes()).u32(count);
    let preimage = changes.0.iter().fold(start, |preimage, (address, account)| {
        preimage.fixed(address.as_bytes()).u64(account.balance.units()).u64(account.next_sequence)
    });
    StateHash::from_bytes(sha256(&preimage.finish()))
}
