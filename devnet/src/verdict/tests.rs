//! A sound history passes, and each invariant finds what breaks it, and nothing else does.

use super::*;

/// Two peers: alice mines block 1, sends bob 5 in block 2, and one more message waits.
fn sound() -> (History, Evidence) {
    let payment = Payment {
        id: String::from("t1"),
        sender: String::from("A"),
        recipient: String::from("B"),
        amount: 5,
        fee: 0,
        sequence: 0,
    };
    let block = |height: u32, payments: Vec<Payment>| Block {
        hash: format!("h{height}"),
        previous: format!("h{}", height - 1),
        height,
        state_hash: format!("s{height}"),
        miner: String::from("A"),
        reward: 50,
        payments,
    };
    let member = |address: &str| Member { address: address.to_owned(), state: MemberState::Here, epoch: 3, version: 9 };
    let node = |name: &str, address: &str, other: &str, mail: Vec<Mail>| Node {
        name: name.to_owned(),
        address: address.to_owned(),
        chain: vec![block(1, vec![]), block(2, vec![payment.clone()])],
        stored: (0..3).map(|height| StoredBlock { hash: format!("h{height}"), height, invalid: false }).collect(),
        accounts: [("A", (95, 1)), ("B", (5, 0))].map(|(address, account)| (address.to_owned(), account)).into(),
        ledger: [String::from("t2")].into(),
        mail,
        members: vec![member(other)],
        ..Node::default()
    };
    let mail = |id: &str, sent: bool| Mail {
        id: id.to_owned(),
        sent,
        other: if sent { "B" } else { "A" }.to_owned(),
        text: Some(format!("text {id}")),
        delivered: sent,
    };
    let sent = |id: &str, outcome| Sent {
        from: String::from("alice"),
        to: String::from("bob"),
        text: format!("text {id}"),
        outcome,
    };
    let observation = |node: &str, height: u32| Observation {
        at: u64::from(height) * 1_000,
        node: node.to_owned(),
        height,
        hash: format!("h{height}"),
        work: format!("00{:x}", u64::from(height) * 9),
        state_hash: format!("s{height}"),
    };
    let history = History {
        sent: vec![
            sent("t1", Outcome::Acknowledged(String::from("t1"))),
            sent("t2", Outcome::Unknown),
            sent("t3", Outcome::Unknown),
            sent("t4", Outcome::Refused(String::from("insufficient_funds"))),
        ],
        mined: vec![Mined { peer: String::from("alice"), block: String::from("h1") }],
        again: vec![Again { id: String::from("t1"), peer: String::from("bob"), answer: Ok(String::from("t1")) }],
        observations: vec![observation("alice", 1), observation("bob", 1), observation("alice", 2)],
        tracker_cut_off: vec![Interval { from: 100, to: 200 }],
        away: vec![(String::from("bob"), Interval { from: 150, to: 180 })],
        told: vec![Told { at: 160, name: String::from("bob") }, Told { at: 300, name: String::from("alice") }],
        ended: Vec::new(),
        settled: Settled {
            tips: Some(1),
            ledgers: Some(1),
            lists: Some(1),
            queues: Some(1),
            spread: Some(1),
            confirmed: Some(1),
        },
    };
    let evidence = Evidence {
        nodes: vec![
            node("alice", "A", "B", vec![mail("t1", true), mail("t2", true)]),
            node("bob", "B", "A", vec![mail("t1", false), mail("t2", false)]),
        ],
        members: vec![member("A"), member("B")],
        told: [("A", 9), ("B", 9)].map(|(address, version)| (address.to_owned(), version)).into(),
        ..Evidence::default()
    };
    (history, evidence)
}

/// What is found after this was broken: the numbers of the invariants.
fn found(breaking: impl FnOnce(&mut History, &mut Evidence)) -> Vec<u8> {
    let (mut history, mut evidence) = sound();
    breaking(&mut history, &mut evidence);
    let mut found: Vec<_> = check(&history, &evidence).into_iter().map(|violation| violation.invariant).collect();
    found.dedup();
    found
}

#[test]
fn a_sound_network_breaks_nothing() {
    let (history, evidence) = sound();
    assert_eq!(check(&history, &evidence), []);
}

#[test]
fn every_invariant_has_its_number() {
    assert!(INVARIANTS.iter().map(|(number, ..)| *number).eq(1..=20));
}

