//! Puts a copy of the database back, while the peer does not run.

use std::{path::Path, sync::Arc};

use futures_util::FutureExt as _;
use raclette_service::backup::{self, Inspect, RestoreError, Restored};

use crate::{
    node,
    run::{DATABASE, FORMAT},
};

/// Puts this copy in the place of the database in a peer's data directory.
///
/// # Errors
/// See [`RestoreError`]; the data directory is as it was then.
pub async fn restore(directory: &Path, copy: &Path) -> Result<Restored, RestoreError> {
    let inspect: Inspect = Arc::new(|copy| node::migrate_copy(copy).boxed());
    backup::restore(directory, FORMAT, DATABASE, copy, &inspect).await
}
