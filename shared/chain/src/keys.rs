//! RSA identities: public keys and signatures, and private keys.
//!
//! A key has a modulus of exactly 2048, 3072 (default) or 4096 bits and the exponent 65537. `rsa` makes, encodes and
//! decodes private keys and encrypts to public ones; `aws-lc-rs` signs, verifies and decrypts, several times as fast and
//! in constant time.

mod known;
mod private;
mod public;

pub use private::{KeyFileError, KeySize, PrivateKey};
pub use public::{PublicKey, PublicKeyError, Signature, SignatureError};
