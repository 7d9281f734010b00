//! The schedule, step by step, on a clock that only moves when told to.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

const BOUNDS: Bounds = Bounds {
    ranges: 6,
    ranges_each: 2,
    range_blocks: 100,
    range_bytes: 10_000,
    ahead_blocks: 1_000,
    held_bytes: 100_000,
    patience: Duration::from_secs(5),
    longest: Duration::from_secs(60),
    failures: 3,
};

fn asked(effects: &[Effect]) -> Vec<(Source, u64, u64)> {
    let ask = |effect: &Effect| match *effect {
        Effect::Ask { source, from, count, .. } => Some((source, from, count)),
        Effect::Abandon(_) | Effect::GiveUp => None,
    };
    effects.iter().filter_map(ask).collect()
}

#[test]
fn ranges_go_to_all_members_in_turn_within_the_bounds() {
    let mut schedule = Schedule::new(BOUNDS, 2);
    let effects = schedule.step(Instant::now(), Event::Wanted(1_000));
    assert_eq!(asked(&effects), [(0, 0, 16), (1, 16, 16), (0, 32, 16), (1, 48, 16)]);
    assert_eq!(schedule.unasked(), 1_000 - 64);
}

#[test]
fn the_length_of_a_range_follows_the_size_of_blocks() {
    let (mut schedule, now) = (Schedule::new(BOUNDS, 1), Instant::now());
    schedule.step(now, Event::Wanted(10_000));
    let effects = schedule.step(now, Event::Arrived { ticket: 0, blocks: 16, bytes: 16 * 50 });
    assert_eq!(asked(&effects), [(0, 32, 100)], "small blocks: as many as a page may have");
    let effects = schedule.step(now, Event::Arrived { ticket: 1, blocks: 3, bytes: 3 * 8_000 });
    assert_eq!(asked(&effects), [(0, 19, 2)], "large blocks: what was cut off comes first, in small pieces");
}

#[test]
fn a_member_that_stalls_loses_its_range_to_another_and_rests_longer_each_time() {
    let (mut schedule, mut now) = (Schedule::new(Bounds { ranges_each: 1, ..BOUNDS }, 2), Instant::now());
    schedule.step(now, Event::Wanted(32));
    schedule.step(now, Event::Arrived { ticket: 1, blocks: 16, bytes: 16 });
    assert_eq!(schedule.deadline(), Some(now + 5 * SECOND));
    now += 5 * SECOND;
    let effects = schedule.step(now, Event::Tick);
    assert_eq!(effects[0], Effect::Abandon(0));
    assert_eq!(asked(&effects), [(1, 0, 16)], "half a range would do, the first member rests");
    assert_eq!(schedule.step(now, Event::Arrived { ticket: 0, blocks: 16, bytes: 16 }), [], "too late");
    // Nobody but the one that rests is left when the other stalls too: its patience is doubled by then.
    now += 10 * SECOND;
    let effects = schedule.step(now, Event::Tick);
    assert_eq!(effects[0], Effect::Abandon(2));
    assert_eq!(asked(&effects)[0].0, 0);
}

#[test]
fn whoever_lacks_the_blocks_or_fails_again_and_again_is_not_asked_any_more() {
    let (mut schedule, mut now) = (Schedule::new(Bounds { ranges_each: 1, ..BOUNDS }, 2), Instant::now());
    schedule.step(now, Event::Wanted(10));
    assert_eq!(asked(&schedule.step(now, Event::Lacking(0))), [(1, 0, 10)]);
    for ticket in 1..=2 {
        assert_eq!(asked(&schedule.step(now, Event::Failed(ticket))), [], "it rests");
        now = schedule.deadline().unwrap();
        assert_eq!(asked(&schedule.step(now, Event::Tick))[0].0, 1);
    }
    assert_eq!(schedule.step(now, Event::Failed(3)), [Effect::GiveUp]);
}

