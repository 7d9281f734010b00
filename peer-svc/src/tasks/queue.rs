//! The queue of failed requests, on the node's store.

use std::sync::Arc;

use raclette_chain::{address::Address, hash::TransactionId, time::Timestamp};
use raclette_service::queue::{QueueChange, QueueHandle, QueueStore, Row, sql};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{
    node::{DELIVERY, Event, Node, NodeError},
    store::StoreError,
};

/// The queue's table: read through the pool, written by the node's writer.
#[derive(Debug, Clone)]
pub struct NodeQueue(pub Arc<Node>);

impl NodeQueue {
    /// A delivery that is finished is one that the sender sees as delivered.
    async fn finished_deliveries(&self, changes: &[QueueChange]) -> Result<Vec<TransactionId>, NodeError> {
        let mut delivered = Vec::new();
        for change in changes {
            if let QueueChange::Finish { id, .. } = change {
                let mut connection = self.0.readers().acquire().await?;
                if let Some(row) = sql::find(&mut connection, *id).await?
                    && row.request.kind == DELIVERY
                {
                    delivered.extend(row.request.subject.parse::<TransactionId>().ok());
                }
            }
        }
        Ok(delivered)
    }
}

impl QueueStore for NodeQueue {
    type Error = NodeError;

    async fn due(&self, now: Timestamp, limit: u32, excluding: &[Address]) -> Result<Vec<Row>, NodeError> {
        let mut connection = self.0.readers().acquire().await?;
        Ok(sql::due(&mut connection, now, limit, excluding).await.map_err(StoreError::from)?)
    }

    async fn next_due(&self, excluding: &[Address]) -> Result<Option<Timestamp>, NodeError> {
        let mut connection = self.0.readers().acquire().await?;
        Ok(sql::next_due(&mut connection, excluding).await.map_err(StoreError::from)?)
    }

    async fn change(&self, changes: Vec<QueueChange>) -> Result<(), NodeError> {
        let mut delivered = self.finished_deliveries(&changes).await?;
        // The row goes in the commit that notes the delivery: neither is so without the other.
        let Some(last) = delivered.pop() else {
            return self.0.change_queue(changes).await.map(drop);
        };
        for id in delivered {
            self.0.delivered(id, Vec::new()).await?;
        }
        self.0.delivered(last, changes).await
    }
}

/// Rings the drain's bell when rows were put into the queue, until `stopping`.
pub async fn ring(node: Arc<Node>, queue: QueueHandle, stopping: CancellationToken) {
    let mut events = node.events();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            event = events.recv() => match event {
                Ok(Event::Queued) | Err(RecvError::Lagged(_)) => queue.wake(),
                Ok(_) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}
