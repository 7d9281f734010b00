//! Putting a copy in the place of the database, while the service does not run.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{Backup, BackupError, Contents, Inspect, copy, shelf};
use crate::{
    clock::now_ms,
    data_dir::{DataDir, DataDirError, Format},
    sqlite::StoreError,
};

/// The copy has this name until it takes the database's place.
const UNFINISHED: &str = "restoring.sqlite";

/// Why nothing was restored. The data directory is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The data directory cannot be used; most often because the service runs.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The file is not the one that was made.
    #[error("{} is not the copy that was made: expected SHA-256 {expected}, found {found}", .file.display())]
    Changed {
        /// The file.
        file: PathBuf,
        /// The hash in the description beside it.
        expected: String,
        /// The hash of the file.
        found: String,
    },
    /// The copy is of another kind of service.
    #[error("{} is a copy of a {found}, and this is a {expected}", .file.display())]
    OtherService {
        /// The file.
        file: PathBuf,
        /// What this is.
        expected: &'static str,
        /// What it is a copy of.
        found: String,
    },
    /// The copy is not sound.
    #[error("{} is not sound: {reason}", .file.display())]
    Unsound {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: StoreError,
    },
    /// The system refuses.
    #[error(transparent)]
    System(BackupError),
}

/// What was done.
#[derive(Debug)]
pub struct Restored {
    /// What the database holds now.
    pub contents: Contents,
    /// What the file beside the copy says of it, if there is one.
    pub described: Option<Backup>,
    /// Where the database that was there is now, if there was one.
    pub aside: Option<PathBuf>,
}

/// Puts a copy in the place of `database` in a data directory of this format, and keeps what was there under another name.
/// `inspect` may also bring the copy to the newest format.
///
/// # Errors
/// See [`RestoreError`]; in each case nothing has changed.
pub async fn restore(
    directory: &Path,
    format: Format,
    database: &str,
    file: &Path,
    inspect: &Inspect,
) -> Result<Restored, RestoreError> {
    // Its lock is held to the end: no service can start meanwhile.
    let directory = DataDir::open(directory, format)?;
    let described = shelf::described(file);
    if let Some(other) = described.as_ref().filter(|described| described.service != format.service) {
        let (file, found) = (file.to_owned(), other.service.clone());
        return Err(RestoreError::OtherService { file, expected: format.service, found });
    }
    let unfinished = directory.file(UNFINISHED);
    remove_with_logs(&unfinished)?;
    let prepared = prepare(file, &unfinished, described.as_ref(), inspect).await;
    let moved = match prepared {
        Ok(contents) => put_in_place(&unfinished, &directory.file(database)).map(|aside| (contents, aside)),
        Err(error) => Err(error),
    };
    match moved {
        Ok((contents, aside)) => Ok(Restored { contents, described, aside }),
        Err(error) => {
            // A leftover harms nobody, and goes with the next attempt.
            let _ = remove_with_logs(&unfinished);
            Err(error)
        }
    }
}

/// Copies the file beside the database and checks what has arrived.
async fn prepare(
    file: &Path,
    to: &Path,
    described: Option<&Backup>,
    inspect: &Inspect,
) -> Result<Contents, RestoreError> {
    let copied = (|| {
        let mut from = File::open(file)?;
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        io::copy(&mut from, &mut to)?;
        to.sync_all()
    })();
    copied.map_err(system("copy", file))?;
    let (_, found) = copy::digest(to).map_err(system("read", to))?;
    if let Some(Backup { sha256: expected, .. }) = described.filter(|described| described.sha256 != found) {
        return Err(RestoreError::Changed { file: file.to_owned(), expected: expected.clone(), found });
    }
    let unsound = |reason| RestoreError::Unsound { file: file.to_owned(), reason };
    copy::check(to).await.map_err(unsound)?;
    inspect(to.to_owned()).await.map_err(unsound)
}

/// The database keeps its name until the copy takes it in one step; there is always one or the other.
fn put_in_place(new: &Path, database: &Path) -> Result<Option<PathBuf>, RestoreError> {
    let aside = database.exists().then(|| database.with_file_name(format!("before-restore-{}.sqlite", now_ms())));
    let moved = (|| {
        if let Some(aside) = &aside {
            fs::hard_link(database, aside).or_else(|_| fs::copy(database, aside).map(drop))?;
            let log = with_suffix(database, "-wal");
            if log.exists() {
                fs::rename(log, with_suffix(aside, "-wal"))?;
            }
        }
        remove_one(&with_suffix(database, "-shm"))?;
        fs::rename(new, database)?;
        File::open(database.parent().unwrap_or(Path::new(".")))?.sync_all()
    })();
    moved.map_err(system("replace", database))?;
    Ok(aside)
}

fn system(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::System(BackupError::Io { action, path, source })
}

fn remove_with_logs(file: &Path) -> Result<(), RestoreError> {
    let removed = ["", "-wal", "-shm"].iter().try_for_each(|suffix| remove_one(&with_suffix(file, suffix)));
    removed.map_err(system("remove", file))
}

fn remove_one(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
