//! What `/readyz` looks at.

use raclette_api::chain::SyncState;
use raclette_service::{clock::now_ms, health::Check};

use super::App;
use crate::node::Storage;

/// Looks at every part of this peer.
pub(super) async fn checks(app: App) -> Vec<Check> {
    vec![database(&app).await, storage(&app), network(&app), sync(&app), chain(&app), tracker(&app)]
}

async fn database(app: &App) -> Check {
    match app.node.readers().acquire().await {
        Ok(_) => Check::ok("database"),
        Err(error) => {
            tracing::warn!(%error, "the database cannot be read");
            Check::failed("database", "it cannot be read")
        }
    }
}

fn storage(app: &App) -> Check {
    match app.node.storage() {
        Storage::Working => Check::ok("storage"),
        Storage::Full => {
            Check::degraded("storage", "the disk is full: reading goes on, nothing is taken until there is room")
        }
        Storage::Failed(reason) => Check::failed("storage", reason),
    }
}

fn network(app: &App) -> Check {
    match app.node.network() {
        Some(network) => Check::ok("network").with_detail(network.to_string()),
        None => {
            let why = app.status.trouble().map(|trouble| format!(": {trouble}")).unwrap_or_default();
            Check::failed("network", format!("the genesis block is not known yet{why}"))
        }
    }
}

fn sync(app: &App) -> Check {
    let sync = app.status.sync_status();
    match sync.state {
        SyncState::Synced => Check::ok("sync"),
        SyncState::Starting => Check::failed("sync", "the history is about to be compared with the others'"),
        SyncState::Syncing => Check::failed("sync", format!("at block {} of {}", sync.height, sync.target_height)),
    }
}

fn chain(app: &App) -> Check {
    match app.node.alarm(now_ms()) {
        None => Check::ok("chain"),
        Some(alarm) => Check::degraded(
            "chain",
            format!("a reorganisation replaced {} blocks in the last 24 hours; see GET /reorgs", alarm.depth),
        ),
    }
}

fn tracker(app: &App) -> Check {
    let tracker = app.status.tracker_status();
    if let Some(trouble) = app.status.trouble() {
        Check::degraded("tracker", trouble)
    } else if tracker.reachable {
        Check::ok("tracker")
    } else {
        Check::degraded("tracker", format!("{} does not answer; what is known of other peers may be old", tracker.url))
    }
}
