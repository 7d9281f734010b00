//! Blocks that each break one rule, and what they are made from.

use raclette_chain::{
    accounts::Account,
    amount::Amount,
    block::{Block, Unchecked},
    difficulty::next_target,
    hash::{MerkleRoot, MessageDigest, NetworkId},
    header::Header,
    keys::Signature,
    message::MAX_SEALED_LENGTH,
    parameters::Parameters,
    target::{CompactTarget, Target},
    transaction::{Reward, SignedTransaction, Transaction},
};

use crate::test_chain::{ALICE, BOB, CAROL, TestChain, amount, at, mine_header, parameters, transfer};

/// A block that breaks one rule.
pub(super) struct Bad {
    pub(super) what: &'static str,
    pub(super) code: &'static str,
    pub(super) make: fn(&mut TestChain) -> Block<Unchecked>,
}

/// Twelve blocks by alice, so that the median of eleven times is not that of the genesis block; she owns 600.
pub(super) fn chain() -> TestChain {
    let parameters = Parameters {
        max_block_transactions: 3,
        max_block_bytes: 16_384,
        minimum_fee: amount(1),
        max_message_length: 4_000,
        ..parameters()
    };
    TestChain::with_blocks(parameters, 12)
}

/// A good block with this transaction changed before it is signed.
pub(super) fn with_transaction(chain: &TestChain, change: impl FnOnce(&mut Transaction)) -> Block<Unchecked> {
    let mut transaction = transfer(&ALICE, BOB.public().address(), 25, 1, 0);
    change(&mut transaction);
    chain.mine(chain.draft(vec![chain.sign(transaction, &ALICE)]))
}

/// A good block with these bytes for the signature of its transaction.
fn with_signature(chain: &TestChain, change: impl FnOnce(&SignedTransaction) -> Vec<u8>) -> Block<Unchecked> {
    let good = chain.sign(transfer(&ALICE, BOB.public().address(), 25, 1, 0), &ALICE);
    let signature = Signature::from_bytes(change(&good));
    let bad = SignedTransaction::new(good.transaction().clone(), signature, &chain.rules.network);
    chain.mine(chain.draft(vec![bad]))
}

/// A good block with its header changed after it is committed to the body and before its nonce is searched.
fn with_header(chain: &TestChain, change: impl FnOnce(&mut Header)) -> Block<Unchecked> {
    let block = chain.mine(chain.draft(Vec::new()));
    let mut header = *block.header();
    change(&mut header);
    Block::new(mine_header(header), *block.reward(), Vec::new())
}

/// A block that says it was made at this time, with the target that follows from it.
pub(super) fn made_at(chain: &TestChain, milliseconds: u64) -> Block<Unchecked> {
    let mut draft = chain.draft(Vec::new());
    draft.header.time = at(milliseconds);
    let parent = chain.tip().header;
    draft.header.target = next_target(&parent, draft.header.time, &chain.rules.parameters).compact();
    chain.mine(draft)
}

/// `count` transfers of 1 in a row.
pub(super) fn transfers(chain: &TestChain, count: u64) -> Vec<SignedTransaction> {
    let bob = BOB.public().address();
    (0..count).map(|sequence| chain.sign(transfer(&ALICE, bob, 1, 1, sequence), &ALICE)).collect()
}

