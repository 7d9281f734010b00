//! Private keys: making, storing, signing, decrypting. They never show themselves in logs or errors.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey},
    signature::{RSA_PSS_SHA256, RsaKeyPair},
};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use zeroize::Zeroizing;

use super::public::{PublicKey, Signature};

/// The size of a key's modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeySize {
    /// 2048 bits: fast, for tests.
    Bits2048,
    /// 3072 bits: what NIST SP 800-57 counts as 128 bits of security.
    #[default]
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl KeySize {
    /// The number of bits.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }
}

/// An RSA private key, ready to sign and to decrypt.
pub struct PrivateKey {
    public: PublicKey,
    key_pair: RsaKeyPair,
    decrypting: OaepPrivateDecryptingKey,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// Why a key file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// It is encrypted and no passphrase was given.
    #[error("the key is encrypted: a passphrase is needed")]
    PassphraseNeeded,
    /// It could not be decrypted.
    #[error("the key could not be decrypted: the passphrase is wrong, or the file is damaged")]
    WrongPassphrase,
    /// It is not a PKCS#8 private key in PEM.
    #[error("expected a PEM block \"PRIVATE KEY\" or \"ENCRYPTED PRIVATE KEY\" (PKCS#8) of an RSA key")]
    NotPkcs8,
    /// Its size, exponent or numbers are not allowed.
    #[error("expected an RSA key with 2048, 3072 or 4096 bits and exponent 65537")]
    NotAllowed,
}

impl PrivateKey {
    /// Makes a new key. Takes from a tenth of a second to a few seconds of one core.
    ///
    /// # Errors
    /// [`KeyFileError::NotAllowed`] if the operating system gives no randomness.
    pub fn generate(size: KeySize) -> Result<Self, KeyFileError> {
        let key = rsa::PrivateKey::new(&mut rand::rng(), size.bits()).map_err(|_| KeyFileError::NotAllowed)?;
        Self::from_rsa(&key)
    }

