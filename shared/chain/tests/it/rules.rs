//! Every rule of consensus, broken once, gives its own code and changes nothing.

mod bad;
mod second_opinion;

use std::collections::BTreeSet;

use bad::{BAD_BODIES, BAD_HEADERS, BAD_TRANSACTIONS, chain, made_at, transfers, with_transaction};
use raclette_chain::{
    amount::Amount,
    block::Block,
    hash::MessageDigest,
    message::SealedMessage,
    rules::{BlockError, TransactionError, Verdict, check_message},
    transaction::Transaction,
};

use crate::test_chain::{ALICE, BOB, amount, at, mine_header, transfer};

/// All codes of [`BlockError`], those of transactions included.
const CODES: [&str; 21] = [
    "unknown_version",
    "wrong_previous",
    "wrong_height",
    "wrong_target",
    "not_enough_work",
    "time_too_old",
    "time_too_new",
    "wrong_merkle_root",
    "too_many_transactions",
    "too_large",
    "duplicate_transaction",
    "cost_too_large",
    "fee_too_low",
    "expired",
    "message_contradiction",
    "message_too_long",
    "bad_signature",
    "wrong_sequence",
    "insufficient_funds",
    "wrong_reward",
    "overflow",
];

#[test]
fn every_broken_rule_gives_its_code_and_the_good_block_is_still_accepted() {
    for bad in BAD_HEADERS.iter().chain(BAD_BODIES).chain(BAD_TRANSACTIONS) {
        let mut chain = chain();
        let block = (bad.make)(&mut chain);
        let before = (chain.accounts.clone(), chain.state_hash);
        let error = chain.check(block).expect_err(bad.what);
        assert_eq!(error.code(), bad.code, "{}: {error}", bad.what);
        assert_eq!((chain.accounts.clone(), chain.state_hash), before, "{}", bad.what);
        let good = chain.mine(chain.draft(Vec::new()));
        assert_eq!(chain.push(&good), Ok(()), "a good block behind {}", bad.what);
    }
}

#[test]
fn an_explanation_lists_every_rule_in_order_and_ends_at_the_broken_one() {
    let ordered = |verdicts: &[(&str, Verdict)]| {
        let failed = verdicts.iter().position(|(_, verdict)| *verdict == Verdict::Failed);
        verdicts.iter().enumerate().all(|(position, (_, verdict))| {
            *verdict
                == match failed {
                    Some(failed) if position == failed => Verdict::Failed,
                    Some(failed) if position > failed => Verdict::NotReached,
                    _ => Verdict::Passed,
                }
        })
    };
    for bad in BAD_HEADERS.iter().chain(BAD_BODIES).chain(BAD_TRANSACTIONS) {
        let mut chain = chain();
        let block = (bad.make)(&mut chain);
        let explanation = chain.explain(&block);
        let verdicts: Vec<_> = explanation.steps().iter().map(|step| (step.rule, step.verdict)).collect();
        assert_eq!(explanation.broken().map(|step| step.rule), Some(bad.code), "{}", bad.what);
        assert!(ordered(&verdicts), "{}: {verdicts:?}", bad.what);
        let codes: Vec<_> = verdicts.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>(), CODES.iter().collect());
        assert_eq!(codes.len(), CODES.len(), "each once");
    }
    let good = chain();
    let explanation = good.explain(&good.mine(good.draft(transfers(&good, 2))));
    assert!(!explanation.is_broken(), "{explanation:?}");
}

#[test]
fn every_code_has_a_block_that_earns_it() {
    let earned: BTreeSet<_> =
        BAD_HEADERS.iter().chain(BAD_BODIES).chain(BAD_TRANSACTIONS).map(|bad| bad.code).collect();
    assert_eq!(earned, CODES.into_iter().collect());
}