pub(super) const BAD_HEADERS: &[Bad] = &[
    Bad {
        what: "a version from the future",
        code: "unknown_version",
        make: |chain| with_header(chain, |header| header.version = 2),
    },
    Bad {
        what: "another parent",
        code: "wrong_previous",
        make: |chain| {
            let genesis = chain.index.at(0).unwrap().hash;
            with_header(chain, |header| header.previous = genesis)
        },
    },
    Bad {
        what: "the parent's height",
        code: "wrong_height",
        make: |chain| with_header(chain, |header| header.height -= 1),
    },
    Bad {
        what: "a height left out",
        code: "wrong_height",
        make: |chain| with_header(chain, |header| header.height += 1),
    },
    Bad {
        what: "an easier target than follows",
        code: "wrong_target",
        make: |chain| with_header(chain, |header| header.target = Target::of_bits(4).compact()),
    },
    Bad {
        what: "a harder target than follows",
        code: "wrong_target",
        make: |chain| with_header(chain, |header| header.target = Target::of_bits(10).compact()),
    },
    Bad {
        what: "a target in another spelling",
        code: "wrong_target",
        make: |chain| with_header(chain, |header| header.target = CompactTarget::from_bits(0x2100_00ff)),
    },
    Bad {
        what: "a hash above the target",
        code: "not_enough_work",
        make: |chain| {
            let block = chain.mine(chain.draft(Vec::new()));
            let mut header = *block.header();
            let target = header.target.expand().unwrap();
            while target.is_met_by(&header.hash()) {
                header.nonce += 1;
            }
            Block::new(header, *block.reward(), Vec::new())
        },
    },
    Bad {
        what: "the median time itself",
        code: "time_too_old",
        make: |chain| made_at(chain, chain.tip().median_time.milliseconds()),
    },
    Bad {
        what: "a millisecond more than two minutes ahead",
        code: "time_too_new",
        make: |chain| made_at(chain, chain.now.milliseconds() + 120_001),
    },
];

pub(super) const BAD_BODIES: &[Bad] = &[
    Bad {
        what: "a transaction that the header does not commit to",
        code: "wrong_merkle_root",
        make: |chain| {
            let block = chain.mine(chain.draft(Vec::new()));
            Block::new(*block.header(), *block.reward(), transfers(chain, 1))
        },
    },
    Bad {
        what: "the last transaction doubled (CVE-2012-2459)",
        code: "wrong_merkle_root",
        make: |chain| {
            let block = chain.mine(chain.draft(transfers(chain, 2)));
            let mut doubled = block.transactions().to_vec();
            doubled.push(doubled[1].clone());
            Block::new(*block.header(), *block.reward(), doubled)
        },
    },
    Bad {
        what: "another reward than the header commits to",
        code: "wrong_merkle_root",
        make: |chain| {
            let block = chain.mine(chain.draft(Vec::new()));
            let reward = Reward { miner: BOB.public().address(), ..*block.reward() };
            Block::new(*block.header(), reward, Vec::new())
        },
    },
    Bad {
        what: "a root of zeros",
        code: "wrong_merkle_root",
        make: |chain| with_header(chain, |header| header.merkle_root = MerkleRoot::ZERO),
    },
    Bad {
        what: "one transaction more than allowed",
        code: "too_many_transactions",
        make: |chain| chain.mine(chain.draft(transfers(chain, 4))),
    },
    Bad {
        what: "more bytes than allowed, by the lengths that are signed",
        code: "too_large",
        make: |chain| {
            chain.rules.parameters.max_message_length = MAX_SEALED_LENGTH;
            let with_message = |sequence| {
                let mut transaction = transfer(&ALICE, BOB.public().address(), 1, 1, sequence);
                transaction.message_digest = MessageDigest::from_bytes([7; 32]);
                transaction.message_length = 5_000;
                chain.sign(transaction, &ALICE)
            };
            chain.mine(chain.draft((0..3).map(with_message).collect()))
        },
    },
    Bad {
        what: "a transaction twice, under two signatures",
        code: "duplicate_transaction",
        make: |chain| {
            let twice = || chain.sign(transfer(&ALICE, BOB.public().address(), 1, 1, 0), &ALICE);
            chain.mine(chain.draft(vec![twice(), twice()]))
        },
    },
    Bad {
        what: "a reward without the fees",
        code: "wrong_reward",
        make: |chain| {
            let mut draft = chain.draft(transfers(chain, 1));
            draft.reward.amount = amount(50);
            chain.mine(draft)
        },
    },
    Bad {
        what: "a reward of one more",
        code: "wrong_reward",
        make: |chain| {
            let mut draft = chain.draft(Vec::new());
            draft.reward.amount = amount(51);
            chain.mine(draft)
        },
    },
    Bad {
        what: "a credit beyond the largest amount",
        code: "overflow",
        make: |chain| {
            chain.accounts.insert(BOB.public().address(), Account { balance: Amount::MAX, next_sequence: 0 });
            chain.mine(chain.draft(transfers(chain, 1)))
        },
    },
];

