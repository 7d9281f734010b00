//! The failed requests, for the drain, the announcements and the operator.

use raclette_api::{
    event::EventBody,
    queue::{QueueDestinations, QueuePage},
};
use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::{
    clock::Clock,
    membership::Announced,
    queue::{Backoff, Depth, Filter, QueueChange, QueueHandle, QueueStore, Row, sql, view},
};

use super::{Store, StoreError, Unannounced, Writing, members, timeline};

impl Store {
    /// Brings rows closer that were written while the clock stood in the future.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn clamp_queue(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sql::clamp_at_start(&mut transaction, now, Backoff::default().cap).await?;
        transaction.commit().await
    }

    /// Notes in one transaction what was announced to whom: the rows that wait now or no longer, who has taken the notice, and
    /// the versions done.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn announced(
        &self,
        announced: &Announced,
        versions: &[Unannounced],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for change in &announced.rows {
            apply(&mut transaction, change).await?;
        }
        timeline::acknowledged(&mut transaction, &announced.acknowledged, now).await?;
        members::announced(&mut transaction, versions).await?;
        transaction.commit().await
    }

    /// Writes one change to the queue and says how many rows it touched.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn change_queue(&self, change: &QueueChange) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let touched = apply(&mut transaction, change).await?;
        transaction.commit().await?;
        Ok(touched)
    }

    /// How many requests wait for whom, and since when.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn queue_depths(&self) -> Result<Vec<Depth>, StoreError> {
        Ok(sql::depths(&mut *self.readers.acquire().await?).await?)
    }

    /// One row of the queue.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn queue_row(&self, id: i64) -> Result<Option<Row>, StoreError> {
        Ok(sql::find(&mut *self.readers.acquire().await?, id).await?)
    }

    /// A part of the queue; see [`view::page`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn queue_page(
        &self,
        filter: &Filter,
        cursor: i64,
        limit: u32,
        queue: &QueueHandle,
    ) -> Result<QueuePage, StoreError> {
        Ok(view::page(&mut *self.readers.acquire().await?, filter, cursor, limit, queue).await?)
    }

    /// What waits for whom; see [`view::destinations`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn queue_destinations(
        &self,
        after: Option<&Address>,
        limit: u32,
        reachable: impl Fn(&Address) -> bool,
    ) -> Result<QueueDestinations, StoreError> {
        Ok(view::destinations(&mut *self.readers.acquire().await?, after, limit, reachable).await?)
    }
}

impl QueueStore for Store {
    type Error = StoreError;

    async fn due(&self, now: Timestamp, limit: u32, excluding: &[Address]) -> Result<Vec<Row>, StoreError> {
        Ok(sql::due(&mut *self.readers.acquire().await?, now, limit, excluding).await?)
    }

    async fn next_due(&self, excluding: &[Address]) -> Result<Option<Timestamp>, StoreError> {
        Ok(sql::next_due(&mut *self.readers.acquire().await?, excluding).await?)
    }

    async fn change(&self, changes: Vec<QueueChange>) -> Result<(), StoreError> {
        let now = Clock::system().now();
        let mut transaction = self.begin().await?;
        for change in &changes {
            if let QueueChange::Finish { id, version } = change {
                timeline::delivered(&mut transaction, *id, *version, now).await?;
            }
            apply(&mut transaction, change).await?;
        }
        transaction.commit().await
    }
}

/// Writes one change, and tells what it means for a delivery.
async fn apply(writing: &mut Writing, change: &QueueChange) -> Result<u64, StoreError> {
    let (touched, event) = change.apply_and_tell(writing).await?;
    if let Some(event) = event {
        writing.tell(&EventBody::Delivery(event));
    }
    Ok(touched)
}
