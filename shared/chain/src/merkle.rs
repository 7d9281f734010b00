//! The Merkle tree over a block's transactions, as in RFC 6962 section 2.1.
//!
//! Leaves and inner nodes are hashed with different first bytes and an odd node is carried up, never doubled, so that no
//! two lists share a root. A leaf covers a transaction's id and its signature.

use sha2::{Digest as _, Sha256};

use crate::hash::{LeafHash, MerkleRoot, TransactionId};

/// The leaf of a transaction: SHA-256(0x00, id, signature). A reward has an empty signature.
#[must_use]
pub fn leaf(id: &TransactionId, signature: &[u8]) -> LeafHash {
    let hash = Sha256::new().chain_update([0x00]).chain_update(id.as_bytes()).chain_update(signature).finalize();
    LeafHash::from_bytes(hash.into())
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

/// The root over these leaves; SHA-256 of nothing for an empty list.
#[must_use]
pub fn root(leaves: &[LeafHash]) -> MerkleRoot {
    let mut level: Vec<[u8; 32]> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
    if level.is_empty() {
        return MerkleRoot::from_bytes(Sha256::digest([]).into());
    }
    // Pairing from the left and carrying an odd last node up gives the same tree as RFC 6962's splitting at the largest
    // power of two below the length.
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node(left, right),
                [carried, ..] => *carried,
                [] => unreachable!("chunks are never empty"),
            })
            .collect();
    }
    MerkleRoot::from_bytes(level[0])
}

/// The side on which a proof's hash stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before the hash computed so far.
    Left,
    /// Behind the hash computed so far.
    Right,
}

/// The path from a leaf to the root: sibling hashes from the bottom up.
#[must_use]
pub fn proof(leaves: &[LeafHash], index: usize) -> Option<Vec<(Side, [u8; 32])>> {
    if index >= leaves.len() {
        return None;
    }
    let mut level: Vec<[u8; 32]> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
    let mut position = index;
    let mut path = Vec::new();
    while level.len() > 1 {
        let (side, sibling) = if position % 2 == 1 { (Side::Left, position - 1) } else { (Side::Right, position + 1) };
        if let Some(hash) = level.get(sibling) {
            path.push((side, *hash));
        }
        level =
            level.chunks(2).map(|pair| if let [left, right] = pair { node(left, right) } else { pair[0] }).collect();
        position /= 2;
    }
    Some(path)
}

/// The root that a leaf and its path lead to.
#[must_use]
pub fn root_from_proof(leaf: &LeafHash, path: &[(Side, [u8; 32])]) -> MerkleRoot {
    let hash = path.iter().fold(*leaf.as_bytes(), |hash, (side, sibling)| match side {
        Side::Left => node(sibling, &hash),
        Side::Right => node(&hash, sibling),
    });
    MerkleRoot::from_bytes(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<LeafHash> {
        (0..count).map(|number| LeafHash::from_bytes(crate::encoding::sha256(&number.to_be_bytes()))).collect()
    }

    /// The definition of RFC 6962, word for word, as a second opinion.
    fn by_definition(leaves: &[LeafHash]) -> [u8; 32] {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => *one.as_bytes(),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    #[test]
    fn roots_are_those_of_rfc_6962() {
        for count in 0..70 {
            assert_eq!(*root(&leaves(count)).as_bytes(), by_definition(&leaves(count)), "{count} leaves");
        }
    }

    #[test]
    fn repeating_the_last_leaves_changes_the_root() {
        let six = leaves(6);
        let doubled = [six.as_slice(), &six[4..]].concat();
        assert_ne!(root(&six), root(&doubled), "CVE-2012-2459");
    }

    proptest! {
        #[test]
        fn roots_collide_only_for_equal_lists(left in proptest::collection::vec(0_u8..4, 0..12), right in proptest::collection::vec(0_u8..4, 0..12)) {
            let list = |bytes: &[u8]| bytes.iter().map(|byte| LeafHash::from_bytes([*byte; 32])).collect::<Vec<_>>();
            prop_assert_eq!(left == right, root(&list(&left)) == root(&list(&right)));
        }

        #[test]
        fn every_proof_leads_to_the_root_and_only_for_its_leaf(count in 1_usize..70, choice in any::<prop::sample::Index>()) {
            let leaves = leaves(count);
            let index = choice.index(count);
            let path = proof(&leaves, index).unwrap();
            prop_assert_eq!(root_from_proof(&leaves[index], &path), root(&leaves));
            prop_assert_ne!(root_from_proof(&LeafHash::from_bytes([9; 32]), &path), root(&leaves));
            prop_assert_eq!(proof(&leaves, count), None);
        }
    }
}
