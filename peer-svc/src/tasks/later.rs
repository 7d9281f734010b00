//! Blocks from the near future: accepts them by itself when their time comes.

use std::{sync::Arc, time::Duration};

use crate::{node::Node, status::Status};

/// Accepts what is due.
#[derive(Debug)]
pub struct Later {
    node: Arc<Node>,
    status: Arc<Status>,
}

impl Later {
    /// Accepts what this node has kept.
    #[must_use]
    pub fn new(node: Arc<Node>, status: Arc<Status>) -> Self {
        Self { node, status }
    }

    /// One round; returns after how long to do the next.
    pub async fn activate(&self) -> Duration {
        let (accepted, rest) = self.node.accept_due_blocks().await;
        if accepted > 0 {
            // Blocks that stand on it were orphans until now.
            self.status.sync.notify_one();
        }
        rest
    }
}
