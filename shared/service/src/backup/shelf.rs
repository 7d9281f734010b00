//! The folder with the copies.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use futures_util::future::BoxFuture;
use tokio::{runtime::Handle, sync::Mutex, task::spawn_blocking};

use super::{Backup, BackupError, BackupPage, Contents, copy};
use crate::{
    clock::now_ms,
    data_dir::{DataDir, replace_secret},
    sqlite::StoreError,
};

/// The most copies that a service may be told to keep.
pub const MOST_KEPT: u32 = 1_000;

/// The folder in the data directory.
const FOLDER: &str = "backups";

/// A copy has this name until it is whole.
const UNFINISHED: &str = ".unfinished.sqlite";

/// Reads a copy that nobody else uses as a service would at its start, and says what it holds.
pub type Inspect = Arc<dyn Fn(PathBuf) -> BoxFuture<'static, Result<Contents, StoreError>> + Send + Sync>;

/// The copies of one service's database. Clones are the same.
#[derive(Clone)]
pub struct Backups(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    database: PathBuf,
    service: &'static str,
    address: String,
    most: u32,
    inspect: Inspect,
    /// Held by whoever makes one.
    turn: Arc<Mutex<()>>,
}

impl fmt::Debug for Backups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backups").field(&self.0.folder).finish()
    }
}

impl Backups {
    /// Those of the service with this key, whose database in this directory has this name. `most` are kept, at least one.
    #[must_use]
    pub fn new(directory: &DataDir, database: &str, address: String, most: u32, inspect: Inspect) -> Self {
        let (folder, database) = (directory.file(FOLDER), directory.file(database));
        let (service, turn) = (directory.service(), Arc::default());
        Self(Arc::new(Inner { folder, database, service, address, most: most.max(1), inspect, turn }))
    }

    /// Makes a copy, checks it, and lets the oldest go if there are too many. All of it happens away from the threads that
    /// answer requests, and to its end, whether or not anybody still waits for it.
    ///
    /// # Errors
    /// One is being made already, the disk is full, or the database or the copy is not sound. Then there is no new copy,
    /// and the others are as they were.
    pub async fn make(&self) -> Result<Backup, BackupError> {
        let turn = Arc::clone(&self.0.turn).try_lock_owned().map_err(|_| BackupError::Busy)?;
        let (this, runtime) = (self.clone(), Handle::current());
        let made = spawn_blocking(move || {
            let made = runtime.block_on(this.0.make());
            drop(turn);
            made
        });
        made.await.map_err(|error| BackupError::io("wait for", &self.0.folder)(error.into()))?
    }

    /// All copies, newest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn list(&self) -> Result<BackupPage, BackupError> {
        let inner = Arc::clone(&self.0);
        let listed = spawn_blocking(move || inner.list());
        let mut backups = listed.await.map_err(|error| BackupError::io("wait for", &self.0.folder)(error.into()))??;
        backups.reverse();
        Ok(BackupPage { backups, most: self.0.most })
    }
}

impl Inner {
    async fn make(&self) -> Result<Backup, BackupError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(BackupError::io("create", &self.folder))?;
        let unfinished = self.folder.join(UNFINISHED);
        // What an earlier attempt left behind.
        remove(&unfinished)?;
        let made = self.finish(&unfinished).await;
        if made.is_err() {
            // Else the next attempt does it.
            let _ = remove(&unfinished);
        }
        made
    }

    async fn finish(&self, unfinished: &Path) -> Result<Backup, BackupError> {
        copy::copy(&self.database, unfinished).await?;
        copy::check(unfinished).await.map_err(BackupError::Unsound)?;
        let contents = (self.inspect)(unfinished.to_owned()).await.map_err(BackupError::Unsound)?;
        let (bytes, sha256) = copy::digest(unfinished).map_err(BackupError::io("read", unfinished))?;
        let created = now_ms();
        let name = format!("{}-{}.sqlite", self.service, stamp());
        let (service, address) = (self.service.to_owned(), self.address.clone());
        let backup = Backup { name, service, address, created, bytes, sha256, contents };
        self.publish(unfinished, &backup)?;
        self.tidy(&backup.name)?;
        tracing::info!(name = backup.name, bytes, "a copy of the database has been made and checked");
        Ok(backup)
    }

    /// The description first: a copy that is there is described.
    fn publish(&self, unfinished: &Path, backup: &Backup) -> Result<(), BackupError> {
        let path = self.folder.join(&backup.name);
        let text =
            serde_json::to_vec_pretty(backup).map_err(|error| BackupError::io("describe", &path)(error.into()))?;
        let description = description(&path);
        let described = replace_secret(&description, &text).map_err(std::io::Error::other);
        described.map_err(BackupError::io("write", description))?;
        fs::rename(unfinished, &path).map_err(BackupError::io("rename", unfinished))?;
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.map_err(BackupError::io("sync", &self.folder))
    }

    /// Lets the oldest go; never the one that was just made, whatever the clock says.
    fn tidy(&self, newest: &str) -> Result<(), BackupError> {
        let mut others = self.list()?;
        others.retain(|backup| backup.name != newest);
        let too_many = (others.len() + 1).saturating_sub(self.most as usize);
        for old in &others[..too_many.min(others.len())] {
            let path = self.folder.join(&old.name);
            remove(&path)?;
            remove(&description(&path))?;
            tracing::info!(name = old.name, "the oldest copy of the database made room");
        }
        Ok(())
    }

    /// From old to new.
    fn list(&self) -> Result<Vec<Backup>, BackupError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(BackupError::io("read", &self.folder)(error)),
        };
        let mut names: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| !name.starts_with('.') && name.ends_with(".sqlite"));
        names.sort_unstable();
        Ok(names.into_iter().filter_map(|name| described(&self.folder.join(name))).collect())
    }
}

/// What the file beside a copy says of it. One that somebody put there without is not listed.
pub(super) fn described(copy: &Path) -> Option<Backup> {
    let text = fs::read(description(copy)).ok()?;
    let backup: Backup = serde_json::from_slice(&text).ok()?;
    (copy.file_name().and_then(|name| name.to_str()) == Some(&backup.name)).then_some(backup)
}

fn description(copy: &Path) -> PathBuf {
    copy.with_extension("json")
}

/// The time as a part of a name, which sorts by it: `20260101T000130.250Z`.
fn stamp() -> String {
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    time.replace(['-', ':'], "")
}

fn remove(file: &Path) -> Result<(), BackupError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BackupError::io("remove", file)(error)),
        _ => Ok(()),
    }
}
