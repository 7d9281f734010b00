//! The register, event by event.

mod doubt;

use std::{collections::BTreeSet, sync::LazyLock, time::Duration};

use proptest::prelude::*;
use raclette_api::{
    membership::{NewRegistration, PeerState, Registration},
    notice::ChangeKind,
};
use raclette_chain::{
    hash::NetworkId,
    keys::PrivateKey,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM, key},
};

use super::*;

static KEYS: LazyLock<[PrivateKey; 4]> = LazyLock::new(|| [ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM].map(key));
const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::new(milliseconds).unwrap()
}

fn address(who: usize) -> Address {
    KEYS[who].public().address()
}

fn newcomer(who: usize, name: &str, epoch: u64) -> Newcomer {
    let new = NewRegistration {
        network: NetworkId::ZERO,
        tracker: Address::from_bytes([7; 32]),
        name,
        host: "127.0.0.1",
        port: 7701,
        epoch,
        time: at(epoch),
    };
    Newcomer { registration: Registration::signed(&new, &KEYS[who]), key: KEYS[who].public().clone() }
}

fn registered(who: usize, epoch: u64) -> Event {
    Event::Registered(SIGNED[who][usize::try_from(epoch).unwrap()].clone())
}

/// Every registration that the tests need, signed once.
static SIGNED: LazyLock<Vec<Vec<Newcomer>>> =
    LazyLock::new(|| (0..4).map(|who| (0..7).map(|epoch| newcomer(who, NAMES[who], epoch)).collect()).collect());

/// A register in which the first `count` peers have registered, each at epoch 1.
fn register_of(count: usize) -> Register {
    let mut register = Register::new(RegisterSettings::default());
    for who in 0..count {
        register.step(at(1), registered(who, 1)).unwrap();
    }
    register
}

fn probes(register: &Register, answering: &[usize], started: u64) -> Vec<Probe> {
    let answering: BTreeSet<_> = answering.iter().map(|who| address(*who)).collect();
    let probe = |member: &Arc<Member>| Probe {
        address: member.address(),
        epoch: member.epoch(),
        started: at(started),
        finding: if answering.contains(&member.address()) { Finding::Alive } else { Finding::Silent },
    };
    register.members.values().map(probe).collect()
}

/// A round in which these answer, and nobody can say more about the others.
fn round(register: &mut Register, now: u64, answering: &[usize]) -> Effects {
    let probes = probes(register, answering, now);
    register.step(at(now), Event::RoundEnded(probes)).unwrap()
}

/// A round in which these answer, and confirm of all in question that they do not reach them either.
fn confirmed_round(register: &mut Register, now: u64, answering: &[usize]) -> Effects {
    let mut probes = probes(register, answering, now);
    let questions = register.in_question(&probes);
    for probe in probes.iter_mut().filter(|probe| questions.contains(&probe.address)) {
        probe.finding = Finding::Gone;
    }
    register.step(at(now), Event::RoundEnded(probes)).unwrap()
}

fn happened(effects: &Effects) -> Vec<(Option<&str>, TimelineKind)> {
    let what = |happening: &'_ Happening| happening.kind;
    effects
        .happened
        .iter()
        .map(|happening| (happening.member.as_ref().map(|member| member.name.as_str()), what(happening)))
        .collect()
}

fn kinds(effects: &Effects) -> Vec<(String, ChangeKind)> {
    effects.changed.iter().map(|member| (member.name.clone(), member.change().kind)).collect()
}

fn state(register: &Register, who: usize) -> PeerState {
    register.member(&address(who)).unwrap().record().state
}

#[test]
fn a_registration_is_stored_announced_and_wakes_what_waits() {
    let mut register = register_of(0);
    let effects = register.step(at(50), registered(0, 1)).unwrap();
    assert_eq!(kinds(&effects), [(String::from("alice"), ChangeKind::Online)]);
    assert_eq!(effects.returned, [address(0)]);
    assert_eq!(effects.changed[0].version, 50);
    assert!(effects.changed[0].change().registration.is_some());
    assert_eq!(register.counts().online, 1);
}

