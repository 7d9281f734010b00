//! Whether the store takes what is written. While the disk is full, reading goes on, and everything that would write is
//! refused at once; the writer itself tries every second whether there is room again.

use sqlx::SqliteConnection;
use tokio::sync::watch;

use super::{Node, NodeError};
use crate::store::{self, StoreError, meta};

/// How much room must be there before everything goes on, in bytes: some batches of transactions.
const ROOM: usize = 256 << 10;

/// How the store fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Storage {
    /// It takes what is written.
    #[default]
    Working,
    /// The disk is full.
    Full,
    /// It failed otherwise, the last time something was written; for people.
    Failed(String),
}

impl Storage {
    /// How the store fares after a batch could not be written.
    pub(super) fn after(error: &NodeError) -> Self {
        if matches!(error, NodeError::StorageFull) { Self::Full } else { Self::Failed(error.to_string()) }
    }
}

impl Node {
    /// How the store fares.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.storage.borrow().clone()
    }

    /// Tells when the store fares otherwise.
    #[must_use]
    pub fn watch_storage(&self) -> watch::Receiver<Storage> {
        self.storage.clone()
    }

    /// Whether there is room to write. For whoever would work for long before it writes, such as a miner.
    ///
    /// # Errors
    /// [`NodeError::StorageFull`].
    pub fn has_room(&self) -> Result<(), NodeError> {
        if *self.storage.borrow() == Storage::Full { Err(NodeError::StorageFull) } else { Ok(()) }
    }
}

/// Tries whether there is room again: writes a value of some size, and takes it away.
pub(super) async fn try_room(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for value in ["0".repeat(ROOM), String::new()] {
        store::begin(connection).await?;
        let written = match meta::set(connection, meta::key::ROOM, &value).await {
            Ok(()) => store::commit(connection).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            store::roll_back(connection).await;
            return Err(error);
        }
    }
    Ok(())
}
