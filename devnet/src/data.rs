//! The directory of the network: one devnet at a time, a subdirectory for each service, and starting over.
//!
//! Starting over deletes keys and money, so it deletes only what devnet itself made: subdirectories with a marker file.
//! A peer that somebody started by hand may live beside them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::plan::Service;

/// The file that tells that devnet made a directory.
const MARKER: &str = "made-by-devnet";
const MARKER_TEXT: &str = "devnet made this directory, and `--fresh` deletes it. Remove this file to keep the rest.\n";

/// The directory of a running network. It is locked until this is dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// Another devnet uses it.
    #[error("another devnet{holder} is running with the data in {}; stop it, or choose another directory with --data",
        .path.display())]
    InUse { path: PathBuf, holder: String },
    /// The system refuses.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl DataDirectory {
    /// Opens the directory, and makes it if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        make(path)?;
        Ok(Self { path: path.to_owned(), _lock: lock(path)? })
    }

    /// Deletes what devnet made in it; the names of the subdirectories that are gone.
    pub(crate) fn start_over(&self) -> Result<Vec<String>, DataError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| DataError::Io { action, path, source }
        };
        let mut gone = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed("read", &self.path))? {
            let entry = entry.map_err(failed("read", &self.path))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(failed("look at", &path))?;
            if kind.is_dir() && path.join(MARKER).is_file() {
                fs::remove_dir_all(&path).map_err(failed("delete", &path))?;
                gone.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        gone.sort();
        Ok(gone)
    }

    /// Makes the directory of a service, with the marker, unless it is there already.
    pub(crate) fn prepare(&self, service: &Service) -> Result<(), DataError> {
        let path = &service.directory;
        if path.exists() {
            return Ok(());
        }
        make(path)?;
        let marker = path.join(MARKER);
        fs::write(&marker, MARKER_TEXT).map_err(|source| DataError::Io { action: "write", path: marker, source })
    }
}

fn make(path: &Path) -> Result<(), DataError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| DataError::Io { action: "make the directory", path: path.to_owned(), source })
}

/// Takes the lock, and leaves the number of this process in the file for whoever comes next.
fn lock(directory: &Path) -> Result<File, DataError> {
    let path = directory.join("devnet.lock");
    let failed = |source| DataError::Io { action: "lock", path: path.clone(), source };
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let number = fs::read_to_string(&path).unwrap_or_default();
            let number = number.trim();
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let holder = if is_number { format!(" (process {number})") } else { String::new() };
            return Err(DataError::InUse { path: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::{DataDirectory, DataError};
    use crate::{cli::Cli, plan};

    #[test]
    fn starting_over_deletes_only_what_devnet_made() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        let data = DataDirectory::open(&root).unwrap();
        let by_hand = root.join("bob");
        fs::create_dir(&by_hand).unwrap();
        fs::write(by_hand.join("key.pem"), "precious").unwrap();
        fs::write(root.join("notes.txt"), "mine").unwrap();
        let options = Cli::parse_from(["devnet", "--data", root.to_str().unwrap()]).options;
        for service in plan::services(&options) {
            data.prepare(&service).unwrap();
        }

        assert_eq!(data.start_over().unwrap(), ["alice", "carol", "tracker"]);
        assert_eq!(fs::read_to_string(by_hand.join("key.pem")).unwrap(), "precious");
        assert!(root.join("notes.txt").exists());
        assert!(!root.join("alice").exists());
    }

    #[test]
    fn a_second_devnet_on_the_same_data_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(directory.path()).unwrap();
        let error = DataDirectory::open(directory.path()).unwrap_err();
        assert!(matches!(&error, DataError::InUse { .. }), "{error}");
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        DataDirectory::open(directory.path()).unwrap();
    }
}
