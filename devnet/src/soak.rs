//! The soak: a network under load and under attack, which must keep all its promises.
//!
//! # Layout, in reading order
//! - [`ground`]: the services, each behind a proxy. [`ask`]: calling them. [`diary`]: what all tasks write down.
//! - [`clients`]: who sends and mines. [`observer`]: who looks. [`nemesis`]: who kills, suspends, splits, slows and fills.
//! - [`healing`]: waiting until all is well. [`collect`], [`files`]: what the services hold then.
//! - `trials::verdict`, in the library: whether all that is as it must be.

mod ask;
mod clients;
mod collect;
mod diary;
mod files;
mod ground;
mod healing;
mod nemesis;
mod observer;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Args, builder::RangedU64ValueParser};
use raclette_service::dice::Dice;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trials::verdict;

use self::{diary::Diary, ground::Ground};
use crate::terminal::{complain, say};

/// How many violations of one invariant are told.
const SHOWN: usize = 3;

/// Why the soak cannot go on.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Let a network work while it is attacked, and check that it keeps all its promises.
///
/// Clients keep sending and mining while services are killed, suspended, split from each other, slowed down and deprived of
/// their disks. Then all is healed, the network gets a minute to recover, and twenty invariants are checked: from money that
/// adds up to queues that are empty again. Requests without an answer count as unknown. Succeeds if all of them hold;
/// otherwise the files of the run are kept. Files are in a directory that is deleted at the end.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// For how long the network is attacked
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    minutes: f64,

    /// What the attacks are drawn from: the same seed draws the same attacks [default: the time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// How many peers there are
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<u16>::new().range(3..=20))]
    peers: u16,

    /// Where the files of the run are made
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
}

/// Runs the soak.
///
/// # Errors
/// When it cannot be run, or something does not hold.
pub(crate) async fn run(options: Options) -> Result<(), String> {
    let seed = options
        .seed
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64));
    say(format!("Soak of {} minutes with {} peers; again with --seed {seed}", options.minutes, options.peers));
    let duration = Duration::try_from_secs_f64(options.minutes * 60.0).map_err(|error| error.to_string())?;
    let mut ground = Ground::start(&options.directory, options.peers).await.map_err(|error| error.to_string())?;
    let violations = match attack_and_judge(&mut ground, seed, duration).await {
        Ok(violations) => violations,
        Err(error) => return Err(format!("{error}; its files are in {}", ground.keep().display())),
    };
    if violations.is_empty() {
        say("All twenty invariants hold.");
        return Ok(());
    }
    // One cause mostly shows in many places.
    for alike in violations.chunk_by(|one, next| one.invariant == next.invariant) {
        for violation in alike.iter().take(SHOWN) {
            complain(violation.to_string());
        }
        if alike.len() > SHOWN {
            complain(format!("{}. and so {} times more", alike[0].invariant, alike.len() - SHOWN));
        }
    }
    Err(format!("{} violations; the files are in {}", violations.len(), ground.keep().display()))
}

async fn attack_and_judge(
    ground: &mut Ground,
    seed: u64,
    duration: Duration,
) -> Result<Vec<verdict::Violation>, Failure> {
    let diary = Arc::new(Diary::new());
    let (stop, looking) = (CancellationToken::new(), CancellationToken::new());
    let (mut clients, mut observers) = (JoinSet::new(), JoinSet::new());
    for (number, peer) in ground.peers().enumerate() {
        let client = clients::Client::new(peer, ground, &diary, dice(seed ^ ((number as u64 + 1) << 32)))?;
        clients.spawn(client.run(stop.clone()));
        observers.spawn(observer::tips(peer.clone(), Arc::clone(&diary), looking.clone()));
    }
    observers.spawn(observer::resources(ground.processes(), Arc::clone(&diary), looking.clone()));

    let attacks = nemesis::attack(ground, &diary, &dice(seed), duration).await?;
    say(format!("  attacks: {attacks}"));
    stop.cancel();
    while clients.join_next().await.is_some() {}
    say("  all is healed; waiting for agreement");
    ground.heal(&diary).await?;
    let mut settled = healing::wait(ground).await?;
    if settled.confirmed.is_some() {
        // Once more after a tie, which no attack is sure to leave behind.
        say("  the network is split until both halves have mined as much, then healed once more");
        healing::tie(ground).await?;
        ground.heal(&diary).await?;
        settled = healing::longer(&settled, &healing::wait(ground).await?);
    }
    diary.write(|history| history.settled = settled);
    looking.cancel();
    while observers.join_next().await.is_some() {}

    say("  collecting what the services hold, and stopping them");
    let mut evidence = collect::evidence(ground, &diary).await?;
    let slow = ground.stop().await;
    if !slow.is_empty() {
        return Err(format!("these did not stop in time: {}", slow.join(", ")).into());
    }
    files::read(ground, &mut evidence).await?;
    let (history, resources) = diary.close();
    evidence.resources = resources;
    say(format!("  {}", summary(&history, &evidence)));
    Ok(verdict::check(&history, &evidence))
}

/// What happened, in numbers.
fn summary(history: &verdict::History, evidence: &verdict::Evidence) -> String {
    let count = |which: fn(&verdict::Outcome) -> bool| history.sent.iter().filter(|sent| which(&sent.outcome)).count();
    let height = evidence.nodes.first().map_or(0, |node| node.chain.len());
    format!(
        "{} acknowledged, {} refused, {} unknown; {} submitted again; {} blocks mined, {height} in the chain; {} observations; \
         settled: {:?}",
        count(|outcome| matches!(outcome, verdict::Outcome::Acknowledged(_))),
        count(|outcome| matches!(outcome, verdict::Outcome::Refused(_))),
        count(|outcome| matches!(outcome, verdict::Outcome::Unknown)),
        history.again.len(),
        history.mined.len(),
        history.observations.len(),
        history.settled,
    )
}

/// Numbers that repeat themselves: splitmix64.
fn dice(seed: u64) -> Dice {
    let state = AtomicU64::new(seed);
    Dice::new(move || {
        let next = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    })
}
