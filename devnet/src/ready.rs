//! Waiting until services are ready, with progress shown.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use raclette_api::chain::SyncState;
use raclette_service::progress;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    plan::{Role, Service},
    probe::{Probe, Report},
    process::Ending,
    supervisor::Supervisor,
    terminal::{Colour, paint, say},
};

/// How often a service is asked.
const PERIOD: Duration = Duration::from_millis(40);
/// What takes longer than this gets a progress bar.
const LONG: Duration = Duration::from_secs(1);
/// After this time, and again each time it has passed, the user is told what is still missing.
const REMINDER: Duration = Duration::from_secs(5);

/// A service ended before it was ready.
#[derive(Debug)]
pub(crate) struct NotReady {
    /// The service.
    pub(crate) service: Service,
    /// How it ended.
    pub(crate) ending: Ending,
}

/// Waits until all of these services are ready, and tells about each that is.
///
/// # Errors
/// The first that ended instead.
pub(crate) async fn wait(supervisor: &Supervisor, probe: &Probe, which: &[usize]) -> Result<(), NotReady> {
    wait_and_tell(supervisor, probe, which, |service, after| {
        let seconds = after.as_secs_f64();
        say(format!("  {:<10} {} after {seconds:.1} s", service.name, paint("ready", Colour::Green)));
    })
    .await
}

/// As [`wait`], calling `tell` with each that is ready, and after how long.
///
/// # Errors
/// As [`wait`].
pub(crate) async fn wait_and_tell(
    supervisor: &Supervisor,
    probe: &Probe,
    which: &[usize],
    tell: impl Fn(&Service, Duration),
) -> Result<(), NotReady> {
    let begun = Instant::now();
    let names = which.iter().map(|index| supervisor.service(*index).name.clone()).collect();
    let board = Arc::new(Board { total: which.len(), waiting: Mutex::new(names), begun });
    let _bar = Bar;
    let mut waiting = JoinSet::new();
    for index in which.iter().copied() {
        let (service, probe, board) = (supervisor.service(index).clone(), probe.clone(), Arc::clone(&board));
        let ended = supervisor.process(index).map(crate::process::Process::ended);
        waiting.spawn(async move {
            let ended = async {
                match ended {
                    Some(ended) => ended.await,
                    None => Ending(String::from("it is not running")),
                }
            };
            tokio::select! {
                () = until_ready(&service, &probe, &board) => Ok(service),
                ending = ended => Err(NotReady { service, ending }),
            }
        });
    }
    while let Some(outcome) = waiting.join_next().await {
        // A task ends otherwise only if it is cancelled, and nobody does that.
        let Ok(outcome) = outcome else { continue };
        tell(&outcome?, begun.elapsed());
    }
    Ok(())
}

/// How long peers have to hear of each other; it takes a fraction of a second.
const ACQUAINTANCE: Duration = Duration::from_secs(10);

/// Waits until each peer knows all the others: whoever sends to one that was ready last should not hear that there is none.
/// Whether they do; without, the network works all the same, and they hear of each other later.
pub(crate) async fn acquainted(supervisor: &Supervisor, probe: &Probe) -> bool {
    let peers: Vec<_> = supervisor.services().filter(|service| service.role == Role::Peer).collect();
    let others = peers.len().saturating_sub(1);
    let knows_all = |report| match report {
        Report::Peer { status, .. } => status.peers.online as usize >= others,
        Report::Tracker { .. } => false,
    };
    let waiting = async {
        for peer in peers {
            while !probe.report(peer).await.is_ok_and(knows_all) {
                sleep(PERIOD).await;
            }
        }
    };
    timeout(ACQUAINTANCE, waiting).await.is_ok()
}

async fn until_ready(service: &Service, probe: &Probe, board: &Board) {
    let mut reminder = board.begun + REMINDER;
    while let Err(error) = probe.ready(service).await {
        if Instant::now() >= reminder {
            reminder += REMINDER;
            let log = service.log_file();
            say(format!("  {:<10} not ready yet: {error} (its log: {})", service.name, log.display()));
        }
        board.show(service, probe).await;
        sleep(PERIOD).await;
    }
    board.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&service.name);
}

/// The bar is gone when nobody waits any more.
struct Bar;

impl Drop for Bar {
    fn drop(&mut self) {
        progress::clear();
    }
}

/// Who is still waited for.
#[derive(Debug)]
struct Board {
    total: usize,
    waiting: Mutex<BTreeSet<String>>,
    begun: Instant,
}

impl Board {
    /// Shows how far everything is, if there is a terminal to show it on and it takes long: how far a peer is with fetching
    /// the history, or else who is still to come.
    async fn show(&self, service: &Service, probe: &Probe) {
        if !progress::is_possible() || self.begun.elapsed() < LONG {
            return;
        }
        let history = probe.history(service).await.filter(|history| history.state == SyncState::Syncing);
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(history) = history {
            let rate = history.transactions_per_second.map(|rate| format!(", {rate} transactions a second"));
            let note = format!("block {} of {}{}", history.height, history.target_height, rate.unwrap_or_default());
            progress::show(&service.name, history.height.into(), history.target_height.into(), &note);
        } else if waiting.first() == Some(&service.name) {
            // One of them draws it; all would draw the same.
            let (bar, note) = (self.total - waiting.len(), still_to_come(&waiting));
            progress::show("starting", bar as u64, self.total as u64, &note);
        }
    }
}

/// The names of those that are waited for, cut to what fits into a line.
fn still_to_come(waiting: &BTreeSet<String>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<_> = waiting.iter().take(SHOWN).map(String::as_str).collect();
    match waiting.len().saturating_sub(SHOWN) {
        0 => format!("waiting for {}", names.join(", ")),
        more => format!("waiting for {} and {more} more", names.join(", ")),
    }
}

/// The last lines of a log, for a service that did not come up.
pub(crate) fn end_of_log(path: &Path) -> String {
    const BYTES: u64 = 8 * 1024;
    const LINES: usize = 20;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut end = Vec::new();
        file.take(BYTES).read_to_end(&mut end)?;
        Ok(end)
    };
    match read() {
        Ok(end) => {
            let text = String::from_utf8_lossy(&end);
            let lines: Vec<_> = text.lines().collect();
            let shown = lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| format!("  | {line}"));
            shown.collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("  its log cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{end_of_log, still_to_come};

    #[test]
    fn those_who_are_waited_for_fit_into_a_line() {
        let names = |count: usize| (1..=count).map(|number| format!("p{number}")).collect();
        assert_eq!(still_to_come(&names(2)), "waiting for p1, p2");
        assert_eq!(still_to_come(&names(6)), "waiting for p1, p2, p3, p4 and 2 more");
    }

    #[test]
    fn only_the_last_lines_of_a_long_log_are_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.txt");
        let lines: Vec<_> = (0..5_000).map(|number| format!("line {number}")).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let shown = end_of_log(&path);
        assert_eq!(shown.lines().count(), 20);
        assert!(shown.starts_with("  | line 4980\n") && shown.ends_with("  | line 4999"), "{shown}");
        assert!(end_of_log(&directory.path().join("none")).contains("cannot be read"));
    }
}
