//! Waiting until services are ready, with progress shown.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::{Duration, Instant},
};

use raclette_api::chain::SyncState;
use raclette_service::progress;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    plan::Service,
    probe::Probe,
    process::Ending,
    supervisor::Supervisor,
    terminal::{Colour, paint, say},
};

/// How often a service is asked.
const PERIOD: Duration = Duration::from_millis(40);
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
    let mut waiting = JoinSet::new();
    for index in which.iter().copied() {
        let (service, probe) = (supervisor.service(index).clone(), probe.clone());
        let ended = supervisor.process(index).map(crate::process::Process::ended);
        waiting.spawn(async move {
            let ended = async {
                match ended {
                    Some(ended) => ended.await,
                    None => Ending(String::from("it is not running")),
                }
            };
            tokio::select! {
                () = until_ready(&service, &probe, begun) => Ok(service),
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

async fn until_ready(service: &Service, probe: &Probe, begun: Instant) {
    let mut reminder = begun + REMINDER;
    let _bar = Bar;
    while let Err(error) = probe.ready(service).await {
        if Instant::now() >= reminder {
            reminder += REMINDER;
            let log = service.log_file();
            say(format!("  {:<10} not ready yet: {error} (its log: {})", service.name, log.display()));
        }
        show_history(service, probe).await;
        sleep(PERIOD).await;
    }
}

/// The bar is gone when nobody waits any more.
struct Bar;

impl Drop for Bar {
    fn drop(&mut self) {
        progress::clear();
    }
}

/// Shows how far a peer is with fetching the history, if there is a terminal to show it on.
async fn show_history(service: &Service, probe: &Probe) {
    if progress::is_possible()
        && let Some(history) = probe.history(service).await
        && history.state == SyncState::Syncing
    {
        let rate = history.transactions_per_second.map(|rate| format!(", {rate} transactions a second"));
        let note = format!("block {} of {}{}", history.height, history.target_height, rate.unwrap_or_default());
        progress::show(&service.name, history.height.into(), history.target_height.into(), &note);
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
    use super::end_of_log;

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
