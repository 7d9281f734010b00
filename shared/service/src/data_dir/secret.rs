//! Files that hold a secret: readable by their owner only, and never half-written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rand::Rng;

/// Why a secret file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// There is a file of this name already.
    #[error("{} exists already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read or write it.
    #[error("{path} holds a secret but has mode {mode:o}; others must not see it: chmod 600 {path}", path = .path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system refuses.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The content of a secret file.
///
/// # Errors
/// It cannot be read, or its mode lets others than its owner in.
pub fn read_secret(path: &Path) -> Result<Vec<u8>, SecretFileError> {
    let failed = |source| SecretFileError::Io { action: "read", path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    // The open file is asked, not the name, so that nobody can exchange the file in between.
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::TooOpen { path: path.to_owned(), mode });
    }
    let mut content = Vec::new();
    io::Read::read_to_end(&mut file, &mut content).map_err(failed)?;
    Ok(content)
}

/// Makes a secret file with mode 0600, unless there is a file of that name.
///
/// The file appears whole or not at all, and is on the disk when this returns.
///
/// # Errors
/// [`SecretFileError::Exists`], or the system refuses.
pub fn create_secret(path: &Path, content: &[u8]) -> Result<(), SecretFileError> {
    publish(path, content, |temporary| {
        // A hard link fails if the name is taken; a rename would replace it.
        let linked = fs::hard_link(temporary, path);
        fs::remove_file(temporary)?;
        linked
    })
    .map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => SecretFileError::Exists { path: path.to_owned() },
        _ => SecretFileError::Io { action: "create", path: path.to_owned(), source },
    })
}

/// Writes a secret file with mode 0600, in place of the one there may be.
///
/// The change happens at once or not at all, and is on the disk when this returns.
///
/// # Errors
/// The system refuses.
pub fn replace_secret(path: &Path, content: &[u8]) -> Result<(), SecretFileError> {
    publish(path, content, |temporary| fs::rename(temporary, path)).map_err(|source| SecretFileError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

/// Writes a temporary file beside `path`, has it put in place, and syncs both the file and the directory.
fn publish(path: &Path, content: &[u8], put: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let temporary = directory.join(format!(".{}.{:016x}.tmp", name.to_string_lossy(), rand::rng().next_u64()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()
    })();
    if let Err(error) = written.and_then(|()| put(&temporary)) {
        // Nothing to do about a leftover that cannot be removed: it has mode 0600 and a name of its own.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::{SecretFileError, create_secret, read_secret, replace_secret};

    #[test]
    fn a_secret_is_created_once_with_mode_0600() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        create_secret(&path, b"one").unwrap();
        assert!(matches!(create_secret(&path, b"two"), Err(SecretFileError::Exists { .. })));
        assert_eq!(read_secret(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn replacing_leaves_nothing_else_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        replace_secret(&path, b"one").unwrap();
        replace_secret(&path, b"two").unwrap();
        assert_eq!(read_secret(&path).unwrap(), b"two");
        assert!(create_secret(&path, b"three").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_secret("/nowhere/token".as_ref()).unwrap_err();
        assert!(error.to_string().starts_with("cannot read /nowhere/token"), "{error}");
    }
}
