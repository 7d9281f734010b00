//! Reading a copy of the database as at a start, so that only what a peer could start from is called sound.

use std::path::PathBuf;

use raclette_service::{backup::Contents, sqlite};

use super::State;
use crate::store::{self, StoreError};

/// What a copy holds that nobody uses and that is as this program writes it. It is not changed.
///
/// # Errors
/// When a peer could not start from it.
pub async fn inspect_copy(copy: PathBuf) -> Result<Contents, StoreError> {
    let readers = sqlite::open_copy(&copy).await?;
    let state = State::stored(&readers).await;
    readers.close().await;
    Ok(contents(state?.as_ref()))
}

/// The same for a copy that an older program may have made: it is brought to the newest format first.
///
/// # Errors
/// When a peer could not start from it.
pub async fn migrate_copy(copy: PathBuf) -> Result<Contents, StoreError> {
    let (writer, readers) = store::open(&copy).await?;
    let state = State::stored(&readers).await;
    readers.close().await;
    store::close(writer).await?;
    Ok(contents(state?.as_ref()))
}

fn contents(state: Option<&State>) -> Contents {
    let Some(state) = state else { return Contents::default() };
    let tip = state.tip_message();
    Contents {
        network_id: Some(state.rules.network.to_string()),
        height: Some(tip.height),
        tip: Some(tip.hash),
        state_hash: Some(tip.state_hash),
        ..Contents::default()
    }
}