pub(super) const BAD_TRANSACTIONS: &[Bad] = &[
    Bad {
        what: "amount and fee beyond the largest amount",
        code: "cost_too_large",
        make: |chain| with_transaction(chain, |transaction| transaction.amount = Amount::MAX),
    },
    Bad {
        what: "a fee below the minimum",
        code: "fee_too_low",
        make: |chain| with_transaction(chain, |transaction| transaction.fee = Amount::ZERO),
    },
    Bad {
        what: "a last valid height that is the parent's",
        code: "expired",
        make: |chain| {
            let height = chain.tip().header.height;
            with_transaction(chain, |transaction| transaction.valid_until = height)
        },
    },
    Bad {
        what: "a digest without a length",
        code: "message_contradiction",
        make: |chain| {
            with_transaction(chain, |transaction| transaction.message_digest = MessageDigest::from_bytes([7; 32]))
        },
    },
    Bad {
        what: "a length without a digest",
        code: "message_contradiction",
        make: |chain| with_transaction(chain, |transaction| transaction.message_length = 700),
    },
    Bad {
        what: "a message of one byte more than allowed",
        code: "message_too_long",
        make: |chain| {
            with_transaction(chain, |transaction| {
                transaction.message_digest = MessageDigest::from_bytes([7; 32]);
                transaction.message_length = 4_001;
            })
        },
    },
    Bad {
        what: "one bit of the signature flipped",
        code: "bad_signature",
        make: |chain| {
            with_signature(chain, |good| {
                let mut bytes = good.signature().as_bytes().to_vec();
                bytes[100] ^= 1;
                bytes
            })
        },
    },
    Bad {
        what: "a signature of somebody else",
        code: "bad_signature",
        make: |chain| {
            let network = chain.rules.network;
            with_signature(chain, |good| CAROL.sign(&good.transaction().preimage(&network)).as_bytes().to_vec())
        },
    },
    Bad {
        what: "a signature for another network",
        code: "bad_signature",
        make: |chain| {
            with_signature(chain, |good| ALICE.sign(&good.transaction().preimage(&NetworkId::ZERO)).as_bytes().to_vec())
        },
    },
    Bad { what: "an empty signature", code: "bad_signature", make: |chain| with_signature(chain, |_| Vec::new()) },
    Bad {
        what: "a signature with a zero byte before it",
        code: "bad_signature",
        make: |chain| with_signature(chain, |good| [&[0], good.signature().as_bytes()].concat()),
    },
    Bad {
        what: "a signature that is not below the modulus",
        code: "bad_signature",
        make: |chain| with_signature(chain, |_| ALICE.public().modulus().to_vec()),
    },
    Bad {
        what: "a sequence number left out",
        code: "wrong_sequence",
        make: |chain| with_transaction(chain, |transaction| transaction.sequence = 1),
    },
    Bad {
        what: "a transaction from an earlier block",
        code: "wrong_sequence",
        make: |chain| {
            let once = transfers(chain, 1);
            let block = chain.mine(chain.draft(once.clone()));
            chain.push(&block).unwrap();
            chain.mine(chain.draft(once))
        },
    },
    Bad {
        what: "one more than there is",
        code: "insufficient_funds",
        make: |chain| with_transaction(chain, |transaction| transaction.amount = amount(600)),
    },
    Bad {
        what: "the same money twice in one block",
        code: "insufficient_funds",
        make: |chain| {
            let all = |sequence| chain.sign(transfer(&ALICE, BOB.public().address(), 599, 1, sequence), &ALICE);
            chain.mine(chain.draft(vec![all(0), all(1)]))
        },
    },
    Bad {
        what: "money that only the reward of the same block would bring",
        code: "insufficient_funds",
        make: |chain| with_transaction(chain, |transaction| transaction.amount = amount(620)),
    },
];
