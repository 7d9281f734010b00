//! What `/metrics` says of this peer. What cannot be read is left out. Nothing here is the owner's secret: no balance, no
//! message, no address of a caller.

use raclette_api::chain::SyncState;
use raclette_chain::time::Timestamp;
use raclette_service::{clock::now_ms, metrics::Scrape, queue::sql, sqlite};

use super::App;
use crate::{
    miner::Ended,
    node::{NodeError, State, Storage},
};

/// Takes all readings.
pub(super) async fn read(app: App, mut scrape: Scrape) -> Scrape {
    if let Ok(state) = app.node.state() {
        chain(&state, &mut scrape);
        ledger(&state, &mut scrape);
    }
    sync(&app, &mut scrape);
    membership(&app, &mut scrape);
    mining(&app, &mut scrape);
    bans(&app, &mut scrape);
    scrape.drain(&app.queue.statistics());
    scrape.panics(&app.tasks);
    if let Err(error) = stored(&app, &mut scrape).await {
        tracing::warn!(%error, "the database cannot be measured");
    }
    scrape
}

fn chain(state: &State, scrape: &mut Scrape) {
    let tip = state.tip();
    scrape.gauge("chain_height", "The height of the active tip", f64::from(tip.header.height));
    let work = tip.work.bytes().iter().fold(0.0, |work, byte| work * 256.0 + f64::from(*byte));
    scrape.gauge("chain_work", "The expected attempts that the active branch took; close, not exact", work);
    let seconds = float(tip.header.time.milliseconds()) / 1000.0;
    scrape.gauge("chain_tip_timestamp_seconds", "The time of the active tip, since 1970", seconds);
    scrape.gauge("chain_stored_blocks", "Blocks stored on all branches", size(state.index.len()));
}

fn ledger(state: &State, scrape: &mut Scrape) {
    scrape.gauge("ledger_transactions", "Pending transactions", size(state.ledger.len()));
    scrape.gauge("ledger_bytes", "The size of the pending transactions", size(state.ledger.bytes()));
    scrape.gauge(
        "ledger_waiting_transactions",
        "The owner's transactions that are offered again",
        size(state.waiting.len()),
    );
}

fn sync(app: &App, scrape: &mut Scrape) {
    let sync = app.status.sync_status();
    let synced = sync.state == SyncState::Synced;
    scrape.gauge("sync_synced", "1 once the history has been compared with the others'", flag(synced));
    scrape.gauge("sync_target_height", "The height that others are known to have", f64::from(sync.target_height));
    let alarm = app.node.alarm(now_ms()).is_some();
    scrape.gauge("chain_reorganisation_alarm", "1 for a day after a deep reorganisation", flag(alarm));
    let working = app.node.storage() == Storage::Working;
    scrape.gauge("storage_working", "1 while the store takes what is written; 0 when the disk is full", flag(working));
}

fn membership(app: &App, scrape: &mut Scrape) {
    let (online, offline) = app.node.members().counts();
    let states = [("online", online), ("offline", offline)];
    let states = states.map(|(state, count)| ([state.to_owned()], size(count)));
    scrape.gauges("members", "Other members, by what this peer knows of them", ["state"], states);
    let version = float(app.node.members().version());
    scrape.gauge("membership_version", "The highest version of any membership record known here", version);
    let reachable = app.status.tracker_status().reachable;
    scrape.gauge("tracker_reachable", "1 while the tracker answers", flag(reachable));
}

fn mining(app: &App, scrape: &mut Scrape) {
    let running = app.miner.running();
    let rate = running.as_ref().map_or(0.0, |job| job.rate());
    scrape.gauge("mining_active", "1 while a mining job runs", flag(running.is_some()));
    scrape.gauge("mining_hashes_per_second", "Attempts a second of the running job; 0 if none runs", rate);
    let totals = app.miner.totals();
    scrape.counter("mining_attempts", "Nonces that have been tried", totals.attempts());
    let Ended { mined, lost, cancelled, failed } = totals.jobs();
    scrape.counter("mining_blocks_found", "Blocks that this peer has found", mined);
    let outcomes = [("mined", mined), ("lost_race", lost), ("cancelled", cancelled), ("failed", failed)];
    let outcomes = outcomes.map(|(outcome, count)| ([outcome.to_owned()], count));
    scrape.counters("mining_jobs", "Mining jobs that have ended, by how", ["outcome"], outcomes);
}

fn bans(app: &App, scrape: &mut Scrape) {
    let (now, ever) = app.bans().counts();
    scrape.gauge("banned_sources", "Sources of requests that are cut off", size(now));
    scrape.counter("bans", "How often a source was cut off for a block without its work", ever);
}

/// What the file says.
async fn stored(app: &App, scrape: &mut Scrape) -> Result<(), NodeError> {
    let reorganisations = app.node.reorgs_ever().await?;
    scrape.counter("chain_reorganisations", "Reorganisations since the data directory was made", reorganisations);
    let mut connection = app.node.readers().acquire().await?;
    scrape.queue(sql::depths(&mut connection).await?, Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX));
    let bytes = float(sqlite::size(&mut connection).await?);
    scrape.gauge("database_bytes", "The size of the database without its write-ahead log", bytes);
    Ok(())
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

fn size(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}
