//! Who looks at the services while they work: what they say of their tips, and what they use.

use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use trials::verdict::{Observation, Resources};

use super::{
    ask::{Caller, number, text},
    diary::Diary,
    ground::Processes,
};
use crate::plan::Service;

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(400);

/// Looks at the tip of a peer until `stop`.
pub(super) async fn tips(peer: Service, diary: Arc<Diary>, stop: CancellationToken) {
    let Ok(caller) = Caller::new(&peer) else { return };
    while pause(&stop).await {
        let Ok(status) = caller.get("/status").await else { continue };
        let tip = &status["tip"];
        if tip.is_null() {
            continue;
        }
        let observation = Observation {
            at: diary.now(),
            node: peer.name.clone(),
            height: u32::try_from(number(tip, "height")).unwrap_or(u32::MAX),
            hash: text(tip, "hash"),
            work: text(tip, "work"),
            state_hash: text(tip, "state_hash"),
        };
        diary.write(|history| history.observations.push(observation));
    }
}

/// Looks at what all processes use until `stop`.
pub(super) async fn resources(processes: Processes, diary: Arc<Diary>, stop: CancellationToken) {
    while pause(&stop).await {
        let running = processes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (service, (process, run, directory)) in running {
            // A process that is gone uses nothing.
            if let Some((memory, files)) = used(process) {
                let wal = wal(&directory) >> 10;
                diary.sample(Resources { service, run, at: diary.now(), memory, files, wal });
            }
        }
    }
}

async fn pause(stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(PERIOD) => true,
    }
}

/// Resident memory in KiB, and open files.
fn used(process: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let memory = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64;
    Some((memory, files))
}

/// The size of the write-ahead logs in a directory.
fn wal(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let logs = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with("-wal"));
    logs.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}