#[test]
fn versions_follow_the_clock_and_grow_even_when_it_does_not() {
    let mut register = register_of(0);
    let versions: Vec<_> = [1_000, 1_000, 400]
        .into_iter()
        .enumerate()
        .map(|(who, now)| register.step(at(now), registered(who, 1)).unwrap().changed[0].version)
        .collect();
    assert_eq!(versions, [1_000, 1_001, 1_002]);
}

#[test]
fn a_name_belongs_to_the_first_key_and_a_key_keeps_its_name() {
    let mut register = register_of(1);
    let refusal = register.step(at(2), Event::Registered(newcomer(1, "alice", 1))).unwrap_err();
    assert!(matches!(refusal, Refusal::NameTaken { owner, state: MemberState::Online, .. } if owner == address(0)));
    let refusal = register.step(at(2), Event::Registered(newcomer(0, "alicia", 2))).unwrap_err();
    assert_eq!(refusal, Refusal::KeyHasName { name: String::from("alice") });
}

#[test]
fn an_old_epoch_is_stale_and_names_the_current_one() {
    let mut register = register_of(0);
    register.step(at(1), registered(0, 5)).unwrap();
    assert_eq!(register.step(at(2), registered(0, 4)).unwrap_err(), Refusal::StaleEpoch { current: 5, found: 4 });
    let mut other_port = newcomer(0, "alice", 5);
    other_port.registration.port = 9;
    let refusal = register.step(at(2), Event::Registered(other_port)).unwrap_err();
    assert_eq!(refusal, Refusal::StaleEpoch { current: 5, found: 5 });
    assert!(register.step(at(2), registered(0, 6)).is_ok());
}

#[test]
fn the_same_registration_again_is_only_a_sign_of_life() {
    let mut register = register_of(1);
    let effects = register.step(at(9), registered(0, 1)).unwrap();
    assert!(effects.changed.is_empty());
    assert_eq!(effects.seen, [address(0)]);
    register.step(at(10), Event::Left { address: address(0), epoch: 1 }).unwrap();
    let refusal = register.step(at(11), registered(0, 1)).unwrap_err();
    assert_eq!(refusal, Refusal::StaleEpoch { current: 1, found: 1 }, "a farewell cannot be undone by a replay");
}

#[test]
fn three_failed_rounds_make_a_peer_offline_and_not_two() {
    let mut register = register_of(3);
    for now in [100, 200] {
        assert!(round(&mut register, now, &[0, 1]).changed.is_empty());
        assert_eq!(state(&register, 2), PeerState::Suspect);
    }
    let effects = round(&mut register, 300, &[0, 1]);
    assert_eq!(kinds(&effects), [(String::from("carol"), ChangeKind::Offline)]);
    assert_eq!(state(&register, 2), PeerState::Offline);
    assert!(register.member(&address(2)).unwrap().record().registration.is_none());
    assert!(round(&mut register, 400, &[0, 1]).changed.is_empty(), "it is said once");
}

#[test]
fn a_round_that_is_answered_begins_the_count_anew() {
    let mut register = register_of(3);
    round(&mut register, 100, &[0, 1]);
    round(&mut register, 200, &[0, 1]);
    round(&mut register, 300, &[0, 1, 2]);
    assert_eq!(state(&register, 2), PeerState::Online);
    round(&mut register, 400, &[0, 1]);
    assert!(round(&mut register, 500, &[0, 1]).changed.is_empty());
}

#[test]
fn any_sign_of_life_begins_the_count_anew() {
    let mut register = register_of(3);
    round(&mut register, 100, &[0, 1]);
    round(&mut register, 200, &[0, 1]);
    register.step(at(250), Event::SignOfLife { address: address(2) }).unwrap();
    assert!(round(&mut register, 300, &[0, 1]).changed.is_empty());
}

#[test]
fn a_failed_probe_does_not_count_against_a_sign_of_life_that_came_while_it_ran() {
    let mut register = register_of(3);
    let before = Event::RoundEnded(probes(&register, &[0, 1], 100));
    register.step(at(150), Event::SignOfLife { address: address(2) }).unwrap();
    register.step(at(160), before).unwrap();
    assert_eq!(state(&register, 2), PeerState::Online);
}