#[test]
fn a_header_is_judged_before_the_body_and_the_body_before_any_signature() {
    let chain = chain();
    let mut draft = chain.draft(transfers(&chain, 4));
    draft.reward.amount = amount(1);
    draft.header.version = 2;
    let everything_wrong = Block::new(draft.header, draft.reward, draft.transactions.clone());
    assert_eq!(chain.check(everything_wrong).unwrap_err().code(), "unknown_version");
    draft.header.version = 1;
    let body_wrong = Block::new(mine_header(draft.header), draft.reward, draft.transactions.clone());
    assert_eq!(chain.check(body_wrong).unwrap_err().code(), "wrong_merkle_root");
    assert_eq!(chain.check(chain.mine(draft)).unwrap_err().code(), "too_many_transactions");
}

#[test]
fn only_what_may_change_is_not_final() {
    let mut not_final = BTreeSet::new();
    for bad in BAD_HEADERS.iter().chain(BAD_BODIES) {
        let mut chain = chain();
        let block = (bad.make)(&mut chain);
        let error = chain.check(block).unwrap_err();
        if !error.is_final() {
            not_final.insert(error.code());
        }
    }
    assert_eq!(not_final, BTreeSet::from(["time_too_new", "wrong_merkle_root"]));
}

#[test]
fn a_block_from_the_future_becomes_good_when_its_time_comes() {
    let mut chain = chain();
    let early = made_at(&chain, chain.now.milliseconds() + 120_001);
    assert!(matches!(chain.check(early.clone()), Err(BlockError::TimeTooNew { .. })));
    chain.now = at(chain.now.milliseconds() + 1);
    chain.check(early).expect("two minutes ahead are allowed");
}

#[test]
fn the_limits_themselves_are_allowed() {
    let chain = chain();
    let height = chain.tip().header.height + 1;
    let good: [fn(&mut Transaction, u32); 5] = [
        |transaction, height| transaction.valid_until = height,
        |transaction, _| transaction.amount = amount(599),
        |transaction, _| transaction.amount = Amount::ZERO,
        |transaction, _| transaction.recipient = ALICE.public().address(),
        |transaction, _| {
            transaction.message_digest = MessageDigest::from_bytes([7; 32]);
            transaction.message_length = 4_000;
        },
    ];
    for change in good {
        let block = with_transaction(&chain, |transaction| change(transaction, height));
        chain.check(block).expect("it keeps every rule");
    }
    let just_above_the_median = made_at(&chain, chain.tip().median_time.milliseconds() + 1);
    chain.check(just_above_the_median).expect("a time just above the median is allowed");
    chain.check(chain.mine(chain.draft(transfers(&chain, 3)))).expect("as many transactions as allowed");
}

#[test]
fn a_message_belongs_to_one_transaction_only() {
    let chain = chain();
    let rules = &chain.rules;
    let mut transaction = transfer(&ALICE, BOB.public().address(), 25, 1, 0);
    let seal = |transaction: &Transaction| {
        SealedMessage::seal("for the cheese", BOB.public(), ALICE.public(), &transaction.binding(rules.network))
            .unwrap()
    };
    let message = seal(&transaction);
    let plain = chain.sign(transaction.clone(), &ALICE);
    (transaction.message_digest, transaction.message_length) = message.digest(&rules.network);
    let carrier = chain.sign(transaction.clone(), &ALICE);
    let other = chain.sign(Transaction { sequence: 1, ..transaction.clone() }, &ALICE);
    let wrong = |found: Result<(), TransactionError>| matches!(found, Err(TransactionError::WrongMessage { .. }));
    assert_eq!(check_message(&carrier, &message, rules), Ok(()));
    assert!(wrong(check_message(&plain, &message, rules)), "it commits to no message");
    assert!(wrong(check_message(&other, &message, rules)), "the message is bound to sequence number 0");
    assert!(wrong(check_message(&carrier, &seal(&transaction), rules)), "sealed again, it has another digest");
    chain.check(chain.mine(chain.draft(vec![carrier]))).expect("a block needs no message to be valid");
}
