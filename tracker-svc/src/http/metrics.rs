//! What `/metrics` says of this tracker. What cannot be read is left out.

use raclette_api::network::PeerCounts;
use raclette_service::{membership::MemberState, metrics::Scrape};

use super::App;
use crate::node::now;

/// Takes all readings.
pub(super) async fn read(app: App, mut scrape: Scrape) -> Scrape {
    membership(&app, &mut scrape);
    scrape.drain(&app.node.queue().statistics());
    scrape.panics(&app.tasks);
    match app.node.store().queue_depths().await {
        Ok(depths) => scrape.queue(depths, now()),
        Err(error) => tracing::warn!(%error, "the queue cannot be measured"),
    }
    match app.node.store().size().await {
        Ok(bytes) => {
            scrape.gauge("database_bytes", "The size of the database without its write-ahead log", float(bytes))
        }
        Err(error) => tracing::warn!(%error, "the database cannot be measured"),
    }
    scrape
}

fn membership(app: &App, scrape: &mut Scrape) {
    let state = app.node.state();
    let PeerCounts { online, suspect, offline } = state.register.counts();
    let left = state.register.by_name(None).filter(|member| member.state == MemberState::Left).count();
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    let states = [("online", online), ("suspect", suspect), ("offline", offline), ("left", left)];
    let states = states.map(|(state, count)| ([state.to_owned()], f64::from(count)));
    scrape.gauges("members", "Peers that have ever registered, by what is known of them", ["state"], states);
    scrape.gauge("membership_version", "The highest version of any membership record", float(state.register.version()));
    scrape.gauge(
        "self_preservation",
        "1 while the tracker doubts its own connection and reports nobody offline",
        f64::from(u8::from(state.register.self_preservation())),
    );
    scrape.gauge("network_founded", "1 once there is a genesis block", f64::from(u8::from(state.network().is_some())));
}

#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
