//! What tests of several crates need: keys, so that no test has to make any (they are public: never use them for anything
//! else), and valid blocks.

use crate::{
    address::Address,
    amount::Amount,
    block::{Block, Unchecked, merkle_root},
    difficulty::next_target,
    hash::MerkleRoot,
    header::{BLOCK_VERSION, Header},
    keys::PrivateKey,
    rules::Rules,
    time::Timestamp,
    transaction::{Reward, SignedTransaction},
};

/// A 2048-bit test key.
pub const ALICE_PEM: &str = include_str!("../testkeys/alice.pem");
/// A 2048-bit test key.
pub const BOB_PEM: &str = include_str!("../testkeys/bob.pem");
/// A 2048-bit test key.
pub const CAROL_PEM: &str = include_str!("../testkeys/carol.pem");
/// A 2048-bit test key.
pub const DAVE_PEM: &str = include_str!("../testkeys/dave.pem");

/// Reads one of the test keys.
///
/// # Panics
/// If the text is no key.
#[must_use]
pub fn key(pem: &str) -> PrivateKey {
    PrivateKey::from_pem(pem, None).expect("the committed test keys are valid")
}

/// Makes the block that keeps every rule on top of `parent`, provided that its transactions do; searches the nonce one by
/// one, so the target had better be easy.
///
/// # Panics
/// If the fees add up to more than there can be.
#[must_use]
pub fn next_block(
    rules: &Rules,
    parent: &Header,
    time: Timestamp,
    miner: Address,
    transactions: Vec<SignedTransaction>,
) -> Block<Unchecked> {
    let target = next_target(parent, time, &rules.parameters);
    let mut header = Header {
        previous: parent.hash(),
        merkle_root: MerkleRoot::ZERO,
        version: BLOCK_VERSION,
        height: parent.height + 1,
        time,
        target: target.compact(),
        nonce: 0,
    };
    let fees = transactions.iter().map(|one| one.transaction().fee.units()).sum::<u64>();
    let subsidy = rules.parameters.subsidy(header.height).units();
    let reward = Reward { miner, amount: Amount::new(subsidy + fees).expect("fees are within what there can be") };
    header.merkle_root = merkle_root(&header, &reward, &transactions, &rules.network);
    let target = header.target.expand().expect("a target that follows from another is one");
    while !target.is_met_by(&header.hash()) {
        header.nonce += 1;
    }
    Block::new(header, reward, transactions)
}
