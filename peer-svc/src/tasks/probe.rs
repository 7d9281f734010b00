//! Looks for other members on the tracker's behalf: many at once, so that one who hangs holds up nobody else.

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{net::Net, node::ProbeOrder};

/// How many are looked for at once; more wait.
const AT_ONCE: usize = 32;

/// Looks until there is nobody who could ask any more, or `stop`.
pub async fn run(mut orders: mpsc::Receiver<ProbeOrder>, net: Net, stop: CancellationToken) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            order = orders.recv(), if under_way.len() < AT_ONCE => match order {
                Some(order) => under_way.push(look(&net, order)),
                None => return,
            },
        }
    }
}

async fn look(net: &Net, order: ProbeOrder) {
    let ProbeOrder { subject, nonce, timeout, answer } = order;
    // Whoever asked may be gone by now.
    let _ = answer.send(net.challenge(&subject, &nonce, timeout).await);
}