#[test]
fn a_probe_of_an_older_epoch_says_nothing() {
    let mut register = register_of(3);
    let before = Event::RoundEnded(probes(&register, &[0, 1], 100));
    register.step(at(100), registered(2, 2)).unwrap();
    register.step(at(160), before).unwrap();
    assert_eq!(state(&register, 2), PeerState::Online);
}

#[test]
fn a_peer_that_answers_again_is_announced_with_its_old_registration() {
    let mut register = register_of(3);
    for now in [100, 200, 300] {
        round(&mut register, now, &[0, 1]);
    }
    let effects = round(&mut register, 400, &[0, 1, 2]);
    assert_eq!(kinds(&effects), [(String::from("carol"), ChangeKind::Online)]);
    assert_eq!(effects.returned, [address(2)]);
    let change = effects.changed[0].change();
    assert_eq!((change.epoch, change.version), (1, 400));
    assert_eq!(change.registration.unwrap(), SIGNED[2][1].registration);
}

#[test]
fn a_farewell_is_final_for_its_epoch() {
    let mut register = register_of(3);
    let effects = register.step(at(50), Event::Left { address: address(2), epoch: 1 }).unwrap();
    assert_eq!(kinds(&effects), [(String::from("carol"), ChangeKind::Left)]);
    assert!(round(&mut register, 100, &[0, 1, 2]).changed.is_empty(), "it may answer while it shuts down");
    let again = register.step(at(110), Event::Left { address: address(2), epoch: 1 }).unwrap();
    assert!(again.changed.is_empty());
    register.step(at(120), registered(2, 2)).unwrap();
    let replayed = register.step(at(130), Event::Left { address: address(2), epoch: 1 }).unwrap_err();
    assert_eq!(replayed, Refusal::StaleEpoch { current: 2, found: 1 });
}

#[test]
fn two_of_three_are_too_few_for_doubt() {
    let mut register = register_of(3);
    let gone: Vec<_> = [100, 200, 300].map(|now| kinds(&round(&mut register, now, &[0])).len()).to_vec();
    assert_eq!(gone, [0, 0, 2], "one batch for all that went in the same round");
}

#[test]
fn a_restart_forgets_nobody_and_gives_three_fresh_rounds() {
    let mut before = register_of(3);
    round(&mut before, 100, &[0, 1]);
    round(&mut before, 200, &[0, 1]);
    let mut after = restored(&before, 3);
    assert_eq!(after.counts().online, 3);
    let gone = [300, 400, 500].map(|now| kinds(&round(&mut after, now, &[0, 1])).len());
    assert_eq!(gone, [0, 0, 1]);
    assert!(after.version() > before.version());
}

/// The register as a tracker finds it after a restart.
fn restored(before: &Register, failed_rounds: u32) -> Register {
    let stored = |member: &Arc<Member>| StoredMember {
        newcomer: Newcomer { registration: Registration::clone(&member.registration), key: member.key.clone() },
        state: member.state,
        version: member.version,
        last_seen: member.last_seen,
    };
    let members = before.members.values().map(stored).collect();
    let tombstones = before.tombstones.values().copied().collect();
    let settings = RegisterSettings { failed_rounds };
    Register::restored(settings, StoredRegister { members, version: before.version(), tombstones })
}

#[test]
fn after_a_restart_nobody_is_reported_before_three_rounds_are_over_whatever_the_settings() {
    let mut after = restored(&register_of(3), 1);
    let gone = [300, 400, 500].map(|now| kinds(&round(&mut after, now, &[0, 1])).len());
    assert_eq!(gone, [0, 0, 1]);
}

#[test]
fn what_a_freed_key_signed_before_does_not_bring_it_back_for_a_day() {
    let mut register = register_of(2);
    register.step(at(3), Event::Left { address: address(1), epoch: 1 }).unwrap();
    register.step(at(4), Event::NameFreed { name: String::from("bob") }).unwrap();
    let mut register = restored(&register, 3);
    let refusal = register.step(at(5), registered(1, 1)).unwrap_err();
    assert_eq!(refusal, Refusal::StaleEpoch { current: 1, found: 1 });
    assert!(register.clone().step(at(6), registered(1, 2)).is_ok());
    round(&mut register, 5 + 24 * 3_600_000, &[0]);
    assert!(register.step(at(7 + 24 * 3_600_000), registered(1, 1)).is_ok());
}

