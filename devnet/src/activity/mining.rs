//! Blocks that come by themselves.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::{Caller, Counts};

/// How often it is looked whether something waits to be confirmed.
const LOOK: Duration = Duration::from_millis(250);

/// A block every so often; the peers take turns, and one that is down leaves its turn to the next.
pub(super) async fn every(caller: Caller, period: Duration, counts: Arc<Counts>) {
    let mut ticks = interval_at(Instant::now() + period, period);
    // A block that took long is not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turn = 0;
    loop {
        ticks.tick().await;
        for _ in 0..caller.peers() {
            let peer = turn % caller.peers();
            turn += 1;
            if let Ok(found) = caller.mine(peer).await {
                if found {
                    counts.mined();
                }
                break;
            }
        }
    }
}

/// A block as soon as a transaction waits, by the first peer that has one.
pub(super) async fn whatever_waits(caller: Caller, counts: Arc<Counts>) {
    loop {
        for peer in 0..caller.peers() {
            // Who is mining already, by its owner's command, is left alone.
            if caller.pending(peer).await.is_some_and(|pending| pending > 0) && caller.mine(peer).await == Ok(true) {
                counts.mined();
                break;
            }
        }
        sleep(LOOK).await;
    }
}
