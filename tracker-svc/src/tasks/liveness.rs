//! Asks all members whether they live, once a round.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use raclette_service::membership::{Member, MemberState, Probe};

use crate::{
    net::Net,
    node::{Node, now},
};

/// The longest that a probe may take.
const LONGEST_PROBE: Duration = Duration::from_secs(3);
/// How many members are asked at once.
const AT_ONCE: usize = 64;

/// One round: everybody who has not left is asked, also who is offline and may be back.
pub(super) async fn activate(node: Arc<Node>, net: Net, interval: Duration) {
    let timeout = LONGEST_PROBE.min(interval);
    let state = node.state();
    let members: Vec<Arc<Member>> =
        state.register.by_name(None).filter(|member| member.state != MemberState::Left).cloned().collect();
    if members.is_empty() {
        return;
    }
    let probes = stream::iter(members.into_iter().map(|member| probe(&net, member, timeout)));
    let probes: Vec<Probe> = probes.buffer_unordered(AT_ONCE).collect().await;
    if let Err(error) = node.round_ended(probes).await {
        tracing::error!(%error, "a round of probes was lost");
    }
}

/// A member lives if it answers itself, and in the epoch that it registered with.
async fn probe(net: &Net, member: Arc<Member>, timeout: Duration) -> Probe {
    let (address, epoch, started) = (member.address(), member.epoch(), now());
    let answered = match net.alive(&member.destination(), timeout).await {
        Ok(alive) => alive.address == address.to_string() && alive.epoch == epoch,
        Err(error) => {
            tracing::debug!(name = member.name, %error, "a probe failed");
            false
        }
    };
    Probe { address, epoch, started, answered }
}