#[test]
fn what_is_not_stored_bounds_what_is_asked_for_but_never_the_first_range() {
    let bounds = Bounds { ahead_blocks: 16, ..BOUNDS };
    let (mut schedule, now) = (Schedule::new(bounds, 2), Instant::now());
    assert_eq!(asked(&schedule.step(now, Event::Wanted(100))), [(0, 0, 16)], "no further ahead");
    let effects = schedule.step(now, Event::Arrived { ticket: 0, blocks: 16, bytes: 16 });
    assert_eq!(asked(&effects), [(0, 16, 84)], "the first that is missing, although nothing is stored yet");
    let bounds = Bounds { held_bytes: 1_000, ..BOUNDS };
    let mut schedule = Schedule::new(bounds, 1);
    schedule.step(now, Event::Wanted(100));
    assert_eq!(
        asked(&schedule.step(now, Event::Arrived { ticket: 1, blocks: 16, bytes: 9_000 })),
        [],
        "too many bytes"
    );
    let effects = schedule.step(now, Event::Arrived { ticket: 0, blocks: 16, bytes: 9_000 });
    assert_eq!(asked(&effects).len(), 1, "one, so that it goes on");
    assert_eq!(asked(&schedule.step(now, Event::Stored { until: 32, bytes: 18_000 })), []);
}

proptest! {
    /// Whatever members do, every block arrives exactly once as long as one of them is honest.
    #[test]
    fn everything_arrives_if_one_member_answers(
        total in 1_u64..3_000,
        luck in proptest::collection::vec(0_u8..10, 1..200),
        sizes in proptest::collection::vec(1_usize..20_000, 1..20),
    ) {
        let (mut schedule, mut now) = (Schedule::new(BOUNDS, 3), Instant::now());
        let mut effects = schedule.step(now, Event::Wanted(total));
        let mut flying: Vec<(Ticket, Source, u64, u64)> = Vec::new();
        let mut arrived = vec![false; usize::try_from(total).unwrap()];
        let (mut stored, mut bytes_held, mut turn) = (0, 0, 0);
        while !schedule.is_done() {
            turn += 1;
            prop_assert!(turn < 100_000, "it does not end");
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Ask { ticket, source, from, count } => flying.push((ticket, source, from, count)),
                    Effect::Abandon(ticket) => flying.retain(|flight| flight.0 != ticket),
                    Effect::GiveUp => prop_assert!(false, "the honest member was given up"),
                }
            }
            prop_assert!(flying.len() <= BOUNDS.ranges);
            let luck = luck[turn % luck.len()];
            // The last member never answers: time only goes on when there is nobody else to wait for.
            let answering: Vec<_> = (0..flying.len()).filter(|place| flying[*place].1 != 2).collect();
            let event = if answering.is_empty() {
                now = schedule.deadline().unwrap_or(now).max(now);
                Event::Tick
            } else {
                let (ticket, source, from, count) = flying.remove(answering[turn % answering.len()]);
                match (source, luck) {
                    (1, 0..4) => Event::Failed(ticket),
                    (1, 4) => Event::Lacking(ticket),
                    _ => {
                        let blocks = if luck > 6 { count } else { count.div_ceil(2) };
                        for position in from..from + blocks {
                            let place = &mut arrived[usize::try_from(position).unwrap()];
                            prop_assert!(!*place, "block {} came twice", position);
                            *place = true;
                        }
                        let bytes = sizes[turn % sizes.len()] * usize::try_from(blocks).unwrap();
                        bytes_held += bytes;
                        Event::Arrived { ticket, blocks, bytes }
                    }
                }
            };
            effects = schedule.step(now, event);
            let until = arrived.iter().position(|place| !place).unwrap_or(arrived.len()) as u64;
            if until > stored {
                stored = until;
                effects.extend(schedule.step(now, Event::Stored { until, bytes: std::mem::take(&mut bytes_held) }));
            }
        }
    }
}
