//! The owner's token: the secret that opens the owner's routes.

use std::{fmt, path::Path, str::FromStr};

use rand::Rng;
use subtle::ConstantTimeEq;

use crate::data_dir::{SecretFileError, create_secret, read_secret};

/// A bearer token (RFC 6750): 32 random bytes in hex, or what the owner chose. One that begins with `demo-` may be short:
/// it says itself that it protects nothing.
///
/// It compares in constant time and never shows itself in `Debug`.
#[derive(Clone)]
pub struct Token(String);

/// Why there is no usable token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is too short to be a secret, or has characters that a header cannot carry.
    #[error(
        "a token has {shortest} to {longest} characters of A-Z a-z 0-9 - . _ ~ + / =; this one has {length} characters{}",
        if *.characters { "" } else { ", not all of these" },
        shortest = Token::SHORTEST,
        longest = Token::LONGEST
    )]
    Unfit {
        /// How long it is, in bytes.
        length: usize,
        /// Whether all its characters are allowed.
        characters: bool,
    },
    /// Its file cannot be read or made.
    #[error(transparent)]
    File(#[from] SecretFileError),
}

impl Token {
    /// The least number of characters in a token that the owner chose.
    pub const SHORTEST: usize = 16;
    /// The greatest number of characters in a token.
    pub const LONGEST: usize = 256;
    /// How a token begins that everybody may know.
    const DEMO: &str = "demo-";

    /// A fresh token: 32 bytes of the thread's cryptographic generator, as 64 hex digits.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0_u8; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The token in this file, which is made with mode 0600 and a fresh token if there is none.
    ///
    /// # Errors
    /// The file cannot be read or made, is open to others than its owner, or holds no fit token.
    pub fn load_or_create(path: &Path) -> Result<Self, TokenError> {
        match create_secret(path, format!("{}\n", Self::generate().reveal()).as_bytes()) {
            Ok(()) | Err(SecretFileError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        // It is read also when it was just made, so that two processes that start at once agree.
        let bytes = read_secret(path)?;
        String::from_utf8_lossy(&bytes).trim_end().parse()
    }

    /// Whether this is the token; takes as long for every text of the right length.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }

    /// Whether it is one that everybody may know, for demonstrations.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.0.starts_with(Self::DEMO)
    }

    /// The token itself, for the `Authorization` header of a caller.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let characters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        let shortest = if text.starts_with(Self::DEMO) { Self::DEMO.len() + 1 } else { Self::SHORTEST };
        if !characters || !(shortest..=Self::LONGEST).contains(&text.len()) {
            return Err(TokenError::Unfit { length: text.len(), characters });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    use super::{Token, TokenError};
    use crate::data_dir::SecretFileError;

    #[test]
    fn the_token_is_made_once_and_then_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let first = Token::load_or_create(&path).unwrap();
        let second = Token::load_or_create(&path).unwrap();
        assert_eq!(first.reveal(), second.reveal());
        assert_eq!(first.reveal().len(), 64);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        Token::load_or_create(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = Token::load_or_create(&path).unwrap_err();
        assert!(matches!(error, TokenError::File(SecretFileError::TooOpen { mode: 0o640, .. })), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn only_the_very_token_matches() {
        let token: Token = "correct-horse-battery".parse().unwrap();
        assert!(token.matches(b"correct-horse-battery"));
        for wrong in ["", "correct-horse-batterz", "correct-horse-batter", "correct-horse-battery "] {
            assert!(!token.matches(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn unfit_tokens_are_refused_and_debug_is_redacted() {
        for unfit in ["", "short", "has a space in the middle", "umlauts-äöü-äöü-äöü", "demo-", "demo", "demo- x"]
        {
            assert!(unfit.parse::<Token>().is_err(), "{unfit}");
        }
        assert!("demo-alice".parse::<Token>().unwrap().is_demo());
        let token = Token::generate();
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
