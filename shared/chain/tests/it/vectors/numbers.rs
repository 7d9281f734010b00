//! Merkle trees, targets, work, and how the target follows the pace of blocks.

use raclette_chain::{
    difficulty::next_target,
    encoding::sha256,
    hash::{BlockHash, LeafHash, MerkleRoot, TransactionId},
    header::{BLOCK_VERSION, Header},
    merkle::{self, Side},
    parameters::Parameters,
    target::{CompactTarget, Target},
};
use ruint::aliases::U256;
use serde_json::{Value, json};

use super::{file, json::hex};
use crate::test_chain::{START, at};

#[test]
fn merkle() {
    let id = |number: u8| TransactionId::from_bytes(sha256(&[number]));
    let leaf_cases = [(id(0), Vec::new()), (id(1), vec![1, 2, 3]), (id(1), vec![0xff; 256])];
    let leaves: Vec<LeafHash> = (0_u8..9).map(|number| LeafHash::from_bytes(sha256(&[number]))).collect();
    file::check("merkle.json", |_| {
        let leaf_hashes: Vec<Value> = leaf_cases
            .iter()
            .map(|(id, signature)| {
                json!({
                    "id": id.to_string(),
                    "signature": hex(signature),
                    "leaf": merkle::leaf(id, signature).to_string(),
                })
            })
            .collect();
        let trees: Vec<Value> = (0..=leaves.len()).map(|count| tree(&leaves[..count])).collect();
        json!({
            "about": "RFC 6962 section 2.1. leaf: SHA-256(0x00, id, signature). Each tree is over the first leaves of the list.",
            "leaf_hashes": leaf_hashes,
            "leaves": leaves.iter().map(LeafHash::to_string).collect::<Vec<_>>(),
            "trees": trees,
        })
    });
}

fn tree(leaves: &[LeafHash]) -> Value {
    let step = |(side, hash): &(Side, [u8; 32])| {
        let side = match side {
            Side::Left => "left",
            Side::Right => "right",
        };
        json!({ "side": side, "hash": hex(hash) })
    };
    let proof = |index| merkle::proof(leaves, index).unwrap().iter().map(step).collect::<Vec<_>>();
    json!({
        "count": leaves.len(),
        "root": merkle::root(leaves).to_string(),
        "proofs": (0..leaves.len()).map(proof).collect::<Vec<_>>(),
    })
}

#[test]
fn targets() {
    let canonical =
        [0x0101_0000, 0x0102_0000, 0x0300_8000, 0x1b04_04cb, 0x1d00_ffff, 0x1e3f_ffff, 0x2000_ffff, 0x2100_ffff];
    let invalid = [
        ("zero", 0),
        ("a mantissa of zero", 0x1d00_0000),
        ("a negative number", 0x1d80_0000),
        ("a larger exponent than needed", 0x1e00_00ff),
        ("bits below the point", 0x0200_0100 + 1),
        ("more than 256 bits", 0x2200_ffff),
        ("an exponent far too large", 0xff12_3456),
    ];
    let values = [
        U256::ONE,
        U256::from(0x80),
        U256::from(0x0012_3456),
        U256::from(0x8000_0000_u32),
        U256::MAX >> 22,
        U256::MAX >> 1,
        U256::MAX,
    ];
    file::check("targets.json", |_| {
        let targets = canonical.map(|bits| {
            let compact = CompactTarget::from_bits(bits);
            let target = compact.expand().unwrap_or_else(|| panic!("{compact} is canonical"));
            json!({ "compact": compact.to_string(), "target": target.to_string(), "work": target.work().to_string() })
        });
        let invalid = invalid.map(|(why, bits)| {
            let compact = CompactTarget::from_bits(bits);
            assert_eq!(compact.expand(), None, "{why}");
            json!({ "why": why, "compact": compact.to_string() })
        });
        let compacted = values.map(|value| {
            let target = Target::from_value(value);
            json!({ "value": target.to_string(), "compact": target.compact().to_string() })
        });
        json!({
            "about": "work: floor(2^256 / (target + 1)). invalid: not canonical, so no target. compacted: cut to 24 bits, never easier.",
            "targets": targets,
            "invalid": invalid,
            "compacted": compacted,
        })
    });
}

#[test]
fn next_targets() {
    /// First target, parent's target, half-life in seconds, milliseconds from parent to block.
    type Case = (u8, u8, u64, i64);
    let cases: [Case; 18] = [
        (22, 30, 600, 10_000),
        (22, 30, 600, 9_999),
        (22, 30, 600, 10_001),
        (22, 30, 600, 0),
        (22, 30, 600, 1),
        (22, 30, 600, 610_000),
        (22, 30, 600, 310_000),
        (22, 30, 600, 60_000),
        (22, 30, 600, -60_000),
        (22, 30, 600, -590_000),
        (22, 30, 600, 30 * 86_400_000),
        (22, 22, 600, 10_000),
        (22, 22, 600, 100_000),
        (22, 40, 400, 1_234_567),
        (8, 200, 600, 123_456),
        (8, 255, 600, -86_400_000),
        (0, 1, 172_800, 86_400_000),
        (22, 30, 0, 3_600_000),
    ];
    let parent_time = START + 100 * 86_400_000;
    file::check("next_target.json", |_| {
        let cases = cases.map(|(first, bits, half_life_seconds, late)| {
            let parameters = Parameters {
                first_target: Target::of_bits(first).compact(),
                half_life_seconds,
                ..Parameters::default()
            };
            let parent = Header {
                previous: BlockHash::ZERO,
                merkle_root: MerkleRoot::ZERO,
                version: BLOCK_VERSION,
                height: 7,
                time: at(parent_time),
                target: Target::of_bits(bits).compact(),
                nonce: 0,
            };
            let time = at(parent_time.checked_add_signed(late).unwrap());
            json!({
                "first_target": parameters.first_target.to_string(),
                "spacing_seconds": parameters.spacing_seconds,
                "half_life_seconds": half_life_seconds,
                "parent_target": parent.target.to_string(),
                "parent_time": parent_time,
                "time": time.milliseconds(),
                "target": next_target(&parent, time, &parameters).compact().to_string(),
            })
        });
        json!({
            "about": "The target of a block made at time on top of a parent (aserti3-2d, from parent to block).",
            "cases": cases,
        })
    });
}
