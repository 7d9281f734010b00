//! How soon all was well again, and at what cost: invariants 16 to 20.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, History, Integrity, Member, MemberState, Resources};

/// The longest times after the healing, in milliseconds. Reconnecting waits for a back-off of a minute at most.
const TIPS: u64 = 60_000;
const LEDGERS: u64 = 60_000;
const LISTS: u64 = 60_000;
const QUEUES: u64 = 120_000;
const SPREAD: u64 = 5_000;
const CONFIRMED: u64 = 10_000;

/// 16. SQLite finds every file sound.
pub(super) fn files(_: &History, evidence: &Evidence) -> Vec<String> {
    let peers = evidence.nodes.iter().map(|node| (node.name.as_str(), &node.file));
    peers
        .chain([("tracker", &evidence.tracker.0)])
        .filter(|(_, Integrity { faults, foreign_keys, without_undo })| {
            !faults.is_empty() || *foreign_keys > 0 || *without_undo > 0
        })
        .map(|(name, file)| format!("{name}: {file:?}"))
        .collect()
}

/// 17. All nodes have the same tip and ledger, and their lists are the truth, soon after the healing.
pub(super) fn agreement(history: &History, evidence: &Evidence) -> Vec<String> {
    let settled = &history.settled;
    let mut found = late("tips agree", settled.tips, TIPS);
    found.extend(late("ledgers agree", settled.ledgers, LEDGERS));
    found.extend(late("lists are the truth", settled.lists, LISTS));
    let tips: BTreeSet<_> = evidence.nodes.iter().map(|node| node.chain.last().map(|block| &block.hash)).collect();
    let ledgers: BTreeSet<_> = evidence.nodes.iter().map(|node| &node.ledger).collect();
    if tips.len() > 1 || ledgers.len() > 1 {
        found.push(format!("there are {} tips and {} ledgers", tips.len(), ledgers.len()));
    }
    for node in &evidence.nodes {
        let listed = |members: &[Member]| -> BTreeMap<String, (bool, u64)> {
            let others = members.iter().filter(|member| member.address != node.address);
            others.map(|member| (member.address.clone(), (member.state == MemberState::Here, member.epoch))).collect()
        };
        let (own, truth) = (listed(&node.members), listed(&evidence.members));
        if own != truth {
            found.push(format!("{} lists {own:?}, the tracker {truth:?}", node.name));
        }
    }
    found
}

/// 18. All queues are empty soon after the healing, but for what was set aside.
pub(super) fn empty_queues(history: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = late("queues are empty", history.settled.queues, QUEUES);
    for node in &evidence.nodes {
        let waiting = node.queue.iter().filter(|row| row.dead.is_none()).count();
        if waiting > 0 {
            found.push(format!("{waiting} rows wait in the queue of {}", node.name));
        }
    }
    found
}

/// 19. A new transaction is in all ledgers, and after a command to mine confirmed everywhere, within seconds.
pub(super) fn spreading(history: &History, _: &Evidence) -> Vec<String> {
    let mut found = late("a new transaction is everywhere", history.settled.spread, SPREAD);
    found.extend(late("it is confirmed everywhere", history.settled.confirmed, CONFIRMED));
    found
}

fn late(what: &str, took: Option<u64>, most: u64) -> Vec<String> {
    match took {
        Some(took) if took <= most => Vec::new(),
        Some(took) => vec![format!("{what} after {took} ms, promised are {most} ms")],
        None => vec![format!("{what}: not as long as anybody waited")],
    }
}

/// Below so many samples of a run nothing is said of a trend, in the second half of which it is looked for.
const SAMPLES: usize = 40;

/// 20. Nothing grows without end over the second half of a run, nothing panics, and nothing ends by itself.
pub(super) fn resources(history: &History, evidence: &Evidence) -> Vec<String> {
    let mut found: Vec<_> = history.ended.iter().map(|(name, how)| format!("{name} ended by itself: {how}")).collect();
    let panics = evidence.nodes.iter().map(|node| (node.name.as_str(), node.panics));
    for (name, count) in panics.chain([("tracker", evidence.tracker.1)]).filter(|(_, count)| *count > 0) {
        found.push(format!("{name} panicked {count} times"));
    }
    let mut runs: BTreeMap<(&str, u32), Vec<&Resources>> = BTreeMap::new();
    for sample in &evidence.resources {
        runs.entry((&sample.service, sample.run)).or_default().push(sample);
    }
    for ((service, _), samples) in runs.iter().filter(|(_, samples)| samples.len() >= SAMPLES) {
        let half = &samples[samples.len() / 2..];
        // What a soak of this length may add: new members of caches, and files of as many connections as there are peers.
        for (what, growth, most) in [
            ("memory (KiB)", growth(half, |sample| sample.memory), 32 << 10),
            ("open files", growth(half, |sample| sample.files), 64),
            ("write-ahead log (KiB)", growth(half, |sample| sample.wal), 64 << 10),
        ] {
            if growth > f64::from(most) {
                found.push(format!("{service}: {what} grow by {growth:.0} in the second half of its run"));
            }
        }
    }
    found
}

/// By how much a value grows over these samples, by the line of least squares through them.
fn growth(samples: &[&Resources], value: impl Fn(&Resources) -> u64) -> f64 {
    let count = samples.len() as f64;
    let points: Vec<(f64, f64)> = samples.iter().map(|sample| (sample.at as f64, value(sample) as f64)).collect();
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let span = points.last().map_or(0.0, |point| point.0) - points.first().map_or(0.0, |point| point.0);
    if variance > 0.0 { covariance / variance * span } else { 0.0 }
}
