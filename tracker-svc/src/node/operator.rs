//! What the operator asks of the tracker: to look into the queue, to free names, and to trust its connection.

use raclette_api::queue::{QueueDestinations, QueuePage};
use raclette_chain::address::Address;
use raclette_service::queue::{Filter, QueueChange};

use super::{Change, Node, NodeError};

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
    pub async fn queue_page(&self, filter: &Filter, cursor: i64, limit: u32) -> Result<QueuePage, NodeError> {
        Ok(self.store().queue_page(filter, cursor, limit, self.queue()).await?)
    }

    /// Tells what waits for whom: up to `limit` members behind `after`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn queue_destinations(
        &self,
        after: Option<&Address>,
        limit: u32,
    ) -> Result<QueueDestinations, NodeError> {
        let state = self.state();
        let reachable = |address: &Address| state.register.member(address).is_some_and(|member| member.is_online());
        Ok(self.store().queue_destinations(after, limit, reachable).await?)
    }

    /// The address of the member with this name.
    #[must_use]
    pub fn address_of_name(&self, name: &str) -> Option<Address> {
        self.state().register.named(name).map(|member| member.address())
    }

    /// For whom a request is, if it is in the queue.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn queued_for(&self, id: i64) -> Result<Option<Address>, NodeError> {
        Ok(self.store().queue_row(id).await?.map(|row| row.request.destination))
    }

    /// Changes the queue; how many rows that touched.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn change_queue(&self, change: &QueueChange) -> Result<u64, NodeError> {
        Ok(self.store().change_queue(change).await?)
    }
}
