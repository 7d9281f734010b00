//! What the operator asks of the tracker: to look into the queue, to free names, and to trust its connection.

use raclette_api::queue::{QueueCounts, QueueEntry, QueuePage, QueueState};
use raclette_chain::address::Address;
use raclette_service::queue::{Filter, QueueChange, Row, StateFilter};

use super::{Change, Node, NodeError, now};

/// Which requests to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueueFilter {
    /// Only those for this member.
    pub destination: Option<Address>,
    /// Only dead letters, or only those that are none.
    pub dead: Option<bool>,
}

impl Node {
    /// Frees the name of a member that is offline or has left.
    ///
    /// # Errors
    /// Nobody has this name, its owner is online, or the store fails.
    pub async fn free_name(&self, name: String) -> Result<(), NodeError> {
        self.change(Change::FreeName(name)).await?;
        Ok(())
    }

    /// Ends self-preservation: members that are silent are called offline, although nobody could confirm it.
    ///
    /// # Errors
    /// The tracker does not doubt itself, or the store fails.
    pub async fn override_self_preservation(&self) -> Result<(), NodeError> {
        self.change(Change::OverrideSelfPreservation).await?;
        Ok(())
    }

    /// Lists up to `limit` requests that wait, behind `cursor` (0: from the beginning).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn queue_page(&self, filter: &QueueFilter, cursor: i64, limit: u32) -> Result<QueuePage, NodeError> {
        let state = filter.dead.map(|dead| if dead { StateFilter::Dead } else { StateFilter::Waiting });
        let filter = Filter { destination: filter.destination, state };
        let (page, counts) = self.store().queue_page(&filter, cursor, limit).await?;
        Ok(QueuePage {
            counts: QueueCounts { waiting: counts.waiting, dead: counts.dead },
            entries: page.rows.into_iter().map(|row| self.entry(row)).collect(),
            next_cursor: page.next_cursor.map(|id| id.to_string()),
        })
    }

    /// Has a request tried now, also a dead letter.
    ///
    /// # Errors
    /// There is no such request, or the store fails.
    pub async fn retry_request(&self, id: i64) -> Result<(), NodeError> {
        let row = self.store().queue_row(id).await?.ok_or(NodeError::UnknownRequest { id })?;
        self.store().change_queue(&QueueChange::Retry { id, now: now() }).await?;
        self.queue().destination_returned(row.request.destination);
        Ok(())
    }

    /// Gives a request up.
    ///
    /// # Errors
    /// There is no such request, or the store fails.
    pub async fn discard_request(&self, id: i64) -> Result<(), NodeError> {
        match self.store().change_queue(&QueueChange::Discard { id }).await? {
            0 => Err(NodeError::UnknownRequest { id }),
            _ => Ok(()),
        }
    }

    fn entry(&self, row: Row) -> QueueEntry {
        let state = match (row.dead, self.queue().is_sending(row.id)) {
            (true, _) => QueueState::Dead,
            (false, true) => QueueState::Sending,
            (false, false) => QueueState::Waiting,
        };
        let request = row.request;
        QueueEntry {
            id: u64::try_from(row.id).unwrap_or(0),
            destination: request.destination.to_string(),
            destination_name: Some(request.destination_name),
            url: request.url,
            kind: request.kind,
            subject: request.subject,
            version: request.version,
            state,
            attempts: row.attempts,
            created: row.created_at.milliseconds(),
            next_try: row.next_at.milliseconds(),
            last_error: row.last_error,
        }
    }
}