#[test]
fn money_from_nothing_is_found() {
    assert_eq!(found(|_, evidence| evidence.nodes[0].accounts.get_mut("B").unwrap().0 += 1), [1]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].accounts.insert(String::from("C"), (1, 0)).map_or((), drop)), [1]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].chain[1].reward = 51), [1]);
    // Alice has 50 before that block.
    assert_eq!(found(|_, evidence| evidence.nodes[0].chain[1].payments[0].amount = 51), [1]);
}

#[test]
fn what_is_spent_twice_is_found() {
    let twice = |evidence: &mut Evidence| {
        let payment = evidence.nodes[0].chain[1].payments[0].clone();
        evidence.nodes[0].chain[1].payments.push(payment);
        evidence.nodes[0].accounts = [("A", (90, 1)), ("B", (10, 0))].map(|(a, b)| (a.to_owned(), b)).into();
    };
    assert_eq!(found(|_, evidence| twice(evidence)), [2, 4]);
}

#[test]
fn two_states_after_one_block_are_found() {
    assert_eq!(found(|history, _| history.observations[1].state_hash = String::from("other")), [3]);
    assert_eq!(found(|_, evidence| evidence.nodes[1].chain[0].state_hash = String::from("other")), [3]);
}

#[test]
fn invalid_chains_are_found() {
    assert_eq!(found(|_, evidence| evidence.nodes[1].audit.push(String::from("block 1"))), [4]);
    assert_eq!(found(|_, evidence| evidence.nodes[1].chain[1].previous = String::from("h7")), [4]);
    let gap = |evidence: &mut Evidence| {
        evidence.nodes[0].chain[1].payments[0].sequence = 1;
        evidence.nodes[0].accounts.get_mut("A").unwrap().1 = 2;
    };
    assert_eq!(found(|_, evidence| gap(evidence)), [4]);
}

#[test]
fn work_that_falls_is_found() {
    assert_eq!(found(|history, _| history.observations[0].work = String::from("13")), [5]);
    // The longer number is greater, whatever it begins with.
    assert_eq!(found(|history, _| history.observations[2].work = String::from("0010")), [0_u8; 0]);
}

#[test]
fn a_tip_that_is_not_the_best_is_found() {
    let stored = |hash: &str, height, invalid| StoredBlock { hash: hash.to_owned(), height, invalid };
    assert_eq!(found(|_, evidence| evidence.nodes[0].stored.push(stored("g2", 2, false))), [6]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].stored.push(stored("z3", 3, false))), [6]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].stored.push(stored("z2", 2, false))), [0_u8; 0]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].stored.push(stored("g2", 2, true))), [0_u8; 0]);
}

#[test]
fn what_was_acknowledged_and_is_lost_is_found_unless_it_is_told() {
    let acknowledge = |history: &mut History| history.sent[2].outcome = Outcome::Acknowledged(String::from("t3"));
    assert_eq!(found(|history, _| acknowledge(history)), [7]);
    let told = |history: &mut History, evidence: &mut Evidence| {
        acknowledge(history);
        evidence.nodes[0].gone.insert(String::from("t3"), String::from("expired"));
    };
    assert_eq!(found(told), [0_u8; 0]);
    assert_eq!(found(|history, _| history.mined[0].block = String::from("h8")), [8]);
}

#[test]
fn what_was_not_answered_is_whole_or_nothing() {
    assert_eq!(found(|_, evidence| evidence.nodes[0].mail.truncate(1)), [9], "it arrived, but nobody sent it");
    let twice = |evidence: &mut Evidence| {
        let again = evidence.nodes[0].mail[1].clone();
        evidence.nodes[0].mail.push(again);
    };
    assert_eq!(found(|_, evidence| twice(evidence)), [9]);
    let forgotten = |evidence: &mut Evidence| evidence.nodes.iter_mut().for_each(|node| node.ledger.clear());
    assert_eq!(found(|_, evidence| forgotten(evidence)), [9]);
}

