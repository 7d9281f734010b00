//! The tracker's doubt in itself, its patience with members that flap, and what the timeline tells of it.

use super::*;

#[test]
fn a_tracker_that_loses_its_own_connection_reports_nobody() {
    let mut register = register_of(4);
    let began = round(&mut register, 100, &[]);
    assert_eq!(happened(&began), [(None, TimelineKind::SelfPreservationBegan)]);
    for now in (200..3_000).step_by(100) {
        let effects = round(&mut register, now, &[]);
        assert!(effects.changed.is_empty() && effects.happened.is_empty());
        assert!(register.self_preservation());
    }
    let ended = round(&mut register, 3_000, &[0, 1, 2, 3]);
    assert_eq!(happened(&ended), [(None, TimelineKind::SelfPreservationEnded)]);
    assert!(!register.self_preservation());
    assert_eq!(register.counts().online, 4);
}

#[test]
fn a_cut_that_begins_in_the_middle_of_a_round_makes_the_tracker_doubt_too() {
    let mut register = register_of(4);
    round(&mut register, 100, &[2, 3]);
    for now in (200..2_000).step_by(100) {
        assert!(round(&mut register, now, &[]).changed.is_empty());
        assert!(register.self_preservation(), "the two new failures alone would not be enough");
    }
}

#[test]
fn when_those_that_answer_confirm_it_the_others_are_reported() {
    let mut register = register_of(4);
    for now in [100, 200] {
        assert!(confirmed_round(&mut register, now, &[0]).changed.is_empty());
        assert!(!register.self_preservation());
    }
    assert_eq!(kinds(&confirmed_round(&mut register, 300, &[0])).len(), 3);
    assert_eq!(register.counts().offline, 3);
}

#[test]
fn when_those_that_answer_cannot_confirm_it_nobody_is_reported_however_long_it_lasts() {
    let mut register = register_of(4);
    for now in (100..3_000).step_by(100) {
        assert!(round(&mut register, now, &[0]).changed.is_empty());
        assert!(register.self_preservation());
    }
}

#[test]
fn others_are_asked_before_somebody_is_called_offline_and_when_many_fail_at_once() {
    let mut register = register_of(4);
    let failing = probes(&register, &[0, 1, 2], 100);
    assert!(register.in_question(&failing).is_empty(), "the first of three rounds decides nothing");
    let widespread = probes(&register, &[0], 100);
    assert_eq!(register.in_question(&widespread).len(), 3);
    round(&mut register, 100, &[0, 1, 2]);
    round(&mut register, 200, &[0, 1, 2]);
    let last = probes(&register, &[0, 1, 2], 300);
    assert_eq!(register.in_question(&last), [address(3)]);
}

#[test]
fn who_is_reached_by_another_member_lives() {
    let mut register = register_of(3);
    round(&mut register, 100, &[0, 1]);
    round(&mut register, 200, &[0, 1]);
    // What the helper brought counts like an answer to the tracker itself.
    let effects = round(&mut register, 300, &[0, 1, 2]);
    assert_eq!(happened(&effects), [(Some("carol"), TimelineKind::Recovered)]);
    assert_eq!(state(&register, 2), PeerState::Online);
}

#[test]
fn the_operator_can_end_self_preservation() {
    let mut register = register_of(4);
    let refusal = register.step(at(50), Event::SelfPreservationOverridden).unwrap_err();
    assert_eq!(refusal, Refusal::NoSelfPreservation);
    round(&mut register, 100, &[0]);
    let effects = register.step(at(150), Event::SelfPreservationOverridden).unwrap();
    assert_eq!(happened(&effects), [(None, TimelineKind::SelfPreservationEnded)]);
    let gone = [200, 300, 400].map(|now| kinds(&round(&mut register, now, &[0])).len());
    assert_eq!(gone, [0, 0, 3]);
}

#[test]
fn a_flapping_member_is_held_back_when_it_goes_and_never_when_it_returns() {
    let mut register = register_of(3);
    let mut told = Vec::new();
    let mut now = 0;
    // Ten minutes, a round each second; carol is away for ten rounds, and there for ten.
    for second in 0..600 {
        now = 1_000 + second * 1_000;
        let there = second / 10 % 2 == 0;
        let answering: &[usize] = if there { &[0, 1, 2] } else { &[0, 1] };
        told.extend(kinds(&round(&mut register, now, answering)));
        let member = register.member(&address(2)).unwrap();
        assert!(!there || member.is_online(), "its return is told in the round that finds it");
    }
    assert!(told.len() <= 6, "{} notices", told.len());
    // Now it goes for good, and is let go in the end.
    let mut rounds = 0;
    while register.member(&address(2)).unwrap().is_online() {
        rounds += 1;
        assert!(rounds < 16 * 60, "the longest hold-down is a quarter of an hour");
        now += 1_000;
        round(&mut register, now, &[0, 1]);
    }
    assert!(rounds >= 3);
}

#[test]
fn a_member_that_starts_over_and_over_in_the_same_place_disturbs_nobody() {
    let mut register = register_of(2);
    let mut told = 0;
    for epoch in 2..7 {
        let effects = register.step(at(epoch * 1_000), registered(1, epoch)).unwrap();
        told += effects.changed.len();
        assert_eq!(effects.changed.len() + effects.listed.len(), 1);
        assert_eq!(effects.returned, [address(1)], "what waits for it is due all the same");
    }
    assert_eq!(told, 3, "with its first registration that makes four");
    let listed: Vec<_> = register.since(5_999).iter().map(|member| (member.name.as_str(), member.epoch())).collect();
    assert_eq!(listed, [("bob", 6)]);
}

#[test]
fn the_timeline_tells_each_step_once() {
    let mut register = Register::new(RegisterSettings::default());
    let mut all = Vec::new();
    let mut note = |effects: Effects| all.extend(effects.happened.into_iter().map(|happening| happening.kind));
    note(register.step(at(1), registered(0, 1)).unwrap());
    for now in [100, 200, 300, 400] {
        note(round(&mut register, now, &[]));
    }
    note(round(&mut register, 500, &[0]));
    note(register.step(at(600), registered(0, 2)).unwrap());
    note(register.step(at(700), Event::Left { address: address(0), epoch: 2 }).unwrap());
    note(register.step(at(800), registered(0, 3)).unwrap());
    note(register.step(at(900), Event::Left { address: address(0), epoch: 3 }).unwrap());
    note(register.step(at(1_000), Event::NameFreed { name: String::from("alice") }).unwrap());
    use TimelineKind::{Joined, Left, NameFreed, Offline, Registered, Returned, Suspected};
    assert_eq!(all, [Joined, Suspected, Offline, Returned, Registered, Left, Returned, Left, NameFreed]);
}
