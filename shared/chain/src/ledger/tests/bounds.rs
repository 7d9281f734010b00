//! What keeps the ledger within its bounds, and who has to leave.

use super::*;
use crate::message::MAX_SEALED_LENGTH;

/// Somebody with more money than there will be fees.
fn rich() -> Fixture {
    Fixture::with_balance(1 << 50)
}

fn by(sender: &PublicKey, sequence: u64, fee: u64) -> Arc<SignedTransaction> {
    signed(Transaction { fee: amount(fee), ..unsigned(sender.clone(), sequence) })
}

/// With a message of the largest size.
fn large(sender: &PublicKey, sequence: u64, fee: u64) -> Arc<SignedTransaction> {
    signed(Transaction {
        fee: amount(fee),
        message_digest: MessageDigest::from_bytes([1; 32]),
        message_length: MAX_SEALED_LENGTH,
        ..unsigned(sender.clone(), sequence)
    })
}

#[test]
fn ten_thousand_early_ones_of_a_sender_drive_nobody_elses_out() {
    let mut fixture = rich();
    let (alice, bob) = (key(ALICE_PEM), key(BOB_PEM));
    let ten: Vec<_> = (1..=10).map(|sequence| transaction(&bob, sequence, 0, 0)).collect();
    for one in &ten {
        fixture.add(one).unwrap();
    }
    let mut taken = 0;
    for sequence in 1..=10_000 {
        match fixture.add(&transaction(&alice, sequence, 0, 1_000)) {
            Ok(added) => {
                assert_eq!(added, Added::Accepted { replaced: None, evicted: Vec::new() });
                taken += 1;
            }
            Err(error) => assert_eq!(error.code(), "too_early"),
        }
    }
    assert_eq!(taken, MAX_EARLY_PER_SENDER);
    assert!(ten.iter().all(|one| fixture.ledger.get(&one.id()).is_some()));
    let refused = fixture.add(&transaction(&alice, 9_999, 0, 2_000)).unwrap_err();
    let (limit, of) = (MAX_EARLY_PER_SENDER, "of one sender");
    assert_eq!(refused, LedgerError::TooEarly { expected: 0, found: 9_999, waiting: limit, limit, of });
    // The one that all of them wait for is no early one, and lets all of them into the run.
    fixture.add(&transaction(&alice, 0, 0, 1)).unwrap();
    let end = fixture.ledger.next_sequence(&alice.public().address(), &fixture.account);
    assert_eq!(end, MAX_EARLY_PER_SENDER as u64 + 1);
    fixture.add(&transaction(&alice, 9_999, 0, 2_000)).unwrap();
    assert_in_step(&fixture.ledger);
}

#[test]
fn when_all_early_places_are_taken_the_sender_with_the_most_gives_one() {
    let mut fixture = rich();
    let senders: Vec<_> = (0..=20).map(stranger).collect();
    for sender in &senders[..20] {
        for sequence in 1..=250 {
            fixture.add(&by(sender, sequence, 5)).unwrap();
        }
    }
    assert_eq!(fixture.ledger.len(), MAX_EARLY);
    let refused = fixture.add(&by(&senders[0], 251, 5)).unwrap_err();
    let (limit, of) = (MAX_EARLY, "of all senders");
    assert_eq!(refused, LedgerError::TooEarly { expected: 0, found: 251, waiting: limit, limit, of });
    for sequence in 1..=10 {
        let Added::Accepted { evicted, .. } = fixture.add(&by(&senders[20], sequence, 0)).unwrap() else {
            panic!("it is new");
        };
        assert_eq!(evicted.len(), 1);
        assert_eq!(evicted[0].transaction().sequence, 250, "the highest sequence number leaves");
    }
    assert_eq!(fixture.ledger.len(), MAX_EARLY);
    assert_eq!(fixture.ledger.of(&senders[20].address()).count(), 10);
    fixture.add(&by(&senders[20], 0, 0)).expect("what is not early needs no such place");
    assert_in_step(&fixture.ledger);
}

