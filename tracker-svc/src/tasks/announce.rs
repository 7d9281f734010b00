//! Tells members about each other: at once whom it can, and the rest through the queue.
//!
//! A reconciler: it looks for members whose newest version was not announced. That it was is noted together with the rows
//! for all whom it could not tell, so that a crash in between only means that some are told twice.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use raclette_api::{
    ApiError,
    notice::{MAX_NOTICE_CHANGES, Notice, NoticeChange},
};
use raclette_chain::hash::NetworkId;
use raclette_service::{
    membership::{Member, MemberState},
    queue::{Backoff, QueueChange, QueuedRequest},
};

use crate::{
    net::Net,
    node::{Node, now},
    store::{StoreError, Unannounced},
};

/// How many members are told at once.
const AT_ONCE: usize = 32;
/// The kind of all rows in the tracker's queue; their subject is the address of the member that they are about.
const KIND: &str = "notice";

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

/// What there is to tell, and to whom.
struct Announcement {
    network: NetworkId,
    /// The members to tell about, with the notice about each alone, for the queue.
    news: Vec<(Arc<Member>, Vec<u8>)>,
    /// The notice about all of them.
    notice: Notice,
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
    let announcement = Announcement::new(node, network, news)?;
    let mut recipients: Vec<Arc<Member>> = state.register.by_name(None).cloned().collect();
    recipients.retain(|member| member.state != MemberState::Left);
    let told = stream::iter(recipients.into_iter().map(|member| announcement.tell(node, net, member)));
    let told: Vec<Result<Vec<QueueChange>, AnnounceError>> = told.buffer_unordered(AT_ONCE).collect().await;
    let rows = told.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    node.store().announced(&rows, &versions).await?;
    node.queue().wake();
    Ok(true)
}

impl Announcement {
    fn new(node: &Node, network: NetworkId, members: Vec<Arc<Member>>) -> Result<Self, AnnounceError> {
        let key = node.identity().key();
        let changes: Vec<NoticeChange> = members.iter().map(|member| member.change()).collect();
        let alone = changes.iter().map(|change| Notice::signed(&network, now(), vec![change.clone()], key));
        let bodies =
            alone.map(|notice| Ok(serde_json::to_vec(&notice?)?)).collect::<Result<Vec<_>, AnnounceError>>()?;
        let notice = Notice::signed(&network, now(), changes, key)?;
        Ok(Self { network, news: members.into_iter().zip(bodies).collect(), notice })
    }

    /// Tells one member about all the others, directly if it is well; the changes to its queue rows that follow.
    async fn tell(&self, node: &Node, net: &Net, to: Arc<Member>) -> Result<Vec<QueueChange>, AnnounceError> {
        let others: Vec<_> = self.news.iter().filter(|(member, _)| member.address() != to.address()).collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let (waits, error) = if to.state != MemberState::Online {
            (Duration::ZERO, String::from("it was offline"))
        } else if to.failed_rounds > 0 {
            (Duration::ZERO, String::from("it had not answered the last probe"))
        } else {
            match net.notify(&to.destination(), &*self.without(node, &to, others.len())?).await {
                Ok(_) => return Ok(self.supersede(&to)),
                Err(error) => (Backoff::default().delay(1, rand::random()), error.to_string()),
            }
        };
        tracing::debug!(name = to.name, error, "a notice goes to the queue");
        let put = |(member, body): &&(Arc<Member>, Vec<u8>)| QueueChange::Put {
            request: Box::new(QueuedRequest {
                destination: to.address(),
                destination_name: to.name.clone(),
                url: to.url(),
                path: String::from("/peers"),
                kind: String::from(KIND),
                subject: member.address().to_string(),
                version: member.version,
                body: body.clone(),
                expires_at: None,
            }),
            now: now(),
            next_at: now().saturating_add(waits),
            error: Some(error.clone()),
        };
        Ok(others.iter().map(put).collect())
    }

    /// The notice for one member, which is not told about itself.
    fn without<'a>(
        &'a self,
        node: &Node,
        to: &Member,
        others: usize,
    ) -> Result<std::borrow::Cow<'a, Notice>, AnnounceError> {
        if others == self.news.len() {
            return Ok(std::borrow::Cow::Borrowed(&self.notice));
        }
        let own = to.address().to_string();
        let changes = self.notice.changes.iter().filter(|change| change.address != own).cloned().collect();
        Ok(std::borrow::Cow::Owned(Notice::signed(&self.network, now(), changes, node.identity().key())?))
    }

    /// What this notice told makes rows with the same or older news superfluous.
    fn supersede(&self, to: &Member) -> Vec<QueueChange> {
        let superseded: BTreeMap<String, u64> =
            self.news.iter().map(|(member, _)| (member.address().to_string(), member.version)).collect();
        superseded
            .into_iter()
            .map(|(subject, version)| QueueChange::Supersede {
                destination: to.address(),
                kind: String::from(KIND),
                subject,
                version,
            })
            .collect()
    }
}
