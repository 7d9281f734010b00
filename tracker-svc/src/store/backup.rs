//! Reading a copy of the file as at a start, so that only what a tracker could start from is called sound.

use std::{path::PathBuf, sync::Arc};

use raclette_service::{
    backup::Contents,
    events::{Feed, Log},
    sqlite,
};
use tokio::sync::Mutex;

use super::{Store, StoreError};

impl Store {
    /// What a copy holds that nobody uses and that is as this program writes it. It is not changed.
    ///
    /// # Errors
    /// When a tracker could not start from it.
    pub async fn inspect_copy(copy: PathBuf) -> Result<Contents, StoreError> {
        let readers = sqlite::open_copy(&copy).await?;
        let feed = Feed::new(readers.clone());
        let log = Log::open(&mut *readers.acquire().await?, &feed).await?;
        let store = Self { writer: readers.clone(), readers, feed, log: Arc::new(Mutex::new(log)) };
        let contents = store.contents().await;
        store.readers.close().await;
        contents
    }

    /// The same for a copy that an older program may have made: it is brought to the newest format first.
    ///
    /// # Errors
    /// When a tracker could not start from it.
    pub async fn migrate_copy(copy: PathBuf) -> Result<Contents, StoreError> {
        let store = Self::open(&copy).await?;
        let contents = store.contents().await;
        store.close().await;
        contents
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        self.parameters().await?;
        let loaded = self.load().await?;
        Ok(Contents {
            network_id: loaded.genesis.map(|genesis| genesis.network().to_string()),
            membership_version: Some(loaded.register.version),
            members: Some(u32::try_from(loaded.register.members.len()).unwrap_or(u32::MAX)),
            ..Contents::default()
        })
    }
}
