//! One copy: made by SQLite in one read transaction, checked by it as a whole, and hashed.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use sha2::{Digest as _, Sha256};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::BackupError;
use crate::sqlite::StoreError;

/// Copies the database into a new file (mode 0600), which is on the disk when this returns. Whoever writes to the database
/// is not held up; what is committed meanwhile is not in the copy.
pub(super) async fn copy(database: &Path, to: &Path) -> Result<(), BackupError> {
    // SQLite fills an empty file, so that the mode is right from its first byte.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let file = made.map_err(BackupError::io("create", to))?;
    let name = to.to_str().ok_or(io::ErrorKind::InvalidInput.into());
    let name = name.map_err(BackupError::io("name in UTF-8", to))?;
    let mut connection = reader(database, false).await?;
    let copied = sqlx::query("vacuum into ?1").bind(name).execute(&mut connection).await;
    connection.close().await.map_err(StoreError::from)?;
    copied.map_err(StoreError::from)?;
    file.sync_all().map_err(BackupError::io("sync", to))
}

/// Has SQLite check every page and every index of a file that nobody writes to.
pub(super) async fn check(file: &Path) -> Result<(), StoreError> {
    let mut connection = reader(file, true).await?;
    let found: String = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(&mut connection).await?;
    connection.close().await?;
    if found == "ok" { Ok(()) } else { Err(StoreError::damaged("the copy", &found.replace('\n', " "))) }
}

async fn reader(file: &Path, immutable: bool) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(immutable);
    Ok(options.disable_statement_logging().connect().await?)
}

/// The length of a file and its SHA-256 in hex.
pub(super) fn digest(file: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(file)?;
    let (mut hash, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        length += read as u64;
    }
    let digits = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((length, digits))
}
