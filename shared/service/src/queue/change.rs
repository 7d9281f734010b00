//! Writes to the queue as values, so that they can travel to a service's only writer.

use raclette_api::event::{DeliveryEvent, DeliveryStep};
use raclette_chain::{address::Address, time::Timestamp};
use sqlx::SqliteConnection;

use super::{QueuedRequest, sql};

/// One write to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueChange {
    /// A request waits from now on; see [`sql::put`].
    Put {
        /// What waits.
        request: Box<QueuedRequest>,
        /// Now.
        now: Timestamp,
        /// When it is tried next.
        next_at: Timestamp,
        /// Why the first, direct attempt failed, if there was one.
        error: Option<String>,
    },
    /// A version arrived without the queue: delete it and all older ones; see [`sql::supersede`].
    Supersede {
        /// Whom it was for.
        destination: Address,
        /// The sort of request.
        kind: String,
        /// What it was about.
        subject: String,
        /// The version that arrived.
        version: u64,
    },
    /// The drain delivered this version of a row.
    Finish {
        /// The row.
        id: i64,
        /// The version that was sent.
        version: u64,
    },
    /// An attempt failed; try again later.
    Postpone {
        /// The row.
        id: i64,
        /// The version that was sent.
        version: u64,
        /// Why it failed.
        error: String,
        /// When to try again.
        next_at: Timestamp,
    },
    /// The destination refused this version for good.
    Bury {
        /// The row.
        id: i64,
        /// The version that was sent.
        version: u64,
        /// What the destination said.
        error: String,
    },
    /// A destination is back: all that waits for it is due.
    Wake {
        /// The destination.
        destination: Address,
        /// Its base URL, if it has changed or may have.
        url: Option<String>,
        /// Now.
        now: Timestamp,
    },
    /// Somebody wants this row to be tried now, even if it is a dead letter.
    Retry {
        /// The row.
        id: i64,
        /// Now.
        now: Timestamp,
    },
    /// Somebody gives this row up.
    Discard {
        /// The row.
        id: i64,
    },
    /// A destination is gone for good, and what waits for it as well.
    RemoveDestination {
        /// The destination.
        destination: Address,
    },
    /// Something newer of this kind takes the place of all older rows for a destination; see [`sql::outdate`].
    Outdate {
        /// The destination.
        destination: Address,
        /// The sort of request.
        kind: String,
        /// Older versions than this go.
        before: u64,
    },
    /// Nobody has to be told of these any more; see [`sql::settle`].
    Settle {
        /// The sort of request.
        kind: String,
        /// What the requests are about.
        subjects: Vec<String>,
    },
    /// Delete what has expired.
    Expire {
        /// Now.
        now: Timestamp,
    },
    /// Keep at most `most` rows of those that may expire for each destination: the newest.
    Trim {
        /// How many.
        most: u32,
    },
}

impl QueueChange {
    /// A request that waits from now on and is due at once.
    #[must_use]
    pub fn put(request: QueuedRequest, now: Timestamp) -> Self {
        Self::Put { request: Box::new(request), now, next_at: now, error: None }
    }

    /// Writes this change, and says how many rows it touched and what it means for a delivery, if it does.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn apply_and_tell(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(u64, Option<DeliveryEvent>), sqlx::Error> {
        let told = self.means(connection).await?;
        let touched = self.apply(connection).await?;
        // What arrived without the queue has arrived, whether or not a row waited for it.
        let happened = touched > 0 || matches!(self, Self::Supersede { .. });
        Ok((touched, told.filter(|_| happened)))
    }

    /// What this change means for a delivery if it finds its row.
    async fn means(&self, connection: &mut SqliteConnection) -> Result<Option<DeliveryEvent>, sqlx::Error> {
        let (id, status, error) = match self {
            Self::Put { request, error, .. } => {
                return Ok(Some(DeliveryEvent {
                    status: DeliveryStep::Queued,
                    destination: request.destination.to_string(),
                    kind: request.kind.clone(),
                    subject: request.subject.clone(),
                    error: error.clone(),
                }));
            }
            Self::Supersede { destination, kind, subject, .. } => {
                return Ok(Some(DeliveryEvent {
                    status: DeliveryStep::Delivered,
                    destination: destination.to_string(),
                    kind: kind.clone(),
                    subject: subject.clone(),
                    error: None,
                }));
            }
            Self::Finish { id, .. } => (*id, DeliveryStep::Delivered, None),
            Self::Bury { id, error, .. } => (*id, DeliveryStep::Dead, Some(error.clone())),
            Self::Discard { id } => (*id, DeliveryStep::Discarded, None),
            Self::Postpone { .. }
            | Self::Wake { .. }
            | Self::Retry { .. }
            | Self::RemoveDestination { .. }
            | Self::Outdate { .. }
            | Self::Settle { .. }
            | Self::Expire { .. }
            | Self::Trim { .. } => return Ok(None),
        };
        let row = sql::find(connection, id).await?;
        Ok(row.map(|row| DeliveryEvent {
            status,
            destination: row.request.destination.to_string(),
            kind: row.request.kind,
            subject: row.request.subject,
            error,
        }))
    }

    /// Writes this change and says how many rows it touched.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn apply(&self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        match self {
            Self::Put { request, now, next_at, error } => {
                sql::put(connection, request, *now, *next_at, error.as_deref()).await
            }
            Self::Supersede { destination, kind, subject, version } => {
                sql::supersede(connection, destination, kind, subject, *version).await
            }
            Self::Finish { id, version } => sql::finish(connection, *id, *version).await,
            Self::Postpone { id, version, error, next_at } => {
                sql::postpone(connection, *id, *version, error, *next_at).await
            }
            Self::Bury { id, version, error } => sql::bury(connection, *id, *version, error).await,
            Self::Wake { destination, url, now } => sql::wake(connection, destination, url.as_deref(), *now).await,
            Self::Retry { id, now } => sql::retry(connection, *id, *now).await,
            Self::Discard { id } => sql::discard(connection, *id).await,
            Self::RemoveDestination { destination } => sql::remove_destination(connection, destination).await,
            Self::Outdate { destination, kind, before } => sql::outdate(connection, destination, kind, *before).await,
            Self::Settle { kind, subjects } => sql::settle(connection, kind, subjects).await,
            Self::Expire { now } => sql::expire(connection, *now).await,
            Self::Trim { most } => sql::trim(connection, *most).await,
        }
    }
}