    /// Reads a PKCS#8 key (RFC 5958) from PEM; a passphrase is used if the key is encrypted (PBES2, RFC 8018).
    ///
    /// # Errors
    /// See [`KeyFileError`]; none of them tells anything about the key.
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyFileError> {
        let key = if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            let passphrase = passphrase.ok_or(KeyFileError::PassphraseNeeded)?;
            rsa::PrivateKey::from_pkcs8_encrypted_pem(pem, passphrase).map_err(|_| KeyFileError::WrongPassphrase)?
        } else {
            rsa::PrivateKey::from_pkcs8_pem(pem).map_err(|_| KeyFileError::NotPkcs8)?
        };
        Self::from_rsa(&key)
    }

    /// Writes the key as PKCS#8 in PEM, encrypted if a passphrase is given (PBES2 with scrypt and AES-256-CBC).
    ///
    /// # Errors
    /// [`KeyFileError::NotPkcs8`] if the key cannot be encoded, which does not happen for a key that was made or read here.
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, KeyFileError> {
        let key = rsa::PrivateKey::from_pkcs8_der(&self.pkcs8).map_err(|_| KeyFileError::NotPkcs8)?;
        match passphrase {
            Some(passphrase) => key.to_pkcs8_encrypted_pem(passphrase, LineEnding::LF),
            None => key.to_pkcs8_pem(LineEnding::LF),
        }
        .map_err(|_| KeyFileError::NotPkcs8)
    }

    fn from_rsa(key: &rsa::PrivateKey) -> Result<Self, KeyFileError> {
        let spki = key.to_public_key().to_public_key_der().map_err(|_| KeyFileError::NotAllowed)?;
        let public = PublicKey::from_der(spki.as_bytes()).map_err(|_| KeyFileError::NotAllowed)?;
        let pkcs8 = Zeroizing::new(key.to_pkcs8_der().map_err(|_| KeyFileError::NotPkcs8)?.as_bytes().to_vec());
        let key_pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|_| KeyFileError::NotAllowed)?;
        let decrypting = PrivateDecryptingKey::from_pkcs8(&pkcs8)
            .ok()
            .and_then(|key| OaepPrivateDecryptingKey::new(key).ok())
            .ok_or(KeyFileError::NotAllowed)?;
        Ok(Self { public, key_pair, decrypting, pkcs8 })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`: RSASSA-PSS, SHA-256, salt of 32 bytes. Takes about a millisecond of one core.
    ///
    /// # Panics
    /// Never in practice: only when the operating system gives no randomness for the salt.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = vec![0; self.key_pair.public_modulus_len()];
        self.key_pair
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("the buffer is as long as the modulus and the operating system provides randomness");
        Signature::from_bytes(signature)
    }

    /// Decrypts RSA-OAEP with SHA-256 and no label; none if it was not encrypted to this key.
    #[must_use]
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(vec![0; self.decrypting.min_output_size()]);
        let length = self.decrypting.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut buffer, None).ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {})", self.public.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{PublicKeyError, SignatureError};
    use rsa::pkcs8::DecodePublicKey as _;

    fn key() -> PrivateKey {
        PrivateKey::from_pem(crate::testing::ALICE_PEM, None).unwrap()
    }

    #[test]
    fn a_key_file_round_trips_plain_and_encrypted() {
        let key = key();
        let plain = key.to_pem(None).unwrap();
        assert_eq!(PrivateKey::from_pem(&plain, None).unwrap().public(), key.public());
        let encrypted = key.to_pem(Some("correct horse")).unwrap();
        assert_eq!(PrivateKey::from_pem(&encrypted, Some("correct horse")).unwrap().public(), key.public());
        assert_eq!(PrivateKey::from_pem(&encrypted, Some("wrong")).unwrap_err(), KeyFileError::WrongPassphrase);
        assert_eq!(PrivateKey::from_pem(&encrypted, None).unwrap_err(), KeyFileError::PassphraseNeeded);
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn every_allowed_size_can_be_made_and_no_other_read() {
        for size in [KeySize::Bits2048, KeySize::Bits3072] {
            let key = PrivateKey::generate(size).unwrap();
            assert_eq!(key.public().modulus().len() * 8, size.bits());
            assert_eq!(PublicKey::from_pem(&key.public().to_pem()).unwrap(), *key.public());
        }
        let small = rsa::PrivateKey::from_pkcs8_pem(SMALL_PEM).unwrap();
        assert_eq!(PrivateKey::from_rsa(&small).unwrap_err(), KeyFileError::NotAllowed);
    }

    #[test]
    fn signatures_verify_here_and_in_another_library_and_fail_for_anything_else() {
        use rsa::signature::Verifier as _;
        let key = key();
        let signature = key.sign(b"hello");
        assert_eq!(key.public().verify(b"hello", &signature), Ok(()));
        assert_eq!(key.public().verify(b"hullo", &signature), Err(SignatureError::DoesNotVerify));
        let other = rsa::PublicKey::from_public_key_der(key.public().der()).unwrap();
        let verifying = rsa::pss::VerifyingKey::<rsa::sha2::Sha256>::new(other);
        verifying.verify(b"hello", &rsa::pss::Signature::try_from(signature.as_bytes()).unwrap()).unwrap();
        let short = Signature::from_bytes(signature.as_bytes()[1..].to_vec());
        assert!(matches!(key.public().verify(b"hello", &short), Err(SignatureError::WrongLength { .. })));
        let large = Signature::from_bytes(key.public().modulus().to_vec());
        assert_eq!(key.public().verify(b"hello", &large), Err(SignatureError::NotBelowModulus));
    }

    #[test]
    fn a_salt_of_another_length_is_refused() {
        use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
        let private = rsa::PrivateKey::from_pkcs8_pem(crate::testing::ALICE_PEM).unwrap();
        for salt in [0, 20, 64] {
            let signing = rsa::pss::SigningKey::<rsa::sha2::Sha256>::new_with_salt_len(private.clone(), salt);
            let signature = Signature::from_bytes(signing.sign_with_rng(&mut rand::rng(), b"hello").to_vec());
            assert_eq!(key().public().verify(b"hello", &signature), Err(SignatureError::DoesNotVerify), "salt {salt}");
        }
    }

    #[test]
    fn the_strict_reader_agrees_with_the_rsa_crate() {
        for size in [2048, 3072, 4096] {
            let modulus = {
                let mut bytes = vec![0xab; size / 8];
                bytes[size / 8 - 1] |= 1;
                bytes
            };
            let other = rsa::PublicKey::new_unchecked(
                rsa::BoxedUint::from_be_slice(&modulus, u32::try_from(size).unwrap()).unwrap(),
                rsa::BoxedUint::from(65_537_u64),
            );
            let der = other.to_public_key_der().unwrap();
            let key = PublicKey::from_der(der.as_bytes()).unwrap();
            assert_eq!(key.modulus(), modulus);
            assert_eq!(key.to_pem(), other.to_public_key_pem(LineEnding::LF).unwrap());
        }
    }

    #[test]
    fn keys_in_another_encoding_are_refused() {
        let der = key().public().der().to_vec();
        let mut exponent_three = der.clone();
        *exponent_three.last_mut().unwrap() = 3;
        let mut even = der.clone();
        let last_of_modulus = even.len() - EXPONENT_LENGTH - 1;
        even[last_of_modulus] &= 0xfe;
        let trailing = [der.as_slice(), &[0]].concat();
        assert!(matches!(PublicKey::from_der(&exponent_three), Err(PublicKeyError::NotAnRsaKey { .. })));
        assert_eq!(PublicKey::from_der(&even), Err(PublicKeyError::EvenModulus));
        assert!(matches!(PublicKey::from_der(&trailing), Err(PublicKeyError::NotAnRsaKey { .. })));
        let pem = key().public().to_pem();
        assert_eq!(PublicKey::from_pem(pem.trim_end()), Err(PublicKeyError::NotPem));
        assert_eq!(PublicKey::from_pem(&pem.replace('\n', "\r\n")), Err(PublicKeyError::NotPem));
    }

    const EXPONENT_LENGTH: usize = 5;

    /// A key of 1024 bits: too small.
    const SMALL_PEM: &str = include_str!("../../testkeys/too-small.pem");
}
