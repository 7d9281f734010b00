//! What the ledger promises.

mod bounds;

use std::collections::BTreeMap;

use super::*;
use crate::{
    accounts::{Accounts, Overlay},
    hash::{MessageDigest, NetworkId},
    keys::{PrivateKey, PublicKey, Signature},
    rules::{Broken as _, Verdict},
    testing::{ALICE_PEM, BOB_PEM, key},
    transaction::Transaction,
};

const NETWORK: NetworkId = NetworkId::from_bytes([3; 32]);

fn now() -> Timestamp {
    Timestamp::new(1_800_000_000_000).unwrap()
}

fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

fn transaction(key: &PrivateKey, sequence: u64, units: u64, fee: u64) -> Arc<SignedTransaction> {
    signed(Transaction { amount: amount(units), fee: amount(fee), ..unsigned(key.public().clone(), sequence) })
}

/// A transfer of nothing without fee.
fn unsigned(sender: PublicKey, sequence: u64) -> Transaction {
    Transaction {
        sender,
        recipient: Address::from_bytes([5; 32]),
        amount: Amount::ZERO,
        fee: Amount::ZERO,
        sequence,
        created: now(),
        valid_until: 0,
        message_digest: MessageDigest::ZERO,
        message_length: 0,
    }
}

fn signed(transaction: Transaction) -> Arc<SignedTransaction> {
    // The ledger is offered only what has been verified; it looks at no signature.
    Arc::new(SignedTransaction::new(transaction, Signature::from_bytes(vec![1; 256]), &NETWORK))
}

/// A key that nobody has: any odd number of 2048 bits will do for a modulus.
fn stranger(number: u32) -> PublicKey {
    let mut der = key(ALICE_PEM).public().der().to_vec();
    der[100..104].copy_from_slice(&number.to_be_bytes());
    PublicKey::from_der(&der).unwrap()
}

/// Every sum and every index, counted anew.
#[track_caller]
fn assert_in_step(ledger: &Ledger) {
    let all: Vec<_> = ledger.iter().collect();
    let mut incoming = BTreeMap::<Address, u128>::new();
    for transaction in &all {
        *incoming.entry(transaction.transaction().recipient).or_default() +=
            u128::from(transaction.transaction().amount.units());
    }
    incoming.retain(|_, sum| *sum > 0);
    assert_eq!(ledger.incoming.iter().map(|(address, sum)| (*address, *sum)).collect::<BTreeMap<_, _>>(), incoming);
    let free: Vec<_> = all.iter().filter(|transaction| transaction.transaction().fee == Amount::ZERO).collect();
    assert_eq!(ledger.free, free.len());
    assert_eq!(ledger.free_bytes, free.iter().map(|transaction| transaction.size()).sum::<usize>());
    assert_eq!(ledger.bytes, all.iter().map(|transaction| transaction.size()).sum::<usize>());
    let lengths = [ledger.len(), ledger.by_leaf.len(), ledger.by_created.len(), ledger.after(None).count()];
    assert_eq!(lengths, [all.len(); 4]);
    assert_eq!(ledger.by_last_height.len(), all.iter().filter(|one| one.transaction().valid_until != 0).count());
    let early: Vec<_> = ledger.by_sender.iter().map(|(sender, pending)| (pending.early(), *sender)).collect();
    assert_eq!(ledger.early, early.iter().copied().filter(|(count, _)| *count > 0).collect());
    assert_eq!(ledger.early_count, early.iter().map(|(count, _)| count).sum::<usize>());
    let tails = ledger.by_sender.iter().map(|(sender, pending)| (pending.last().unwrap().transaction().fee, *sender));
    assert_eq!(ledger.tails, tails.collect());
}

struct Fixture {
    ledger: Ledger,
    parameters: Parameters,
    account: Account,
}

impl Fixture {
    fn with_balance(balance: u64) -> Self {
        let account = Account { balance: amount(balance), next_sequence: 0 };
        Self { ledger: Ledger::default(), parameters: Parameters::default(), account }
    }

