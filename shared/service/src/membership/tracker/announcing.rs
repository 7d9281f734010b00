//! Telling members about each other: at once whom one can, and the rest through the queue.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use raclette_api::notice::NoticeChange;
use raclette_chain::address::Address;

use super::{Member, MemberState};
use crate::{
    client::SendError,
    clock::Clock,
    dice::Dice,
    queue::{Backoff, Destination, QueueChange, QueuedRequest},
};

/// The kind of all rows with notices in the queue; their subject is the address of the member that they are about.
pub const NOTICE: &str = "notice";
/// How many members are told at once.
const AT_ONCE: usize = 32;

/// How notices are made and sent. Two implementations exist: the tracker's, which signs, and the simulations'.
pub trait Teller: Send + Sync {
    /// Why a notice cannot be made.
    type Error: Send;

    /// The body of a notice about these changes.
    ///
    /// # Errors
    /// When it cannot be signed or written down.
    fn notice(&self, changes: Vec<NoticeChange>) -> Result<Arc<[u8]>, Self::Error>;

    /// Sends a notice and waits until it is taken.
    fn tell(&self, to: &Destination, notice: &[u8]) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// A member that has taken a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Who.
    pub by: Address,
    /// Its name.
    pub name: String,
    /// The version of the change that it was told. No two changes have the same.
    pub version: u64,
}

/// What came of an announcement: to be stored together.
#[derive(Debug, Default)]
pub struct Announced {
    /// Rows of the queue for those who could not be told, and rows that are superfluous now.
    pub rows: Vec<QueueChange>,
    /// Who was told.
    pub acknowledged: Vec<Acknowledged>,
}

/// Tells `recipients` what changed about the members in `news`, each about all but itself.
///
/// # Errors
/// Those of the teller, when a notice cannot be made; nobody counts as told then.
pub async fn announce<T: Teller>(
    news: &[Arc<Member>],
    recipients: &[Arc<Member>],
    teller: &T,
    clock: &Clock,
    dice: &Dice,
) -> Result<Announced, T::Error> {
    let changes: Vec<NoticeChange> = news.iter().map(|member| member.change()).collect();
    let alone: Vec<Arc<[u8]>> =
        changes.iter().map(|change| teller.notice(vec![change.clone()])).collect::<Result<_, _>>()?;
    let to_all = teller.notice(changes.clone())?;
    let announcement = &Announcement { news, changes: &changes, alone: &alone, to_all, clock, dice };
    let mut told: Vec<BoxFuture<'_, Result<Announced, T::Error>>> = Vec::with_capacity(recipients.len());
    for to in recipients.iter().filter(|to| to.state != MemberState::Left) {
        told.push(announcement.tell(teller, to).boxed());
    }
    let told: Vec<Result<Announced, T::Error>> = stream::iter(told).buffer_unordered(AT_ONCE).collect().await;
    let mut all = Announced::default();
    for one in told {
        let one = one?;
        all.rows.extend(one.rows);
        all.acknowledged.extend(one.acknowledged);
    }
    Ok(all)
}

struct Announcement<'a> {
    news: &'a [Arc<Member>],
    changes: &'a [NoticeChange],
    /// A notice about each change alone, for the queue.
    alone: &'a [Arc<[u8]>],
    to_all: Arc<[u8]>,
    clock: &'a Clock,
    dice: &'a Dice,
}

impl Announcement<'_> {
    /// Tells one member about all the others, directly if it is well.
    async fn tell<T: Teller>(&self, teller: &T, to: &Member) -> Result<Announced, T::Error> {
        let others: Vec<usize> =
            (0..self.news.len()).filter(|position| self.news[*position].address() != to.address()).collect();
        if others.is_empty() {
            return Ok(Announced::default());
        }
        let (wait, error) = if !to.is_online() {
            (Duration::ZERO, String::from("it was offline"))
        } else if to.failed_rounds > 0 {
            (Duration::ZERO, String::from("it had not answered the last probe"))
        } else {
            let notice = self.without(&others, teller)?;
            match teller.tell(&to.destination(), &notice).await {
                Ok(()) => return Ok(self.taken(&others, to)),
                Err(error) => (Backoff::default().delay(1, self.dice.roll()), error.to_string()),
            }
        };
        tracing::debug!(name = to.name, error, "a notice goes to the queue");
        let rows = others.into_iter().map(|position| self.row(position, to, wait, &error)).collect();
        Ok(Announced { rows, ..Announced::default() })
    }

    /// The notice about these changes only: nobody is told about itself.
    fn without<T: Teller>(&self, others: &[usize], teller: &T) -> Result<Arc<[u8]>, T::Error> {
        if others.len() == self.news.len() {
            return Ok(self.to_all.clone());
        }
        teller.notice(others.iter().map(|position| self.changes[*position].clone()).collect())
    }

    /// What was told makes rows with the same or older news superfluous.
    fn taken(&self, others: &[usize], to: &Member) -> Announced {
        let told = |position: &usize| &self.news[*position];
        let supersede = |member: &Arc<Member>| QueueChange::Supersede {
            destination: to.address(),
            kind: String::from(NOTICE),
            subject: member.address().to_string(),
            version: member.version,
        };
        let acknowledged =
            |member: &Arc<Member>| Acknowledged { by: to.address(), name: to.name.clone(), version: member.version };
        Announced {
            rows: others.iter().map(told).map(supersede).collect(),
            acknowledged: others.iter().map(told).map(acknowledged).collect(),
        }
    }

    fn row(&self, position: usize, to: &Member, wait: Duration, error: &str) -> QueueChange {
        let (member, body) = (&self.news[position], &self.alone[position]);
        let now = self.clock.now();
        QueueChange::Put {
            request: Box::new(QueuedRequest {
                destination: to.address(),
                destination_name: to.name.clone(),
                url: to.url(),
                path: String::from("/peers"),
                kind: String::from(NOTICE),
                subject: member.address().to_string(),
                version: member.version,
                body: body.to_vec(),
                expires_at: None,
            }),
            now,
            next_at: now.saturating_add(wait),
            error: Some(error.to_owned()),
        }
    }
}
