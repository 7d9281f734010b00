//! Who disturbs: one attack after the other, drawn by dice, each for a few seconds.

use std::{collections::BTreeMap, time::Duration};

use raclette_service::dice::Dice;
use rustix::process::Signal;
use tokio::time::{Instant, timeout_at};
use trials::{proxy::Fault, verdict::Interval};

use super::{
    Failure,
    diary::Diary,
    ground::{Ground, TRACKER_INDEX},
};
use crate::terminal::say;

/// How long an attack lasts, and the pause after it, in milliseconds: at least so long, and at most so much longer.
const ATTACK: (u64, usize) = (1_500, 3_500);
const PAUSE: (u64, usize) = (500, 1_500);
/// After an attack the tracker may still call offline who was away: three rounds, and the questions of the third.
const AFTERMATH: u64 = 8_000;
/// A file may have this size on a full disk: little more than a new database has.
const FULL: u64 = 160 << 10;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Attack {
    Kill,
    KillTracker,
    Suspend,
    Halves,
    Ring,
    TrackerAlone,
    Slow,
    Lossy,
    Cut,
    FullDisk,
}

/// The attacks, in the order in which the first ones come; then the dice choose.
const ATTACKS: [Attack; 10] = [
    Attack::Halves,
    Attack::Kill,
    Attack::Suspend,
    Attack::TrackerAlone,
    Attack::FullDisk,
    Attack::Lossy,
    Attack::Cut,
    Attack::Ring,
    Attack::KillTracker,
    Attack::Slow,
];

/// A service that cannot answer for a while.
#[derive(Debug)]
pub(super) struct Away {
    name: String,
    from: u64,
}

impl Away {
    /// From now on.
    pub(super) fn begin(name: &str, diary: &Diary) -> Self {
        Self { name: name.to_owned(), from: diary.now() }
    }

    /// It can answer again; what was begun because of its absence may still end.
    pub(super) fn end(self, diary: &Diary) {
        let to = diary.now() + AFTERMATH;
        diary.write(|history| history.away.push((self.name, Interval { from: self.from, to })));
    }
}

/// Attacks for so long; how often each attack came.
pub(super) async fn attack(
    ground: &mut Ground,
    diary: &Diary,
    dice: &Dice,
    duration: Duration,
) -> Result<String, Failure> {
    let begun = Instant::now();
    let end = begun + duration;
    let mut counts = BTreeMap::new();
    let mut told = 0;
    let mut planned = ATTACKS.into_iter();
    rest(ground, diary, PAUSE.0).await?;
    while Instant::now() < end {
        let attack = planned.next().unwrap_or_else(|| ATTACKS[dice.pick(ATTACKS.len())]);
        *counts.entry(format!("{attack:?}")).or_insert(0) += 1;
        one(attack, ground, diary, dice).await?;
        let minutes = begun.elapsed().as_secs() / 60;
        if minutes > told {
            told = minutes;
            let attacks: u32 = counts.values().sum();
            say(format!("  {minutes} of {} minutes, {attacks} attacks", duration.as_secs() / 60));
        }
        rest(ground, diary, PAUSE.0 + dice.pick(PAUSE.1) as u64).await?;
    }
    Ok(counts.into_iter().map(|(attack, count)| format!("{count} x {attack}")).collect::<Vec<_>>().join(", "))
}

async fn one(attack: Attack, ground: &mut Ground, diary: &Diary, dice: &Dice) -> Result<(), Failure> {
    let services = ground.services().len();
    let peer = 1 + dice.pick(services - 1);
    let long = ATTACK.0 + dice.pick(ATTACK.1) as u64;
    match attack {
        Attack::Kill | Attack::KillTracker => {
            let victim = if attack == Attack::Kill { peer } else { TRACKER_INDEX };
            let away = Away::begin(ground.name(victim), diary);
            ground.kill(victim).await;
            rest(ground, diary, long).await?;
            ground.launch(victim)?;
            ground.ready(&[victim]).await?;
            away.end(diary);
        }
        Attack::Suspend => {
            let away = Away::begin(ground.name(peer), diary);
            ground.signal(peer, Signal::STOP)?;
            rest(ground, diary, long).await?;
            ground.signal(peer, Signal::CONT)?;
            away.end(diary);
        }
        Attack::Halves => {
            let fault = if dice.pick(2) == 0 { Fault::BlackHole } else { Fault::Reset };
            let turn = dice.pick(services);
            let half = move |index: usize| usize::from((index + turn) % services < services / 2);
            let away: Vec<_> = (1..services)
                .filter(|index| half(*index) != half(TRACKER_INDEX))
                .map(|index| Away::begin(ground.name(index), diary))
                .collect();
            ground.split(half, fault);
            rest(ground, diary, 2 * long).await?;
            ground.split(|_| 0, Fault::None);
            calm(ground);
            away.into_iter().for_each(|away| away.end(diary));
        }
        Attack::Ring => {
            // Everybody reaches the two beside it only; the tracker reaches all.
            for to in 1..services {
                for from in (1..services).filter(|from| *from != to) {
                    let steps = from.abs_diff(to);
                    if steps != 1 && steps != services - 2 {
                        ground.proxy(to).set_for(ground.address(from), Fault::BlackHole);
                    }
                }
            }
            rest(ground, diary, long).await?;
            calm(ground);
        }
        Attack::TrackerAlone => {
            let from = diary.now();
            ground.split(|index| usize::from(index == TRACKER_INDEX), Fault::BlackHole);
            rest(ground, diary, 3 * long).await?;
            let to = diary.now();
            calm(ground);
            diary.write(|history| history.tracker_cut_off.push(Interval { from, to }));
        }
        Attack::Slow => {
            ground.proxy(peer).set(Fault::Delay(Duration::from_millis(40 + dice.pick(150) as u64)));
            rest(ground, diary, long).await?;
            calm(ground);
        }
        Attack::Lossy => {
            ground.proxy(peer).set(Fault::Drop(20 + dice.pick(60) as u8));
            ground.proxy(TRACKER_INDEX).set(Fault::Drop(20));
            rest(ground, diary, long).await?;
            calm(ground);
        }
        Attack::Cut => {
            let away = Away::begin(ground.name(peer), diary);
            ground.proxy(peer).set(Fault::CutAfter(dice.pick(600) as u64));
            rest(ground, diary, long).await?;
            calm(ground);
            away.end(diary);
        }
        Attack::FullDisk => {
            ground.limit_files(peer, Some(FULL))?;
            rest(ground, diary, long).await?;
            ground.limit_files(peer, None)?;
        }
    }
    Ok(())
}

/// All links are as they should be.
fn calm(ground: &Ground) {
    for index in 0..ground.services().len() {
        ground.proxy(index).heal();
    }
}

/// Lets so many milliseconds pass. Whoever ends by itself meanwhile is noted, and started again.
async fn rest(ground: &mut Ground, diary: &Diary, milliseconds: u64) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    while let Ok((index, how)) = timeout_at(until, ground.ended_by_itself()).await {
        let name = ground.name(index).to_owned();
        diary.write(|history| history.ended.push((name, how)));
        ground.launch(index)?;
    }
    Ok(())
}