#[test]
fn only_the_name_of_somebody_who_is_gone_can_be_freed() {
    let mut register = register_of(2);
    let free = || Event::NameFreed { name: String::from("bob") };
    assert!(matches!(register.step(at(2), free()).unwrap_err(), Refusal::StillThere { .. }));
    register.step(at(3), Event::Left { address: address(1), epoch: 1 }).unwrap();
    assert_eq!(register.step(at(4), free()).unwrap().removed[0].address, address(1));
    assert!(matches!(register.step(at(5), free()).unwrap_err(), Refusal::UnknownName { .. }));
    register.step(at(6), Event::Registered(newcomer(2, "bob", 1))).unwrap();
}

#[test]
fn members_are_listed_by_name_behind_a_cursor() {
    let register = register_of(4);
    let names: Vec<_> = register.by_name(Some("bob")).map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["carol", "dave"]);
    assert_eq!(register.by_name(None).count(), 4);
}

#[test]
fn an_ipv6_address_stands_in_brackets() {
    assert_eq!(base_url("::1", 7701), "http://[::1]:7701");
    assert_eq!(base_url("localhost", 7701), "http://localhost:7701");
}

#[derive(Debug, Clone)]
enum Move {
    Register(usize, u64),
    Leave(usize, u64),
    SignOfLife(usize),
    Round(u8),
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        (0..4_usize, 1..6_u64).prop_map(|(who, epoch)| Move::Register(who, epoch)),
        (0..4_usize, 1..6_u64).prop_map(|(who, epoch)| Move::Leave(who, epoch)),
        (0..4_usize).prop_map(Move::SignOfLife),
        (0..16_u8).prop_map(Move::Round),
        (0..1_000_u64).prop_map(Move::Wait),
    ]
}

proptest! {
    /// Whatever happens: versions and epochs only grow, one that goes offline has failed the rounds required, and whoever
    /// applies the changes in any order has the register's own list.
    #[test]
    fn whoever_applies_all_changes_in_any_order_has_the_same_list(
        moves in proptest::collection::vec(moves(), 1..60),
        seed in any::<u64>(),
    ) {
        let mut register = register_of(0);
        let (mut now, mut version) = (at(1), 0);
        let mut changes = Vec::new();
        for step in moves {
            now = now.saturating_add(Duration::from_millis(1));
            let effects = match step {
                Move::Register(who, epoch) => {
                    register.step(now, registered(who, epoch))
                }
                Move::Leave(who, epoch) => register.step(now, Event::Left { address: address(who), epoch }),
                Move::SignOfLife(who) => register.step(now, Event::SignOfLife { address: address(who) }),
                Move::Round(answering) => {
                    let answering: Vec<_> = (0..4).filter(|who| answering & (1 << who) != 0).collect();
                    Ok(round(&mut register, now.milliseconds(), &answering))
                }
                Move::Wait(milliseconds) => {
                    now = now.saturating_add(Duration::from_millis(milliseconds));
                    continue;
                }
            };
            let Ok(effects) = effects else { continue };
            for member in effects.changed.iter().chain(effects.listed.iter().map(|listed| &listed.member)) {
                prop_assert!(member.version > version);
                version = member.version;
                if member.state == MemberState::Offline {
                    prop_assert!(member.failed_rounds >= 3);
                }
                changes.push(member.change());
            }
        }
        let mut shuffled = changes.clone();
        let mut random = seed;
        for position in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(position, usize::try_from(random >> 33).unwrap() % (position + 1));
        }
        let mut list = crate::membership::PeerDirectory::new();
        for change in shuffled.iter().chain(&changes) {
            list.apply(crate::membership::News::of_change(change, now).unwrap());
        }
        let told: Vec<_> = list.by_name(None).map(|peer| (peer.name.clone(), peer.kind, peer.epoch, peer.version)).collect();
        let truth: Vec<_> = register.by_name(None).map(|member| {
            let change = member.change();
            (change.name, change.kind, change.epoch, change.version)
        }).collect();
        prop_assert_eq!(told, truth);
    }
}
