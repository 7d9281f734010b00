//! The tracker's own key: made at the first start, kept in a file that only its owner can read.

use std::path::Path;

use raclette_chain::{
    address::Address,
    keys::{KeyFileError, KeySize, PrivateKey},
};
use raclette_service::data_dir::{SecretFileError, create_secret, read_secret};

/// The tracker's key and the address that follows from it.
#[derive(Debug)]
pub struct Identity {
    key: PrivateKey,
}

/// Why there is no key to use.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or made.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The file holds no key that can be used.
    #[error("{path}: {source}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: KeyFileError,
    },
}

impl Identity {
    /// The identity behind a key.
    #[must_use]
    pub fn new(key: PrivateKey) -> Self {
        Self { key }
    }

    /// Reads the key file, or makes it with a new key of this size. Making one takes up to a few seconds of one core.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn load_or_create(path: &Path, size: KeySize) -> Result<Self, IdentityError> {
        let unusable = |source| IdentityError::Key { path: path.display().to_string(), source };
        if !path.exists() {
            let key = PrivateKey::generate(size).map_err(unusable)?;
            create_secret(path, key.to_pem(None).map_err(unusable)?.as_bytes())?;
            return Ok(Self::new(key));
        }
        let pem = String::from_utf8(read_secret(path)?).map_err(|_| unusable(KeyFileError::NotPkcs8))?;
        PrivateKey::from_pem(&pem, None).map(Self::new).map_err(unusable)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The address of the key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.public().address()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let made = Identity::load_or_create(&path, KeySize::Bits2048).unwrap();
        let read = Identity::load_or_create(&path, KeySize::Bits4096).unwrap();
        assert_eq!(made.address(), read.address());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        create_secret(&path, b"no key").unwrap();
        assert!(matches!(Identity::load_or_create(&path, KeySize::Bits2048), Err(IdentityError::Key { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"no key");
    }
}