    fn add(&mut self, transaction: &Arc<SignedTransaction>) -> Result<Added, LedgerError> {
        let context = Context { parameters: &self.parameters, next_height: 10, now: now(), registered: true };
        let mut explanation = Explanation::new();
        self.ledger.explain(transaction, &self.account, &context, &mut explanation);
        let added = self.ledger.add(Arc::clone(transaction), &self.account, &context);
        // What explains and what refuses are the same, in every test of the ledger.
        let explained = explanation.broken().map(|step| (step.rule, step.compared.clone()));
        assert_eq!(explained, added.as_ref().err().map(|error| (error.rule(), Some(error.sides()))));
        if self.ledger.len() < 300 {
            assert_in_step(&self.ledger);
        }
        added
    }
}

#[test]
fn a_transaction_offered_twice_is_there_once() {
    let mut fixture = Fixture::with_balance(100);
    let one = transaction(&key(ALICE_PEM), 0, 10, 1);
    assert!(matches!(fixture.add(&one), Ok(Added::Accepted { .. })));
    assert_eq!(fixture.add(&one), Ok(Added::Known));
    assert_eq!((fixture.ledger.len(), fixture.ledger.bytes()), (1, one.size()));
    assert_eq!(fixture.ledger.by_leaf(&one.leaf()), Some(&one));
}

#[test]
fn money_that_is_pending_cannot_be_spent_again() {
    let mut fixture = Fixture::with_balance(100);
    fixture.add(&transaction(&key(ALICE_PEM), 0, 60, 0)).unwrap();
    let refused = fixture.add(&transaction(&key(ALICE_PEM), 1, 50, 0));
    let expected = LedgerError::InsufficientFunds { confirmed: amount(100), pending: amount(60), needed: amount(110) };
    assert_eq!(refused, Err(expected));
    assert_eq!(fixture.ledger.len(), 1);
}

#[test]
fn a_higher_fee_replaces_and_an_equal_one_does_not() {
    let mut fixture = Fixture::with_balance(100);
    let cheap = transaction(&key(ALICE_PEM), 0, 90, 1);
    fixture.add(&cheap).unwrap();
    let equal = fixture.add(&transaction(&key(ALICE_PEM), 0, 80, 1));
    assert!(matches!(equal, Err(LedgerError::FeeTooLowToReplace { .. })));
    let replaced = fixture.add(&transaction(&key(ALICE_PEM), 0, 0, 2)).unwrap();
    assert_eq!(replaced, Added::Accepted { replaced: Some(cheap), evicted: Vec::new() });
    assert_eq!(fixture.ledger.outgoing(&key(ALICE_PEM).public().address()), amount(2));
}

#[test]
fn blocks_take_runs_in_order_and_leave_what_came_early() {
    let mut fixture = Fixture::with_balance(1000);
    let alice = key(ALICE_PEM);
    for sequence in [2, 0, 1, 5] {
        fixture.add(&transaction(&alice, sequence, 1, 1)).unwrap();
    }
    let accounts = Accounts::unit(alice.public().address(), fixture.account);
    let chosen = fixture.ledger.select(&mut Overlay::new(&accounts), &fixture.parameters, 10, 5000);
    let sequences: Vec<_> = chosen.iter().map(|transaction| transaction.transaction().sequence).collect();
    assert_eq!(sequences, [0, 1, 2]);
    assert_eq!(fixture.ledger.next_sequence(&alice.public().address(), &fixture.account), 3);
}

#[test]
fn higher_fees_are_mined_first() {
    let mut fixture = Fixture::with_balance(1000);
    let (alice, bob) = (key(ALICE_PEM), key(BOB_PEM));
    fixture.add(&transaction(&alice, 0, 1, 1)).unwrap();
    fixture.add(&transaction(&bob, 0, 1, 9)).unwrap();
    let accounts = [&alice, &bob].map(|key| (key.public().address(), fixture.account)).into_iter().collect();
    let chosen = fixture.ledger.select(&mut Overlay::new(&accounts), &fixture.parameters, 10, 1);
    assert_eq!(chosen[0].sender(), bob.public().address());
}

