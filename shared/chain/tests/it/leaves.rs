//! What is remembered as verified is a leaf: a transaction's id together with its signature.
//!
//! RSASSA-PSS signs with a random salt, so one id can carry many valid signatures, and any number of invalid ones.

use raclette_chain::{
    keys::Signature,
    rules::{BlockError, TransactionError},
    transaction::SignedTransaction,
};

use crate::test_chain::{ALICE, BOB, TestChain, parameters, transfer};

#[test]
fn one_id_under_two_valid_signatures_is_two_leaves_and_two_blocks() {
    let chain = TestChain::with_blocks(parameters(), 1);
    let sign = || chain.sign(transfer(&ALICE, BOB.public().address(), 25, 1, 0), &ALICE);
    let (one, other) = (sign(), sign());
    assert_eq!(one.id(), other.id());
    assert_ne!(one.leaf(), other.leaf());
    let (left, right) = (chain.mine(chain.draft(vec![one])), chain.mine(chain.draft(vec![other])));
    assert_ne!(left.header().merkle_root, right.header().merkle_root);
    assert!(chain.check(left).is_ok() && chain.check(right).is_ok());
}

#[test]
fn a_verified_leaf_is_not_verified_again_and_its_id_vouches_for_no_other_signature() {
    let mut chain = TestChain::with_blocks(parameters(), 1);
    let good = chain.sign(transfer(&ALICE, BOB.public().address(), 25, 1, 0), &ALICE);
    let forged_signature = Signature::from_bytes(vec![1; good.signature().as_bytes().len()]);
    let forged = SignedTransaction::new(good.transaction().clone(), forged_signature, &chain.rules.network);
    chain.verified.insert(good.leaf());
    let block = chain.mine(chain.draft(vec![forged.clone()]));
    let refused = chain.check(block.clone()).unwrap_err();
    assert!(matches!(refused, BlockError::Transaction { position: 0, error: TransactionError::Signature(_) }));
    chain.verified.insert(forged.leaf());
    assert!(chain.check(block).is_ok(), "a leaf that is remembered costs no verification");
}