#[test]
fn a_full_ledger_takes_what_pays_more_and_lets_the_cheapest_and_last_go() {
    let mut fixture = rich();
    let senders: Vec<_> = (0..=10).map(stranger).collect();
    for (sender, fee) in senders[..10].iter().zip(2..) {
        for sequence in 0..MAX_PER_SENDER as u64 {
            fixture.add(&by(sender, sequence, fee)).unwrap();
        }
    }
    assert_eq!(fixture.ledger.len(), MAX_TRANSACTIONS);
    let one_more = fixture.add(&by(&senders[0], MAX_PER_SENDER as u64, 9)).unwrap_err();
    assert_eq!(one_more, LedgerError::TooMany { limit: MAX_PER_SENDER, found: MAX_PER_SENDER + 1 });
    let before = *fixture.ledger.digest();
    let refused = fixture.add(&by(&senders[10], 0, 2)).unwrap_err();
    assert_eq!(refused, LedgerError::Full { lowest: amount(2), found: amount(2) });
    assert_eq!(*fixture.ledger.digest(), before);
    let Added::Accepted { evicted, .. } = fixture.add(&by(&senders[10], 0, 3)).unwrap() else { panic!("it is new") };
    let left: Vec<_> = evicted.iter().map(|one| (one.sender(), one.transaction().sequence)).collect();
    assert_eq!(left, [(senders[0].address(), MAX_PER_SENDER as u64 - 1)]);
    // A replacement needs no new place.
    let Added::Accepted { replaced, evicted } = fixture.add(&by(&senders[1], 7, 4)).unwrap() else { panic!("new") };
    assert!(replaced.is_some() && evicted.is_empty());
    // The cheapest is the newcomer's own: the next one leaves.
    let Added::Accepted { evicted, .. } = fixture.add(&by(&senders[0], MAX_PER_SENDER as u64 - 1, 50)).unwrap() else {
        panic!("it is new");
    };
    assert_eq!(evicted[0].transaction().fee, amount(3), "the lowest fee but for the sender's own");
    assert_eq!(fixture.ledger.len(), MAX_TRANSACTIONS);
    assert_in_step(&fixture.ledger);
}

#[test]
fn a_ledger_full_of_bytes_lets_nobody_go_for_one_that_does_not_come_in() {
    let mut fixture = rich();
    let senders: Vec<_> = (0..4).map(stranger).collect();
    let cheap = by(&senders[3], 0, 1);
    fixture.add(&cheap).unwrap();
    let all_large =
        senders[..2].iter().flat_map(|sender| (0..MAX_PER_SENDER as u64).map(|sequence| large(sender, sequence, 9)));
    let refused = all_large.map(|one| fixture.add(&one)).find_map(Result::err).expect("bytes are bounded as well");
    assert_eq!(refused, LedgerError::Full { lowest: amount(1), found: amount(9) });
    assert!(fixture.ledger.len() < MAX_TRANSACTIONS / 4 && fixture.ledger.bytes() <= MAX_BYTES);
    // The cheap one leaving would not have been enough.
    assert!(fixture.ledger.get(&cheap.id()).is_some(), "it is still there");
    assert_in_step(&fixture.ledger);
    let Added::Accepted { evicted, .. } = fixture.add(&large(&senders[2], 0, 10)).unwrap() else { panic!("it is new") };
    assert_eq!((evicted.len(), &evicted[0]), (2, &cheap), "the cheapest first, and as many as it takes");
    assert!(fixture.ledger.bytes() <= MAX_BYTES);
    assert_in_step(&fixture.ledger);
}

#[test]
fn what_pays_nothing_gets_a_few_places_a_sender_and_a_quarter_of_the_bytes() {
    let mut fixture = rich();
    let alice = stranger(0);
    for sequence in 0..MAX_FREE_PER_SENDER as u64 {
        fixture.add(&by(&alice, sequence, 0)).unwrap();
    }
    let refused = fixture.add(&by(&alice, MAX_FREE_PER_SENDER as u64, 0)).unwrap_err();
    let of = "pending transactions of one sender";
    assert_eq!(refused, LedgerError::TooManyFree { limit: MAX_FREE_PER_SENDER, found: MAX_FREE_PER_SENDER + 1, of });
    fixture.add(&by(&alice, MAX_FREE_PER_SENDER as u64, 1)).expect("a fee of 1 is enough");
    let mut last = None;
    for number in 1..200 {
        let sender = stranger(number);
        for sequence in 0..MAX_FREE_PER_SENDER as u64 {
            last = fixture.add(&large(&sender, sequence, 0)).err().or(last);
        }
    }
    assert!(matches!(last, Some(LedgerError::TooManyFree { limit: MAX_FREE_BYTES, .. })), "{last:?}");
    assert!(fixture.ledger.bytes() <= MAX_FREE_BYTES + 1_000);
    assert_in_step(&fixture.ledger);
}

#[test]
fn strangers_pay_and_the_free_share_is_counted() {
    let mut fixture = rich();
    let context = Context { parameters: &fixture.parameters, next_height: 10, now: now(), registered: false };
    let refused = fixture.ledger.add(by(&stranger(0), 0, 0), &fixture.account, &context);
    assert_eq!(refused, Err(LedgerError::FreeForMembersOnly));
    for number in 0..=(MAX_FREE / MAX_FREE_PER_SENDER) as u32 {
        for sequence in 0..MAX_FREE_PER_SENDER as u64 {
            if let Err(error) = fixture.add(&by(&stranger(number), sequence, 0)) {
                let of = "pending transactions of all senders";
                assert_eq!(error, LedgerError::TooManyFree { limit: MAX_FREE, found: MAX_FREE + 1, of });
            }
        }
    }
    assert_eq!(fixture.ledger.len(), MAX_FREE);
}

