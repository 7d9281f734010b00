//! The Raclette chain: keys, transactions, blocks, rules and the ledger of pending transactions.
//!
//! Everything in here is pure and synchronous: no network, no disk, no clock. `now` is an argument, the state is a value,
//! and a rule is a function. What is hashed or signed is an explicit byte string ([`encoding`]), never JSON.
//!
//! # Layout, in reading order
//! - [`encoding`], [`hash`], [`amount`], [`time`], [`address`]: the small values everything is made of.
//! - [`keys`]: RSA identities. [`message`]: sealed messages (JWE).
//! - [`transaction`], [`header`], [`merkle`], [`block`], [`codec`]: what the chain consists of, and its bytes on disk.
//! - [`target`], [`difficulty`]: compact targets, work, and how the target follows the pace of blocks.
//! - [`parameters`], [`genesis`]: what a network fixes for ever with its first block.
//! - [`accounts`]: balances, applying and reverting blocks, the state hash.
//! - [`rules`]: one function per consensus rule. [`index`]: the tree of headers and which tip wins.
//! - [`audit`]: a second opinion, in the plainest code, over the bytes on disk.
//! - [`ledger`]: pending transactions and the policy for accepting them.

pub mod accounts;
pub mod address;
pub mod amount;
pub mod audit;
pub mod block;
pub mod codec;
pub mod difficulty;
pub mod encoding;
pub mod genesis;
pub mod hash;
pub mod header;
pub mod index;
pub mod keys;
pub mod ledger;
pub mod merkle;
pub mod message;
pub mod parameters;
pub mod rules;
pub mod target;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod transaction;

/// The version of the protocol that this code speaks. It is part of every message.
pub const PROTOCOL_VERSION: u32 = 1;
