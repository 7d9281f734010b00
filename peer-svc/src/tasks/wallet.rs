//! The ledger's and the owner's transactions over time: what has expired leaves, also while no block comes; the owner's own
//! are offered again, signed anew if need be, and shown to the others from time to time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use raclette_chain::time::Timestamp;
use raclette_service::clock::now_ms;

use crate::node::{Node, NodeError, SHOW_AGAIN, Tended};

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(30);

/// Looks after the owner's transactions.
#[derive(Debug)]
pub struct Wallet {
    node: Arc<Node>,
    /// When pending transactions were shown last.
    shown: Mutex<Instant>,
}

impl Wallet {
    /// Looks after the transactions of this node's owner.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, shown: Mutex::new(Instant::now()) }
    }

    /// One round; returns after how long to do the next.
    pub async fn activate(&self) -> Duration {
        match self.tend().await {
            Ok(tended) if tended == Tended::default() => {}
            Ok(tended) => tracing::info!(?tended, "transactions of the owner were offered again"),
            // Nothing can be pending before there is a chain.
            Err(NodeError::NotReady { .. } | NodeError::ShuttingDown) => {}
            Err(error) => tracing::error!(%error, "the owner's transactions could not be looked after"),
        }
        PERIOD
    }

    async fn tend(&self) -> Result<Tended, NodeError> {
        let expired = self.node.expire_ledger().await?;
        if expired > 0 {
            tracing::info!(expired, "pending transactions have left the ledger");
        }
        let tended = self.node.offer_waiting().await?;
        if self.is_time_to_show() {
            let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
            self.node.show_pending(now.saturating_sub(SHOW_AGAIN)).await?;
        }
        Ok(tended)
    }

    fn is_time_to_show(&self) -> bool {
        // A moment in time is whole whatever happens elsewhere.
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = shown.elapsed() >= SHOW_AGAIN;
        if is_time {
            *shown = Instant::now();
        }
        is_time
    }
}
