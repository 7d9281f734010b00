//! Tells members about each other: at once whom it can, and the rest through the queue.
//!
//! A reconciler: it looks for members whose newest version was not announced. That it was is noted together with the rows
//! for all whom it could not tell, so that a crash in between only means that some are told twice.

use std::sync::Arc;

use raclette_api::{
    ApiError,
    notice::{MAX_NOTICE_CHANGES, Notice, NoticeChange},
};
use raclette_chain::hash::NetworkId;
use raclette_service::{
    client::SendError,
    clock::Clock,
    dice::Dice,
    membership::{Member, Teller, announcing},
    queue::Destination,
};

use crate::{
    net::Net,
    node::{Node, now},
    store::{StoreError, Unannounced},
};

/// Why nothing was announced this time.
#[derive(Debug, thiserror::Error)]
enum AnnounceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a notice cannot be signed: {0}")]
    Notice(#[from] ApiError),
    #[error("a notice cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Announces until there is nothing left to announce.
pub(super) async fn activate(node: Arc<Node>, net: Net) {
    loop {
        match announce_batch(&node, &net).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "nothing was announced; it is tried again in a while");
                return;
            }
        }
    }
}

/// Announces what fits into one notice; says whether there was anything.
async fn announce_batch(node: &Node, net: &Net) -> Result<bool, AnnounceError> {
    let state = node.state();
    // Before there is a network nobody could tell whether a notice belongs to it. Whoever registers gets the whole list.
    let Some(network) = state.network() else { return Ok(false) };
    let mut changes: Vec<Unannounced> = node.store().unannounced().await?;
    changes.truncate(MAX_NOTICE_CHANGES);
    // Someone whose name was freed meanwhile is in neither list next time.
    let news: Vec<Arc<Member>> =
        changes.iter().filter_map(|change| state.register.member(&change.address).cloned()).collect();
    // The state is read before the table, so that a version may be newer there: it is announced next time.
    let versions: Vec<Unannounced> =
        news.iter().map(|member| Unannounced { address: member.address(), version: member.version }).collect();
    if news.is_empty() {
        return Ok(false);
    }
    let recipients: Vec<Arc<Member>> = state.register.by_name(None).cloned().collect();
    let teller = Signed { node, net, network };
    let announced = announcing::announce(&news, &recipients, &teller, &Clock::system(), &Dice::system()).await?;
    node.store().announced(&announced, &versions, now()).await?;
    node.queue().wake();
    Ok(true)
}

/// Notices with the tracker's signature.
struct Signed<'a> {
    node: &'a Node,
    net: &'a Net,
    network: NetworkId,
}

impl Teller for Signed<'_> {
    type Error = AnnounceError;

    fn notice(&self, changes: Vec<NoticeChange>) -> Result<Arc<[u8]>, AnnounceError> {
        let notice = Notice::signed(&self.network, now(), changes, self.node.identity().key())?;
        Ok(serde_json::to_vec(&notice)?.into())
    }

    async fn tell(&self, to: &Destination, notice: &[u8]) -> Result<(), SendError> {
        self.net.notify(to, notice.to_vec()).await.map(|_| ())
    }
}
