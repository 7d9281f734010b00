//! Puts a copy of the database back, while the tracker does not run.

use std::{path::Path, sync::Arc};

use futures_util::FutureExt as _;
use raclette_service::backup::{self, Inspect, RestoreError, Restored};

use crate::{
    run::{DATABASE, FORMAT},
    store::Store,
};

/// Puts this copy in the place of the database in a tracker's data directory.
///
/// # Errors
/// See [`RestoreError`]; the data directory is as it was then.
pub async fn restore(directory: &Path, copy: &Path) -> Result<Restored, RestoreError> {
    let inspect: Inspect = Arc::new(|copy| Store::migrate_copy(copy).boxed());
    backup::restore(directory, FORMAT, DATABASE, copy, &inspect).await
}
