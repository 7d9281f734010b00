//! Copies of a service's database: made while it runs, checked, kept in bounded number, and put back in its place.
//!
//! [`Backups`] makes and lists them, [`routes`] is `POST /backup` and `GET /backups`, [`restore()`] puts one in place while the
//! service does not run. What a copy must hold to be sound only the service knows; it says so by a function.
//!
//! A copy holds the database and nothing else. The private key (`key.pem`) and the token are files of their own, and in no
//! copy: whoever has a copy can neither be this service nor read its owner's messages. So keep the key somewhere else, too.

mod copy;
mod message;
mod restore;
mod route;
mod shelf;

use std::{io, path::PathBuf};

pub use self::{
    message::{Backup, BackupPage, Contents},
    restore::{RestoreError, Restored, restore},
    route::routes,
    shelf::{Backups, Inspect, MOST_KEPT},
};
use crate::sqlite::StoreError;

/// Why there is no new copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One is being made.
    #[error("a copy is being made; it is one at a time")]
    Busy,
    /// The copy is not sound.
    #[error("the copy is not sound and was thrown away: {0}")]
    Unsound(StoreError),
    /// The database cannot be copied.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refuses.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl BackupError {
    /// The system refuses to do this with this file.
    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Whether there is no room for it.
    fn is_full(&self) -> bool {
        match self {
            Self::Store(error) | Self::Unsound(error) => error.is_full(),
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::Busy => false,
        }
    }
}