#[test]
fn a_block_gives_what_pays_nothing_a_quarter_of_its_bytes_but_always_a_place() {
    let mut fixture = rich();
    let accounts: Accounts =
        (0..4).map(|number| (stranger(number).address(), Account { next_sequence: 0, ..fixture.account })).collect();
    for number in 0..4 {
        for sequence in 0..10 {
            fixture.add(&large(&stranger(number), sequence, 0)).unwrap();
        }
    }
    let size = large(&stranger(0), 0, 0).size();
    let mut parameters = Parameters { max_block_bytes: u32::try_from(size * 40).unwrap(), ..Parameters::default() };
    let chosen = |ledger: &Ledger, parameters: &Parameters| {
        ledger.select(&mut Overlay::new(&accounts), parameters, 10, 5_000).len()
    };
    assert_eq!(chosen(&fixture.ledger, &parameters), 10);
    parameters.max_block_bytes = u32::try_from(size * 2).unwrap();
    assert_eq!(chosen(&fixture.ledger, &parameters), 1);
}

#[test]
fn what_depended_on_an_expired_one_waits_for_its_place_to_be_filled_as_far_as_there_is_room() {
    let mut fixture = rich();
    let alice = stranger(0);
    let old = now().saturating_sub(MAX_AGE);
    let expiring = signed(Transaction { created: old, fee: amount(1), ..unsigned(alice.clone(), 0) });
    fixture.add(&expiring).unwrap();
    for sequence in 1..=300 {
        fixture.add(&by(&alice, sequence, 1)).unwrap();
    }
    let removed = fixture.ledger.expire(10, now().saturating_add(Duration::from_millis(1)));
    let mut why = removed.iter().map(|removed| (removed.transaction.transaction().sequence, removed.why));
    assert_eq!(why.next(), Some((0, Removal::TooOld)));
    assert!(why.eq((257..=300).rev().map(|sequence| (sequence, Removal::TooEarly))));
    assert_eq!(fixture.ledger.next_sequence(&alice.address(), &fixture.account), 0);
    fixture.add(&by(&alice, 0, 1)).unwrap();
    assert_eq!(fixture.ledger.next_sequence(&alice.address(), &fixture.account), 257, "it is a run again");
    assert_in_step(&fixture.ledger);
}

#[test]
fn questions_about_an_account_are_answered_from_what_is_kept_in_step() {
    let mut fixture = rich();
    let (alice, to) = (stranger(0), Address::from_bytes([8; 32]));
    let send = |sequence: u64, units: u64, fee: u64| {
        signed(Transaction {
            recipient: to,
            amount: amount(units),
            fee: amount(fee),
            ..unsigned(alice.clone(), sequence)
        })
    };
    for sequence in 0..5 {
        fixture.add(&send(sequence, 10, 1)).unwrap();
    }
    assert_eq!((fixture.ledger.incoming(&to), fixture.ledger.outgoing(&alice.address())), (amount(50), amount(55)));
    fixture.add(&send(2, 3, 2)).unwrap();
    assert_eq!((fixture.ledger.incoming(&to), fixture.ledger.outgoing(&alice.address())), (amount(43), amount(49)));
    // Blocks take numbers away below, and give them back.
    let after = Account { next_sequence: 3, ..fixture.account };
    assert_eq!(fixture.ledger.refresh(&alice.address(), &after).len(), 3);
    assert_in_step(&fixture.ledger);
    assert_eq!(fixture.ledger.next_sequence(&alice.address(), &after), 5);
    assert_eq!(fixture.ledger.incoming(&to), amount(20));
    fixture.ledger.refresh(&alice.address(), &fixture.account);
    assert_eq!(fixture.ledger.next_sequence(&alice.address(), &fixture.account), 0);
    assert_in_step(&fixture.ledger);
    let most = signed(Transaction { recipient: to, amount: amount(1 << 49), ..unsigned(stranger(1), 0) });
    fixture.add(&most).unwrap();
    assert_eq!(fixture.ledger.incoming(&to), amount((1 << 49) + 20));
    let ids: Vec<_> = fixture.ledger.after(None).map(|one| one.id()).collect();
    assert!(ids.is_sorted() && ids.len() == 3);
    assert!(fixture.ledger.after(Some(&ids[0])).map(|one| one.id()).eq(ids[1..].iter().copied()));
}
