//! Transactions, headers and blocks with any values that the formats can carry, whatever the rules say of them.

use std::sync::LazyLock;

use proptest::prelude::*;
use raclette_chain::{
    address::Address,
    amount::{Amount, MAX_SAFE_INTEGER},
    block::Block,
    hash::{BlockHash, MerkleRoot, MessageDigest, NetworkId},
    header::Header,
    keys::{PublicKey, Signature},
    target::CompactTarget,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, key},
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};

/// The network of these values.
pub(crate) const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

static KEYS: LazyLock<[PublicKey; 3]> =
    LazyLock::new(|| [ALICE_PEM, BOB_PEM, CAROL_PEM].map(|pem| key(pem).public().clone()));

/// A number that JSON clients hold exactly; its bounds often.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 1 => Just(MAX_SAFE_INTEGER), 6 => 0..=MAX_SAFE_INTEGER]
}

fn amount() -> impl Strategy<Value = Amount> {
    number().prop_map(|units| Amount::new(units).unwrap())
}

fn time() -> impl Strategy<Value = Timestamp> {
    number().prop_map(|milliseconds| Timestamp::new(milliseconds).unwrap())
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 32]>().prop_map(Address::from_bytes)
}

/// A transaction under a signature that is as long as one, and nothing more.
pub(crate) fn transaction() -> impl Strategy<Value = SignedTransaction> {
    let digest = prop_oneof![Just(MessageDigest::ZERO), any::<[u8; 32]>().prop_map(MessageDigest::from_bytes)];
    let numbers = (amount(), amount(), number(), time(), any::<u32>(), any::<u32>());
    (0..3_usize, address(), numbers, digest, any::<[u8; 32]>()).prop_map(
        |(
            sender,
            recipient,
            (amount, fee, sequence, created, valid_until, message_length),
            message_digest,
            signature,
        )| {
            let transaction = Transaction {
                sender: KEYS[sender].clone(),
                recipient,
                amount,
                fee,
                sequence,
                created,
                valid_until,
                message_digest,
                message_length,
            };
            SignedTransaction::new(transaction, Signature::from_bytes(signature.repeat(8)), &NETWORK)
        },
    )
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    let numbers = (any::<u32>(), any::<u32>(), time(), any::<u32>(), any::<u64>());
    (any::<[u8; 32]>(), any::<[u8; 32]>(), numbers).prop_map(
        |(previous, root, (version, height, time, target, nonce))| Header {
            previous: BlockHash::from_bytes(previous),
            merkle_root: MerkleRoot::from_bytes(root),
            version,
            height,
            time,
            target: CompactTarget::from_bits(target),
            nonce,
        },
    )
}

pub(crate) fn block() -> impl Strategy<Value = Block> {
    let reward = (address(), amount()).prop_map(|(miner, amount)| Reward { miner, amount });
    (header(), reward, prop::collection::vec(transaction(), 0..4))
        .prop_map(|(header, reward, transactions)| Block::new(header, reward, transactions))
}
