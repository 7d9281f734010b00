//! Asks all peers how they are, for whoever wants to know whether they agree.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use raclette_service::membership::{Member, MemberState};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    net::Net,
    node::{Asked, Node, Survey, compare, now},
};

/// How many peers are asked at once.
const AT_ONCE: usize = 64;

/// Asks until there is nobody who could want to know, or `stop`. Whoever comes while the peers are being asked waits for
/// the next time; all who wait are served by one.
pub(super) async fn run(mut surveys: mpsc::Receiver<Survey>, node: Arc<Node>, net: Net, stop: CancellationToken) {
    let mut waiting = Vec::new();
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = surveys.recv_many(&mut waiting, usize::MAX) => received,
        };
        if received == 0 {
            return;
        }
        let agreement = tokio::select! {
            () = stop.cancelled() => return,
            agreement = ask_all(&node, &net) => agreement,
        };
        for Survey { answer } in waiting.drain(..) {
            // Whoever asked may be gone by now.
            let _ = answer.send(agreement.clone());
        }
    }
}

async fn ask_all(node: &Node, net: &Net) -> raclette_api::agreement::Agreement {
    let (state, asked_at) = (node.state(), now());
    let members: Vec<Arc<Member>> =
        state.register.by_name(None).filter(|member| member.state != MemberState::Left).cloned().collect();
    let asked = stream::iter(members.into_iter().map(|member| ask(net, member))).buffered(AT_ONCE).collect().await;
    compare(asked_at, state.network().as_ref(), asked)
}

async fn ask(net: &Net, member: Arc<Member>) -> Asked {
    let said = if member.is_online() {
        net.status(&member.destination()).await.map_err(|error| error.to_string())
    } else {
        Err(String::from("it is offline"))
    };
    Asked { name: member.name.clone(), address: member.address().to_string(), said }
}
