//! Bodies that break a rule, and transactions that may stand in no block, or not in this one.

use raclette_chain::{
    amount::Amount,
    block::Block,
    hash::{MessageDigest, NetworkId},
    merkle,
    transaction::{Reward, SignedTransaction, Transaction},
};

use super::{Ground, Row, Rule, Sent};
use crate::craft::{ALICE, BOB, CAROL, amount, child_of, nobody, signature_with_salt};

/// A good block with another reward, committed to and worked for.
fn rewarded(ground: &Ground, transactions: Vec<SignedTransaction>, reward: u64) -> Block {
    let mut draft = ground.peer.draft(transactions);
    draft.reward.amount = amount(reward);
    ground.peer.commit(draft)
}

/// A block with these bytes for the signature of its second transaction, the first being good.
fn with_signature(ground: &Ground, change: impl FnOnce(&Transaction, &[u8]) -> Vec<u8>) -> Sent {
    let good = ground.good(1);
    let signature = change(good.transaction(), good.signature().as_bytes());
    ground.block(vec![ground.good(0), ground.peer.with_signature(good.transaction().clone(), signature)])
}

/// A block with a transaction that everybody knows, under a signature of zeros. It is the same each time.
fn forged(ground: &Ground) -> Block {
    let known = ground.paid.transaction().clone();
    ground.peer.next_block(vec![ground.peer.with_signature(known, vec![0; 256])])
}

/// A body that cannot be read in a child of this block.
fn unreadable_child(ground: &Ground, parent: &Block) -> Sent {
    let mut body = ground.peer.json(&child_of(&ground.peer, parent));
    body["leaves"] = serde_json::json!(["not a leaf"]);
    Sent::text(body.to_string())
}

pub(super) const BODIES: &[Row] = &[
    Row {
        what: "a transaction that the header does not commit to",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            let more = ground.good(0);
            ground.mutated(vec![], |block| Block::new(*block.header(), *block.reward(), vec![more]))
        },
    },
    Row {
        what: "a transaction left out",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            ground.mutated(vec![ground.good(0)], |block| Block::new(*block.header(), *block.reward(), vec![]))
        },
    },
    Row {
        what: "the last transaction doubled (CVE-2012-2459)",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            ground.mutated(vec![ground.good(0), ground.good(1)], |block| {
                let mut doubled = block.transactions().to_vec();
                doubled.push(doubled[1].clone());
                Block::new(*block.header(), *block.reward(), doubled)
            })
        },
    },
    Row {
        what: "two transactions in the other order",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            ground.mutated(vec![ground.good(0), ground.good(1)], |block| {
                let turned = block.transactions().iter().rev().cloned().collect();
                Block::new(*block.header(), *block.reward(), turned)
            })
        },
    },
    Row {
        what: "another miner than the header commits to",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            ground.mutated(vec![], |block| {
                Block::new(*block.header(), Reward { miner: nobody(), ..*block.reward() }, vec![])
            })
        },
    },
    Row {
        what: "a higher reward than the header commits to",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            ground.mutated(vec![], |block| {
                Block::new(*block.header(), Reward { amount: amount(51), ..*block.reward() }, vec![])
            })
        },
    },
    Row {
        what: "another valid signature than the header commits to",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            let good = ground.good(0);
            let again = ground.peer.sign(good.transaction().clone(), &ALICE);
            ground.mutated(vec![good], |block| Block::new(*block.header(), *block.reward(), vec![again]))
        },
    },
    Row {
        what: "a root over the transactions without the reward",
        answered: Rule("wrong_merkle_root"),
        make: |ground| {
            let mut draft = ground.peer.draft(vec![ground.good(0)]);
            draft.header.merkle_root = merkle::root(&[draft.transactions[0].leaf()]);
            ground.whole(&draft.uncommitted())
        },
    },
    Row {
        what: "one transaction more than allowed",
        answered: Rule("too_many_transactions"),
        make: |ground| ground.block((0..4).map(|position| ground.good(position)).collect()),
    },
    Row {
        what: "more bytes than allowed, by the lengths that are signed",
        answered: Rule("too_large"),
        make: |ground| {
            let large = |position| {
                ground.signed(position, |transaction| {
                    transaction.message_digest = MessageDigest::from_bytes([7; 32]);
                    transaction.message_length = 5_000;
                })
            };
            ground.block((0..3).map(large).collect())
        },
    },
    Row {
        what: "a transaction twice, byte by byte",
        answered: Rule("duplicate_transaction"),
        make: |ground| {
            let once = ground.good(0);
            ground.block(vec![once.clone(), once])
        },
    },
    Row {
        what: "a transaction twice, under two signatures",
        answered: Rule("duplicate_transaction"),
        make: |ground| {
            let once = ground.good(0);
            let again = ground.peer.sign(once.transaction().clone(), &ALICE);
            ground.block(vec![once, again])
        },
    },
    Row {
        what: "a reward without the fees",
        answered: Rule("wrong_reward"),
        make: |ground| ground.whole(&rewarded(ground, vec![ground.good(0)], 50)),
    },
    Row {
        what: "a reward of one more",
        answered: Rule("wrong_reward"),
        make: |ground| ground.whole(&rewarded(ground, vec![], 51)),
    },
    Row {
        what: "a reward of one less",
        answered: Rule("wrong_reward"),
        make: |ground| ground.whole(&rewarded(ground, vec![], 49)),
    },
    Row {
        what: "no reward at all",
        answered: Rule("wrong_reward"),
        make: |ground| ground.whole(&rewarded(ground, vec![], 0)),
    },
    Row {
        what: "all the money there can be as a reward",
        answered: Rule("wrong_reward"),
        make: |ground| ground.whole(&rewarded(ground, vec![], Amount::MAX.units())),
    },
    Row {
        what: "the same bad block once more",
        answered: Rule("known_invalid"),
        make: |ground| ground.whole(&rewarded(ground, vec![], 49)),
    },
    Row {
        what: "a child of a block that broke a rule of accounts, with a body that cannot be read",
        answered: Rule("known_invalid"),
        make: |ground| unreadable_child(ground, &rewarded(ground, vec![], 51)),
    },
    Row {
        what: "a grandchild of it",
        answered: Rule("known_invalid"),
        make: |ground| {
            let child = child_of(&ground.peer, &rewarded(ground, vec![], 51));
            unreadable_child(ground, &child)
        },
    },
];

