//! A checksum over all from which balances and the choice of a branch follow, kept beside it in the file: the network, every
//! account, and every stored block with its state hash and whether it is active or invalid. SQLite does not notice a byte that
//! changes inside of a value; this does.
//!
//! It is the exclusive or of one hash for each of them, so that a commit costs what it changes, and a start one pass. It
//! tells of damage, not of malice.

use raclette_chain::{
    accounts::Account,
    address::Address,
    encoding::sha256,
    hash::{BlockHash, NetworkId, StateHash},
    index::Entry,
};

use super::State;

/// The checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// The checksum of a network of nothing but its genesis block.
    pub(super) fn new(network: &NetworkId) -> Self {
        Self(sha256(network.as_bytes()))
    }

    /// The checksum of a state, given the blocks that are stored.
    pub(super) fn of(state: &State, blocks: &[BlockHash]) -> Self {
        let mut checksum = Self::new(&state.rules.network);
        for (address, account) in &state.accounts {
            checksum.account(address, account);
        }
        for hash in blocks {
            checksum.block(state, hash);
        }
        checksum
    }

    /// The checksum after some accounts and blocks have changed.
    pub(super) fn after<'a>(
        before: &State,
        after: &State,
        accounts: impl Iterator<Item = &'a Address>,
        blocks: impl Iterator<Item = &'a BlockHash>,
    ) -> Self {
        let mut checksum = before.checksum;
        for address in accounts {
            checksum.account(address, &before.account(address));
            checksum.account(address, &after.account(address));
        }
        for hash in blocks {
            checksum.block(before, hash);
            checksum.block(after, hash);
        }
        checksum
    }

    /// Puts an account in, or takes it out. An empty one is as if it were not there.
    fn account(&mut self, address: &Address, account: &Account) {
        if *account != Account::default() {
            let balance = account.balance.units().to_be_bytes();
            self.combine(&[b"account", address.as_bytes(), &balance, &account.next_sequence.to_be_bytes()]);
        }
    }

    /// Puts a block in, or takes it out, as it stands in this state. One that is not stored there is as if it were not.
    fn block(&mut self, state: &State, hash: &BlockHash) {
        if let Some(Entry { state_hash, invalid, .. }) = state.index.get(hash) {
            let flags = [u8::from(state.index.is_active(hash)), u8::from(*invalid)];
            let state_hash = state_hash.unwrap_or(StateHash::ZERO);
            self.combine(&[b"block", hash.as_bytes(), state_hash.as_bytes(), &flags]);
        }
    }

    fn combine(&mut self, parts: &[&[u8]]) {
        for (byte, other) in self.0.iter_mut().zip(sha256(&parts.concat())) {
            *byte ^= other;
        }
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
