//! Keys for tests, so that no test has to make any. They are public: never use them for anything else.

use crate::keys::PrivateKey;

/// A 2048-bit test key.
pub const ALICE_PEM: &str = include_str!("../testkeys/alice.pem");
/// A 2048-bit test key.
pub const BOB_PEM: &str = include_str!("../testkeys/bob.pem");
/// A 2048-bit test key.
pub const CAROL_PEM: &str = include_str!("../testkeys/carol.pem");
/// A 2048-bit test key.
pub const DAVE_PEM: &str = include_str!("../testkeys/dave.pem");

/// Reads one of the test keys.
///
/// # Panics
/// If the text is no key.
#[must_use]
pub fn key(pem: &str) -> PrivateKey {
    PrivateKey::from_pem(pem, None).expect("the committed test keys are valid")
}