pub(super) const TRANSACTIONS: &[Row] = &[
    Row {
        what: "amount and fee beyond the largest amount",
        answered: Rule("cost_too_large"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.amount = Amount::MAX)]),
    },
    Row {
        what: "a fee that leaves no room for the amount",
        answered: Rule("cost_too_large"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.fee = Amount::MAX)]),
    },
    Row {
        what: "fees that add up to more than there can be",
        answered: Rule("insufficient_funds"),
        make: |ground| {
            let all = |position| {
                ground.signed(position, |transaction| {
                    transaction.amount = Amount::ZERO;
                    transaction.fee = Amount::MAX;
                })
            };
            ground.block(vec![all(0), all(1)])
        },
    },
    Row {
        what: "a fee below the minimum",
        answered: Rule("fee_too_low"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.fee = Amount::ZERO)]),
    },
    Row {
        what: "a last valid height that is the parent's",
        answered: Rule("expired"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.valid_until = 12)]),
    },
    Row {
        what: "a digest without a length",
        answered: Rule("message_contradiction"),
        make: |ground| {
            let digest = MessageDigest::from_bytes([7; 32]);
            ground.block(vec![ground.signed(0, |transaction| transaction.message_digest = digest)])
        },
    },
    Row {
        what: "a length without a digest",
        answered: Rule("message_contradiction"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.message_length = 700)]),
    },
    Row {
        what: "a message of one byte more than allowed",
        answered: Rule("message_too_long"),
        make: |ground| {
            let with_message = ground.signed(0, |transaction| {
                transaction.message_digest = MessageDigest::from_bytes([7; 32]);
                transaction.message_length = 6_001;
            });
            ground.block(vec![with_message])
        },
    },
    Row {
        what: "one bit of a signature flipped",
        answered: Rule("bad_signature"),
        make: |ground| {
            with_signature(ground, |_, good| {
                let mut bytes = good.to_vec();
                bytes[100] ^= 1;
                bytes
            })
        },
    },
    Row {
        what: "a signature of somebody else",
        answered: Rule("bad_signature"),
        make: |ground| {
            let network = ground.peer.network();
            with_signature(ground, |transaction, _| CAROL.sign(&transaction.preimage(&network)).as_bytes().to_vec())
        },
    },
    Row {
        what: "a signature for another network",
        answered: Rule("bad_signature"),
        make: |ground| {
            with_signature(ground, |transaction, _| {
                ALICE.sign(&transaction.preimage(&NetworkId::ZERO)).as_bytes().to_vec()
            })
        },
    },
    Row {
        what: "a signature over another amount",
        answered: Rule("bad_signature"),
        make: |ground| {
            let network = ground.peer.network();
            with_signature(ground, |transaction, _| {
                let other = Transaction { amount: amount(1), ..transaction.clone() };
                ALICE.sign(&other.preimage(&network)).as_bytes().to_vec()
            })
        },
    },
    Row {
        what: "a signature that is not below the modulus",
        answered: Rule("bad_signature"),
        make: |ground| with_signature(ground, |transaction, _| transaction.sender.modulus().to_vec()),
    },
    Row {
        what: "a signature of zeros",
        answered: Rule("bad_signature"),
        make: |ground| with_signature(ground, |_, good| vec![0; good.len()]),
    },
    Row {
        what: "a signature with a salt of 20 bytes",
        answered: Rule("bad_signature"),
        make: |ground| {
            let network = ground.peer.network();
            with_signature(ground, |transaction, _| signature_with_salt(&transaction.preimage(&network), 20))
        },
    },
    Row {
        what: "a signature without salt",
        answered: Rule("bad_signature"),
        make: |ground| {
            let network = ground.peer.network();
            with_signature(ground, |transaction, _| signature_with_salt(&transaction.preimage(&network), 0))
        },
    },
    Row {
        what: "a wrong signature under the id of a transaction that is confirmed",
        answered: Rule("bad_signature"),
        make: |ground| ground.whole(&forged(ground)),
    },
    Row {
        what: "a child of a block with a wrong signature, with a body that cannot be read",
        answered: Rule("known_invalid"),
        make: |ground| {
            // The parent is the block of the row above.
            unreadable_child(ground, &forged(ground))
        },
    },
    Row {
        what: "a sequence number left out",
        answered: Rule("wrong_sequence"),
        make: |ground| ground.block(vec![ground.good(0), ground.good(2)]),
    },
    Row {
        what: "a sequence number twice",
        answered: Rule("wrong_sequence"),
        make: |ground| {
            ground.block(vec![ground.good(0), ground.signed(0, |transaction| transaction.amount = amount(1))])
        },
    },
    Row {
        what: "two transactions in the wrong order",
        answered: Rule("wrong_sequence"),
        make: |ground| ground.block(vec![ground.good(1), ground.good(0)]),
    },
    Row {
        what: "a transaction from an earlier block",
        answered: Rule("wrong_sequence"),
        make: |ground| ground.block(vec![ground.paid.clone()]),
    },
    Row {
        what: "the largest sequence number",
        answered: Rule("wrong_sequence"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.sequence = (1 << 53) - 1)]),
    },
    Row {
        what: "one more than there is",
        answered: Rule("insufficient_funds"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.amount = amount(599))]),
    },
    Row {
        what: "the same money twice in one block",
        answered: Rule("insufficient_funds"),
        make: |ground| {
            let most = |position| ground.signed(position, |transaction| transaction.amount = amount(400));
            ground.block(vec![most(0), most(1)])
        },
    },
    Row {
        what: "money that only the reward of the same block would bring",
        answered: Rule("insufficient_funds"),
        make: |ground| ground.block(vec![ground.signed(0, |transaction| transaction.amount = amount(640))]),
    },
    Row {
        what: "money that comes later in the same block",
        answered: Rule("insufficient_funds"),
        make: |ground| {
            let spends = ground.by(&BOB, |transaction| transaction.amount = amount(5));
            ground.block(vec![spends, ground.good(0)])
        },
    },
    Row {
        what: "money of an account that never had any",
        answered: Rule("insufficient_funds"),
        make: |ground| ground.block(vec![ground.by(&CAROL, |_| {})]),
    },
];
