//! What runs in the background, all of it listed here.

mod agreement;
mod announce;
mod call_back;
mod liveness;

use std::{sync::Arc, time::Duration};

use raclette_service::{
    queue::{Drain, DrainOptions},
    tasks::Tasks,
};
use tokio::sync::Notify;

use self::liveness::Liveness;
use crate::{
    net::Net,
    node::{Companions, Node},
};

/// How long the drain may finish what is under way when the service stops.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked whether there is something to announce, if nobody rings.
const ANNOUNCE: Duration = Duration::from_secs(5);

/// Starts all of them:
/// - the writer, which makes the changes;
/// - call-back, which calls newcomers at the address they gave;
/// - liveness, which asks all members whether they live;
/// - agreement, which asks all peers how they are when somebody wants to know;
/// - announce, which tells members about each other;
/// - the drain, which sends what could not be sent until it arrives.
pub(crate) fn start(tasks: &Tasks, node: &Arc<Node>, companions: Companions, net: &Net, liveness_interval: Duration) {
    let Companions { writer, calls, surveys } = companions;
    tasks.spawn("writer", writer.run(tasks.stopping()));
    tasks.spawn("call-back", call_back::run(calls, net.clone(), tasks.stopping()));

    tasks.spawn("agreement", agreement::run(surveys, node.clone(), net.clone(), tasks.stopping()));

    // The rounds keep their own time: a round that takes long must not make all later ones late.
    let liveness = Liveness::new(node.clone(), net.clone(), liveness_interval, tasks.stopping());
    let liveness = Arc::new(liveness);
    tasks.spawn_periodic("liveness", Duration::ZERO, Arc::new(Notify::new()), move || {
        let liveness = liveness.clone();
        async move { liveness.activate().await }
    });

    let (announcer, caller) = (node.clone(), net.clone());
    tasks.spawn_periodic("announce", ANNOUNCE, node.changed().clone(), move || {
        announce::activate(announcer.clone(), caller.clone())
    });

    let options = DrainOptions { grace: GRACE, ..DrainOptions::default() };
    let drain = Drain::new(node.store().clone(), node.clone(), net.transport(), node.queue().clone(), options);
    let stop = tasks.stopping();
    tasks.spawn("queue", async move { drain.run(&stop).await });
}