#[test]
fn effects_that_come_twice_are_found() {
    assert_eq!(found(|history, _| history.again[0].answer = Ok(String::from("t7"))), [10]);
    assert_eq!(found(|history, _| history.again[0].answer = Err(String::from("duplicate"))), [10]);
    let told = |history: &mut History, evidence: &mut Evidence| {
        history.again[0] =
            Again { id: String::from("t9"), peer: String::from("bob"), answer: Err(String::from("wrong_sequence")) };
        evidence.nodes[1].gone.insert(String::from("t9"), String::from("another one has its number"));
    };
    assert_eq!(found(told), [0_u8; 0]);
    let twice = |evidence: &mut Evidence| {
        let again = evidence.nodes[1].mail[0].clone();
        evidence.nodes[1].mail.push(again);
    };
    assert_eq!(found(|_, evidence| twice(evidence)), [10]);
}

#[test]
fn what_vanished_from_a_queue_is_found() {
    assert_eq!(found(|_, evidence| evidence.nodes[0].mail[0].delivered = false), [11]);
    let aside = |evidence: &mut Evidence| {
        evidence.nodes[0].mail[0].delivered = false;
        let dead = Some(String::from("too large"));
        evidence.nodes[0].queue.push(QueueRow { destination: String::from("B"), subject: String::from("t1"), dead });
    };
    assert_eq!(found(|_, evidence| aside(evidence)), [0_u8; 0]);
}

#[test]
fn lists_that_are_wrong_are_found() {
    // Gone at the tracker, in the same epoch here at alice.
    assert_eq!(found(|_, evidence| evidence.members[1].state = MemberState::Gone), [12, 17]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].members[0].version = 8), [14]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].members[0].epoch = 2), [17]);
}

#[test]
fn who_is_called_dead_while_the_tracker_is_cut_off_must_be_dead() {
    assert_eq!(found(|history, _| history.told[0].at = 190), [13]);
    assert_eq!(found(|history, _| history.told[1].at = 160), [13]);
}

#[test]
fn messages_that_are_wrong_are_found() {
    assert_eq!(found(|_, evidence| evidence.nodes[1].mail[0].text = Some(String::from("other"))), [15]);
    assert_eq!(found(|_, evidence| evidence.nodes[1].mail[0].text = None), [15]);
    assert_eq!(found(|_, evidence| drop(evidence.nodes[1].mail.remove(0))), [15]);
    let overheard = |evidence: &mut Evidence| {
        let item = evidence.nodes[1].mail[0].clone();
        evidence.nodes[0].mail.push(item);
    };
    assert_eq!(found(|_, evidence| overheard(evidence)), [15]);
}

#[test]
fn damaged_files_are_found() {
    assert_eq!(found(|_, evidence| evidence.tracker.0.faults.push(String::from("page 3"))), [16]);
    assert_eq!(found(|_, evidence| evidence.nodes[1].file.foreign_keys = 1), [16]);
    assert_eq!(found(|_, evidence| evidence.nodes[1].file.without_undo = 1), [16]);
}

#[test]
fn what_does_not_heal_in_time_is_found() {
    assert_eq!(found(|history, _| history.settled.tips = None), [17]);
    assert_eq!(found(|history, _| history.settled.lists = Some(60_001)), [17]);
    assert_eq!(found(|history, _| history.settled.queues = None), [18]);
    assert_eq!(found(|history, _| history.settled.spread = Some(5_001)), [19]);
    assert_eq!(found(|history, _| history.settled.confirmed = None), [19]);
    let more = |evidence: &mut Evidence| evidence.nodes[1].ledger.extend([String::from("t9")]);
    assert_eq!(found(|_, evidence| more(evidence)), [17]);
    let row = QueueRow { destination: String::from("A"), subject: String::from("h2"), dead: None };
    assert_eq!(found(|_, evidence| evidence.nodes[1].queue.push(row)), [18]);
}

#[test]
fn growth_panics_and_ends_are_found() {
    assert_eq!(found(|history, _| history.ended.push((String::from("bob"), String::from("signal 6")))), [20]);
    assert_eq!(found(|_, evidence| evidence.nodes[0].panics = 1), [20]);
    assert_eq!(found(|_, evidence| evidence.tracker.1 = 1), [20]);
    let samples = |grows: u64| {
        move |_: &mut History, evidence: &mut Evidence| {
            evidence.resources = (0..100)
                .map(|at| Resources {
                    service: String::from("bob"),
                    run: 0,
                    at: at * 1_000,
                    memory: 40_000 + grows * at + at % 7,
                    files: 30 + at % 5,
                    wal: 4_000 * (at % 2),
                })
                .collect();
        }
    };
    assert_eq!(found(samples(0)), [0_u8; 0]);
    assert_eq!(found(samples(1_000)), [20]);
}
