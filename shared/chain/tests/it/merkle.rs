//! A Merkle root belongs to one list of transactions, whatever is done to the list.

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index};
use raclette_chain::{
    block::merkle_root,
    hash::{MerkleRoot, NetworkId},
    header::Header,
    keys::Signature,
    transaction::{Reward, SignedTransaction},
};

use crate::test_chain::{ALICE, BOB, TestChain, amount, parameters, transfer};

const NETWORK: NetworkId = NetworkId::ZERO;

/// Two transactions under two signatures each, so that lists are often nearly equal.
static TRANSACTIONS: LazyLock<Vec<SignedTransaction>> = LazyLock::new(|| {
    let signed = |(sequence, signature): (u64, u8)| {
        let transaction = transfer(&ALICE, BOB.public().address(), 1, 0, sequence);
        SignedTransaction::new(transaction, Signature::from_bytes(vec![signature; 256]), &NETWORK)
    };
    [(0, 1), (0, 2), (1, 1), (1, 2)].map(signed).to_vec()
});

static HEADER: LazyLock<Header> = LazyLock::new(|| TestChain::new(parameters()).draft(Vec::new()).header);

/// What a block holds: the units of its reward, and transactions by number.
type Content = (u64, Vec<usize>);

fn content() -> impl Strategy<Value = Content> {
    (0..2_u64, prop::collection::vec(0..4_usize, 0..12))
}

/// Something that is done to a list without making it another at first sight.
#[derive(Debug, Clone)]
enum Change {
    Nothing,
    RepeatTail(Index),
    Cut(Index),
    Swap(Index, Index),
    Replace(Index, usize),
    Insert(Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    prop_oneof![
        Just(Change::Nothing),
        place().prop_map(Change::RepeatTail),
        place().prop_map(Change::Cut),
        (place(), place()).prop_map(|(one, other)| Change::Swap(one, other)),
        (place(), 0..4_usize).prop_map(|(position, other)| Change::Replace(position, other)),
        (place(), 0..4_usize).prop_map(|(position, other)| Change::Insert(position, other)),
    ]
}

fn changed(mut list: Vec<usize>, change: &Change) -> Vec<usize> {
    let length = list.len();
    match change {
        Change::RepeatTail(start) => list.extend_from_within(start.index(length + 1)..),
        Change::Cut(end) => list.truncate(end.index(length + 1)),
        Change::Insert(position, other) => list.insert(position.index(length + 1), *other),
        Change::Swap(one, other) if length > 0 => list.swap(one.index(length), other.index(length)),
        Change::Replace(position, other) if length > 0 => list[position.index(length)] = *other,
        Change::Nothing | Change::Swap(..) | Change::Replace(..) => {}
    }
    list
}

fn root((units, list): &Content) -> MerkleRoot {
    let reward = Reward { miner: BOB.public().address(), amount: amount(*units) };
    let transactions: Vec<SignedTransaction> = list.iter().map(|number| TRANSACTIONS[*number].clone()).collect();
    merkle_root(&HEADER, &reward, &transactions, &NETWORK)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn roots_of_blocks_collide_only_for_equal_contents(left in content(), right in content()) {
        prop_assert_eq!(left == right, root(&left) == root(&right));
    }

    #[test]
    fn no_change_of_a_list_keeps_its_root(content in content(), changes in prop::collection::vec(change(), 1..3)) {
        let (units, list) = content.clone();
        let other = (units, changes.iter().fold(list, changed));
        prop_assert_eq!(content == other, root(&content) == root(&other));
    }
}
