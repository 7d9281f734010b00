//! Calls newcomers back at the address they gave; many at once, so that a slow one holds up nobody else.

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{net::Net, node::CallBack};

/// How many newcomers are called at once; more wait.
const AT_ONCE: usize = 64;

/// Calls until there is nobody who could ask any more, or `stop`.
pub(super) async fn run(mut calls: mpsc::Receiver<CallBack>, net: Net, stop: CancellationToken) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            call = calls.recv(), if under_way.len() < AT_ONCE => match call {
                Some(call) => under_way.push(answer(&net, call)),
                None => return,
            },
        }
    }
}

async fn answer(net: &Net, call: CallBack) {
    let CallBack { destination, nonce, answer } = call;
    // Whoever asked may be gone by now; then nobody is told.
    let _ = answer.send(net.challenge(&destination, &nonce).await);
}
