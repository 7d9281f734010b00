//! The queue of failed requests, on the node's store.

use std::sync::Arc;

use raclette_chain::{address::Address, hash::TransactionId, time::Timestamp};
use raclette_service::{
    clock::now_ms,
    queue::{QueueChange, QueueHandle, QueueStore, Row, sql},
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{
    node::{DELIVERY, Event, ItemId, Mark, Node, NodeError},
    store::StoreError,
};

/// The queue's table: read through the pool, written by the node's writer.
#[derive(Debug, Clone)]
pub struct NodeQueue(pub Arc<Node>);

impl NodeQueue {
    /// The rows that changes end, each with why it was refused if it was.
    async fn ended(&self, changes: &[QueueChange]) -> Result<Vec<(Row, Option<String>)>, NodeError> {
        let mut ended = Vec::new();
        for change in changes {
            let (id, refused) = match change {
                QueueChange::Finish { id, .. } => (*id, None),
                QueueChange::Bury { id, error, .. } => (*id, Some(error.clone())),
                _ => continue,
            };
            let mut connection = self.0.readers().acquire().await?;
            ended.extend(sql::find(&mut connection, id).await?.map(|row| (row, refused)));
        }
        Ok(ended)
    }

    /// A delivery that is finished is one that the sender sees as delivered.
    fn deliveries(ended: &[(Row, Option<String>)]) -> Vec<TransactionId> {
        let finished = ended.iter().filter(|(row, refused)| refused.is_none() && row.request.kind == DELIVERY);
        finished.filter_map(|(row, _)| row.request.subject.parse().ok()).collect()
    }

    /// Notes who has what now.
    fn mark(&self, ended: Vec<(Row, Option<String>)>) {
        for (row, refused) in ended {
            if let Some(item) = ItemId::of_row(&row) {
                let mark = refused.map_or(Mark::Acknowledged, Mark::Refused);
                self.0.propagation().mark(item, row.request.destination, mark, now_ms());
            }
        }
    }

    async fn write(&self, changes: Vec<QueueChange>, mut delivered: Vec<TransactionId>) -> Result<(), NodeError> {
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
        let ended = self.ended(&changes).await?;
        self.write(changes, Self::deliveries(&ended)).await?;
        self.mark(ended);
        Ok(())
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
