//! The audit, which shares no code with the rules, judges every block as they do.

use raclette_chain::{
    accounts::Account,
    audit::{Auditor, StoredBlock},
    block::{Block, Unchecked},
    codec::encode_body,
    genesis::Genesis,
    hash::StateHash,
};

use super::bad::{BAD_BODIES, BAD_HEADERS, BAD_TRANSACTIONS, chain, transfers};
use crate::test_chain::{BOB, CAROL, START, TestChain, amount, at, parameters, transfer};

fn stored(block: &Block<Unchecked>, state_hash: &StateHash) -> StoredBlock {
    StoredBlock {
        hash: block.hash(),
        header: block.header().bytes().to_vec(),
        body: encode_body(block),
        state_hash: Some(state_hash.as_bytes().to_vec()),
    }
}

fn auditor(chain: &TestChain) -> Auditor {
    Auditor::new(Genesis { parameters: chain.rules.parameters.clone(), time: at(START) }, chain.now)
}

/// Mines, pushes and audits.
fn grow(chain: &mut TestChain, auditor: &mut Auditor, block: &Block<Unchecked>) -> StoredBlock {
    chain.push(block).unwrap();
    let stored = stored(block, &chain.state_hash);
    auditor.check(&stored).unwrap();
    stored
}

/// An auditor that has seen the twelve blocks of [`chain`]: their making leaves nothing to chance.
fn auditor_of_the_good_blocks() -> Auditor {
    let mut again = TestChain::new(chain().rules.parameters);
    again.now = at(START + 3_600_000);
    let mut auditor = auditor(&again);
    for _ in 0..12 {
        let block = again.mine(again.draft(Vec::new()));
        grow(&mut again, &mut auditor, &block);
    }
    assert_eq!(auditor.tip(), chain().tip().header.hash());
    auditor
}

#[test]
fn it_finds_in_every_bad_block_the_rule_that_refuses_it() {
    let mut looked_at = 0;
    for bad in BAD_HEADERS.iter().chain(BAD_BODIES).chain(BAD_TRANSACTIONS) {
        let mut chain = chain();
        let accounts = chain.accounts.clone();
        let height = chain.tip().header.height;
        let block = (bad.make)(&mut chain);
        // Some need another chain, or a clock that is not an hour ahead.
        if chain.tip().header.height != height || chain.accounts != accounts || bad.code == "time_too_new" {
            continue;
        }
        let fault = auditor_of_the_good_blocks().check(&stored(&block, &StateHash::ZERO)).expect_err(bad.what);
        assert_eq!(fault.rule, bad.code, "{}: {fault}", bad.what);
        looked_at += 1;
    }
    assert!(looked_at > 30, "{looked_at}");
}

#[test]
fn it_agrees_about_money_and_state_while_targets_move_and_rewards_halve() {
    let parameters = raclette_chain::parameters::Parameters { halving_interval: 7, ..parameters() };
    let mut chain = TestChain::new(parameters);
    let alice = crate::test_chain::ALICE.public().address();
    let mut auditor = Auditor::new(
        Genesis { parameters: chain.rules.parameters.clone(), time: at(START) },
        at(START + 365 * 86_400_000),
    );
    for round in 0..30_u64 {
        let mut transactions = Vec::new();
        if round > 1 {
            let sequence = chain.accounts[&alice].next_sequence;
            let to_bob = transfer(&crate::test_chain::ALICE, BOB.public().address(), 3, 1, sequence);
            let to_self = transfer(&crate::test_chain::ALICE, alice, 2, 1, sequence + 1);
            transactions.extend([to_bob, to_self].map(|one| chain.sign(one, &crate::test_chain::ALICE)));
        }
        if round > 3 {
            let bob = chain.accounts[&BOB.public().address()];
            // All that bob has, so that his account is empty but for its sequence number.
            let all = transfer(&BOB, CAROL.public().address(), bob.balance.units() - 1, 1, bob.next_sequence);
            transactions.insert(0, chain.sign(all, &BOB));
        }
        let mut draft = chain.draft(transactions);
        // Early and late blocks in turn, and now and then a day without any.
        let delay = [500, 40_000, 3_000, 86_400_000, 9_000][usize::try_from(round % 5).unwrap()];
        draft.header.time = at(chain.tip().header.time.milliseconds() + delay);
        let (parent, rules) = (chain.tip().header, &chain.rules.parameters);
        draft.header.target = raclette_chain::difficulty::next_target(&parent, draft.header.time, rules).compact();
        let block = chain.mine(draft);
        grow(&mut chain, &mut auditor, &block);
    }
    assert_eq!(auditor.state_hash(), chain.state_hash);
    assert_eq!((auditor.height(), auditor.blocks()), (30, 30));
    assert_eq!(auditor.transactions(), 2 * 28 + 26);
    assert_eq!(u128::from(auditor.issued()), auditor.balances());
    assert_eq!(auditor.compare(&chain.accounts), []);
    chain.accounts.insert(alice, Account { balance: amount(1), next_sequence: 0 });
    let differences = auditor.compare(&chain.accounts);
    assert_eq!((differences.len(), differences[0].address, differences[0].seen), (1, alice, (1, 0)));
}

#[test]
fn it_notices_every_flipped_byte_of_a_stored_block() {
    let mut chain = chain();
    let mut before = auditor_of_the_good_blocks();
    let block = chain.mine(chain.draft(transfers(&chain, 2)));
    chain.push(&block).unwrap();
    let good = stored(&block, &chain.state_hash);
    let judge = |damaged: &StoredBlock| auditor_of_the_good_blocks().check(damaged);
    let flip = |bytes: &[u8], position: usize| {
        let mut flipped = bytes.to_vec();
        flipped[position] ^= 0x10;
        flipped
    };
    for position in (0..good.header.len()).step_by(7) {
        let damaged = StoredBlock { header: flip(&good.header, position), ..good.clone() };
        assert_eq!(judge(&damaged).unwrap_err().rule, "damaged", "header, byte {position}");
    }
    for position in (0..good.body.len()).step_by(131) {
        let damaged = StoredBlock { body: flip(&good.body, position), ..good.clone() };
        let rule = judge(&damaged).unwrap_err().rule;
        assert!(["damaged", "wrong_merkle_root"].contains(&rule), "body, byte {position}: {rule}");
    }
    for state_hash in [None, Some(flip(chain.state_hash.as_bytes(), 5)), Some(Vec::new())] {
        let damaged = StoredBlock { state_hash, ..good.clone() };
        assert_eq!(judge(&damaged).unwrap_err().rule, "wrong_state_hash");
    }
    before.check(&good).unwrap();
}