#[test]
fn what_is_confirmed_or_no_longer_paid_leaves() {
    let mut fixture = Fixture::with_balance(100);
    let alice = key(ALICE_PEM);
    let all: Vec<_> = (0..4).map(|sequence| transaction(&alice, sequence, 20, 0)).collect();
    for one in &all {
        fixture.add(one).unwrap();
    }
    let after = Account { balance: amount(45), next_sequence: 1 };
    let removed = fixture.ledger.refresh(&alice.public().address(), &after);
    let expected = [(0, Removal::Used), (3, Removal::Unpaid)]
        .map(|(number, why): (usize, _)| Removed { transaction: Arc::clone(&all[number]), why });
    assert_eq!(removed, expected, "what cannot be paid leaves from the end of the run");
    assert_eq!(fixture.ledger.iter().map(|one| one.id()).collect::<Vec<_>>(), [all[1].id(), all[2].id()]);
}

#[test]
fn many_that_leave_at_once_leave_the_same_as_one_by_one() {
    let mut fixture = Fixture::with_balance(10_000);
    let mut all = Vec::new();
    for (pem, sequences) in [(ALICE_PEM, 0..40), (BOB_PEM, 0..20), (BOB_PEM, 25..30)] {
        all.extend(sequences.map(|sequence| transaction(&key(pem), sequence, 1, sequence % 3)));
    }
    for one in &all {
        fixture.add(one).unwrap();
    }
    let stranger = transaction(&key(BOB_PEM), 77, 1, 1);
    // A few, half, most of them in any order, and all.
    for (step, count) in [(1, 3), (2, 32), (7, 60), (1, 65)] {
        let (mut at_once, mut one_by_one) = (fixture.ledger.clone(), fixture.ledger.clone());
        let chosen = all.iter().cycle().step_by(step).take(count).chain([&stranger]).map(|one| one.id());
        let gone = at_once.remove_all(chosen.clone());
        let expected: std::collections::HashSet<_> = chosen.filter(|id| one_by_one.remove(id).is_some()).collect();
        assert_eq!(gone, expected);
        for ledger in [&mut at_once, &mut one_by_one] {
            assert_in_step(ledger);
            let account = Account { next_sequence: 3, ..fixture.account };
            ledger.refresh(&key(ALICE_PEM).public().address(), &account);
            ledger.refresh(&key(BOB_PEM).public().address(), &account);
            assert_in_step(ledger);
        }
        assert_eq!(at_once.digest(), one_by_one.digest());
        assert_eq!((at_once.len(), at_once.bytes()), (one_by_one.len(), one_by_one.bytes()));
        assert!(at_once.after(None).eq(one_by_one.after(None)));
        assert_eq!((at_once.early_count, &at_once.early), (one_by_one.early_count, &one_by_one.early));
    }
}

