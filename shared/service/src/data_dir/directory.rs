//! The data directory: made private, locked, and marked with what wrote it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{SecretFileError, replace_secret};

/// What a directory holds: whose files, in which version of their format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The service they belong to, such as `peer`.
    pub service: &'static str,
    /// The version, from 1. A newer program migrates an older directory, an older program refuses a newer one.
    pub version: u32,
}

/// An open data directory. The lock is held until this is dropped, or the process ends in any way.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    format: Format,
    found: Option<u32>,
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process works in it.
    #[error("the data directory {} is in use by another process{}; stop it, or choose another with --data-dir",
        .path.display(), .holder.as_deref().map(|id| format!(" (process {id})")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other's process id, as far as it is known.
        holder: Option<String>,
    },
    /// A newer program has written it.
    #[error("the data directory {} has format {found}, this program knows up to {known}; use the newer program", .path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// It belongs to another service.
    #[error("the data directory {} holds {found:?} where raclette-{expected} files are expected; choose another with --data-dir", .path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// What its format file says (the beginning).
        found: String,
        /// The service that was to use it.
        expected: &'static str,
    },
    /// The system refuses.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The format file cannot be written.
    #[error(transparent)]
    Mark(#[from] SecretFileError),
}

impl DataDir {
    /// Opens the directory, makes it (mode 0700) if it is not there, and locks it.
    ///
    /// A directory without a format file is new and gets marked at once. One with an older format is left as it is:
    /// see [`DataDir::needs_migration_from`].
    ///
    /// # Errors
    /// The directory is in use, newer than `format`, of another service, or the system refuses.
    pub fn open(path: &Path, format: Format) -> Result<Self, DataDirError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| DataDirError::Io {
            action: "create the data directory",
            path: path.to_owned(),
            source,
        })?;
        let lock = lock(path)?;
        let found = read_format(path, format)?;
        let directory = Self { path: path.to_owned(), format, found, _lock: lock };
        if found.is_none() {
            directory.write_format()?;
        }
        Ok(directory)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The service that it belongs to.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.format.service
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The older format that was found, if a migration is due: make a backup, migrate, then
    /// [`DataDir::mark_migrated`].
    #[must_use]
    pub fn needs_migration_from(&self) -> Option<u32> {
        self.found.filter(|found| *found < self.format.version)
    }

    /// Marks the directory with the program's own format.
    ///
    /// # Errors
    /// The format file cannot be written.
    pub fn mark_migrated(&mut self) -> Result<(), DataDirError> {
        self.write_format()?;
        self.found = Some(self.format.version);
        Ok(())
    }

    fn write_format(&self) -> Result<(), DataDirError> {
        let content = format!("raclette-{} {}\n", self.format.service, self.format.version);
        Ok(replace_secret(&self.file("format"), content.as_bytes())?)
    }
}

/// Takes the lock, and leaves the process id in the file for whoever comes next.
fn lock(directory: &Path) -> Result<File, DataDirError> {
    let path = directory.join("lock");
    let failed = |source| DataDirError::Io { action: "lock", path: path.clone(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).ok().map(|text| text.trim().to_owned());
            let holder = holder.filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
            return Err(DataDirError::InUse { path: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

/// The version in the format file, if there is one.
fn read_format(directory: &Path, own: Format) -> Result<Option<u32>, DataDirError> {
    let path = directory.join("format");
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DataDirError::Io { action: "read", path, source }),
    };
    let version = text
        .trim_end()
        .strip_prefix("raclette-")
        .and_then(|rest| rest.strip_prefix(own.service))
        .and_then(|rest| rest.strip_prefix(' '))
        .and_then(|digits| digits.parse().ok());
    let Some(found) = version else {
        let found = text.trim_end().chars().take(60).collect();
        return Err(DataDirError::Foreign { path: directory.to_owned(), found, expected: own.service });
    };
    if found > own.version {
        return Err(DataDirError::Newer { path: directory.to_owned(), found, known: own.version });
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::{DataDir, DataDirError, Format};

    const ONE: Format = Format { service: "peer", version: 1 };
    const TWO: Format = Format { service: "peer", version: 2 };

    #[test]
    fn a_new_directory_is_private_and_marked() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/alice");
        let directory = DataDir::open(&path, ONE).unwrap();
        assert_eq!(directory.needs_migration_from(), None);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_to_string(directory.file("format")).unwrap(), "raclette-peer 1\n");
    }

    #[test]
    fn a_second_process_is_told_who_holds_it() {
        let parent = tempfile::tempdir().unwrap();
        let held = DataDir::open(parent.path(), ONE).unwrap();
        let error = DataDir::open(parent.path(), ONE).unwrap_err().to_string();
        assert!(error.contains("in use"), "{error}");
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(held);
        DataDir::open(parent.path(), ONE).unwrap();
    }

    #[test]
    fn newer_and_foreign_directories_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        drop(DataDir::open(parent.path(), TWO).unwrap());
        let newer = DataDir::open(parent.path(), ONE).unwrap_err();
        assert!(matches!(newer, DataDirError::Newer { found: 2, known: 1, .. }), "{newer}");
        let foreign = DataDir::open(parent.path(), Format { service: "tracker", version: 9 }).unwrap_err();
        assert!(matches!(foreign, DataDirError::Foreign { .. }), "{foreign}");
    }

    #[test]
    fn an_older_directory_is_migrated_once() {
        let parent = tempfile::tempdir().unwrap();
        drop(DataDir::open(parent.path(), ONE).unwrap());
        let mut directory = DataDir::open(parent.path(), TWO).unwrap();
        assert_eq!(directory.needs_migration_from(), Some(1));
        directory.mark_migrated().unwrap();
        assert_eq!(directory.needs_migration_from(), None);
        drop(directory);
        assert_eq!(DataDir::open(parent.path(), TWO).unwrap().needs_migration_from(), None);
    }
}