#[test]
fn an_explanation_lists_every_policy_once_and_ends_at_the_broken_one() {
    let mut fixture = Fixture::with_balance(10);
    let context = Context { parameters: &fixture.parameters, next_height: 10, now: now(), registered: true };
    let explain = |transaction: &SignedTransaction| {
        let mut explanation = Explanation::new();
        fixture.ledger.explain(transaction, &fixture.account, &context, &mut explanation);
        explanation
    };
    let codes = |explanation: &Explanation, verdict: Verdict| -> Vec<_> {
        explanation.steps().iter().filter(|step| step.verdict == verdict).map(|step| step.rule).collect()
    };
    let good = explain(&transaction(&key(ALICE_PEM), 0, 9, 1));
    let all = [
        "cost_too_large",
        "fee_too_low",
        "expired",
        "message_contradiction",
        "message_too_long",
        "from_the_future",
        "too_old",
        "free_for_members_only",
        "wrong_sequence",
        "fee_too_low_to_replace",
        "too_many_pending",
        "too_early",
        "too_many_free",
        "insufficient_funds",
        "ledger_full",
    ];
    assert_eq!(codes(&good, Verdict::Passed), all);
    let poor = explain(&transaction(&key(ALICE_PEM), 0, 10, 1));
    assert_eq!(codes(&poor, Verdict::Failed), ["insufficient_funds"]);
    assert_eq!(codes(&poor, Verdict::NotReached), ["ledger_full"]);
    let compared = poor.broken().unwrap().compared.clone().unwrap();
    assert_eq!(
        (compared.expected.as_str(), compared.found.as_str()),
        ("a confirmed balance of at least 11 (this and 0 pending)", "10")
    );
    assert!(fixture.ledger.is_empty(), "nothing has changed");
    let pending = transaction(&key(ALICE_PEM), 0, 9, 1);
    fixture.add(&pending).unwrap();
    let context = Context { parameters: &fixture.parameters, next_height: 10, now: now(), registered: true };
    let mut explanation = Explanation::new();
    fixture.ledger.explain(&pending, &fixture.account, &context, &mut explanation);
    assert!(!explanation.is_broken(), "what is pending is not compared with itself");
}

#[test]
fn the_digest_depends_on_the_set_alone() {
    let alice = key(ALICE_PEM);
    let all: Vec<_> = (0..3).map(|sequence| transaction(&alice, sequence, 1, 1)).collect();
    let mut one = Fixture::with_balance(100);
    let mut other = Fixture::with_balance(100);
    for transaction in &all {
        one.add(transaction).unwrap();
    }
    for transaction in all.iter().rev() {
        other.add(transaction).unwrap();
    }
    assert_eq!(one.ledger.digest(), other.ledger.digest());
    other.ledger.remove(&all[1].id());
    assert_ne!(one.ledger.digest(), other.ledger.digest());
}

#[test]
fn times_and_expiry_are_checked() {
    let mut fixture = Fixture::with_balance(100);
    let alice = key(ALICE_PEM);
    let with = |created: Timestamp, valid_until: u32| {
        let content = Transaction { created, valid_until, ..transaction(&alice, 0, 1, 1).transaction().clone() };
        Arc::new(SignedTransaction::new(content, Signature::from_bytes(vec![1; 256]), &NETWORK))
    };
    let future = fixture.add(&with(now().saturating_add(MAX_CREATED_AHEAD + Duration::from_millis(1)), 0));
    assert!(matches!(future, Err(LedgerError::FromTheFuture { .. })));
    let old = fixture.add(&with(now().saturating_sub(MAX_AGE + Duration::from_millis(1)), 0));
    assert!(matches!(old, Err(LedgerError::TooOld { .. })));
    let expired = fixture.add(&with(now(), 9));
    assert!(matches!(expired, Err(LedgerError::Rule(_))));
    let last_chance = with(now(), 10);
    fixture.add(&last_chance).unwrap();
    assert!(!fixture.ledger.has_expired(10, now()) && fixture.ledger.has_expired(11, now()));
    let removed = fixture.ledger.expire(11, now());
    assert_eq!(removed, [Removed { transaction: last_chance, why: Removal::PastLastHeight }]);
    let oldest = with(now().saturating_sub(MAX_AGE), 0);
    fixture.add(&oldest).unwrap();
    assert!(fixture.ledger.expire(11, now()).is_empty());
    let later = now().saturating_add(Duration::from_millis(1));
    assert!(is_expired(oldest.transaction(), 11, later) && fixture.ledger.has_expired(11, later));
    assert_eq!(fixture.ledger.expire(11, later), [Removed { transaction: oldest, why: Removal::TooOld }]);
    assert!(fixture.ledger.is_empty());
    assert_in_step(&fixture.ledger);
}
