//! Public keys and signatures: one encoding each, checked before any arithmetic.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::known;
use crate::address::Address;

/// A SubjectPublicKeyInfo (RFC 5280) of an RSA key (RFC 8017) around its modulus, for one size of the modulus.
///
/// Size, algorithm (rsaEncryption with NULL parameters) and exponent (65537) being fixed, all other bytes are too, and
/// comparing with this template is the same as decoding and encoding again.
struct Template {
    modulus_length: usize,
    /// Everything before the modulus, its leading zero byte included.
    prefix: &'static [u8],
}

/// INTEGER 65537, behind the modulus.
const EXPONENT: &[u8] = &[0x02, 0x03, 0x01, 0x00, 0x01];

const TEMPLATES: [Template; 3] = [
    Template {
        modulus_length: 256,
        prefix: &[
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
            0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
        ],
    },
    Template {
        modulus_length: 384,
        prefix: &[
            0x30, 0x82, 0x01, 0xa2, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
            0x00, 0x03, 0x82, 0x01, 0x8f, 0x00, 0x30, 0x82, 0x01, 0x8a, 0x02, 0x82, 0x01, 0x81, 0x00,
        ],
    },
    Template {
        modulus_length: 512,
        prefix: &[
            0x30, 0x82, 0x02, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
            0x00, 0x03, 0x82, 0x02, 0x0f, 0x00, 0x30, 0x82, 0x02, 0x0a, 0x02, 0x82, 0x02, 0x01, 0x00,
        ],
    },
];

/// The bytes that come before the PKCS#1 RSAPublicKey inside of the SubjectPublicKeyInfo.
const SPKI_HEADER_LENGTH: usize = 24;

/// An RSA public key of exactly 2048, 3072 or 4096 bits with the exponent 65537, in its only encoding.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    modulus_start: usize,
    address: Address,
    /// Prepared for verification at first use: many keys are only passed on.
    parsed: OnceLock<Option<ParsedPublicKey>>,
}

/// Why bytes or text are not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not the DER of an RSA key with an allowed size, exponent 65537 and NULL parameters.
    #[error(
        "expected the SubjectPublicKeyInfo (DER) of an RSA key with 2048, 3072 or 4096 bits and exponent 65537, in its \
         shortest encoding; found {length} other bytes"
    )]
    NotAnRsaKey {
        /// The number of bytes found.
        length: usize,
    },
    /// The modulus is even, so it is no product of two odd primes.
    #[error("expected an odd modulus, found an even one")]
    EvenModulus,
    /// Not a PEM block "PUBLIC KEY", or not in its only spelling (64 characters a line, a newline at the end).
    #[error(
        "expected a PEM block \"PUBLIC KEY\" with lines of 64 characters and a newline at its end, as openssl writes it"
    )]
    NotPem,
}

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----\n";
const PEM_END: &str = "-----END PUBLIC KEY-----\n";
const PEM_LINE: usize = 64;

impl PublicKey {
    /// The key behind a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// - [`PublicKeyError::NotAnRsaKey`]: another algorithm, size, exponent or encoding.
    /// - [`PublicKeyError::EvenModulus`].
    pub fn from_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        if let Some(known) = known::find(der) {
            return Ok(known);
        }
        let not_a_key = PublicKeyError::NotAnRsaKey { length: der.len() };
        let Some(template) = TEMPLATES
            .iter()
            .find(|template| der.len() == template.prefix.len() + template.modulus_length + EXPONENT.len())
        else {
            return Err(not_a_key);
        };
        let (prefix, rest) = der.split_at(template.prefix.len());
        let (modulus, exponent) = rest.split_at(template.modulus_length);
        // The top bit must be set: otherwise the modulus is shorter, or its leading zero byte is not the shortest form.
        if prefix != template.prefix || exponent != EXPONENT || modulus[0] & 0x80 == 0 {
            return Err(not_a_key);
        }
        if modulus[modulus.len() - 1] & 1 == 0 {
            return Err(PublicKeyError::EvenModulus);
        }
        let address = Address::from_bytes(crate::encoding::sha256(der));
        let inner = Inner { der: der.to_vec(), modulus_start: template.prefix.len(), address, parsed: OnceLock::new() };
        let key = Self(Arc::new(inner));
        known::remember(&key);
        Ok(key)
    }

    /// The key in a PEM block (RFC 7468), exactly as [`PublicKey::to_pem`] and `openssl pkey -pubout` write it.
    ///
    /// # Errors
    /// [`PublicKeyError::NotPem`] or those of [`PublicKey::from_der`].
    pub fn from_pem(pem: &str) -> Result<Self, PublicKeyError> {
        let body =
            pem.strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END)).ok_or(PublicKeyError::NotPem)?;
        let mut base64 = String::with_capacity(body.len());
        for line in body.split_inclusive('\n') {
            base64.push_str(line.strip_suffix('\n').ok_or(PublicKeyError::NotPem)?);
        }
        let der = BASE64.decode(&base64).map_err(|_| PublicKeyError::NotPem)?;
        let key = Self::from_der(&der)?;
        if key.to_pem() == pem { Ok(key) } else { Err(PublicKeyError::NotPem) }
    }

    /// The key as a PEM block (RFC 7468) that openssl reads.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let base64 = BASE64.encode(&self.0.der);
        let mut pem =
            String::with_capacity(PEM_BEGIN.len() + base64.len() + base64.len() / PEM_LINE + 1 + PEM_END.len());
        pem.push_str(PEM_BEGIN);
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(PEM_LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str(PEM_END);
        pem
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The PKCS#1 RSAPublicKey inside.
    pub(crate) fn pkcs1(&self) -> &[u8] {
        &self.0.der[SPKI_HEADER_LENGTH..]
    }

    /// The address of this key's account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.0.address
    }

    /// The modulus as a big-endian number: 256, 384 or 512 bytes.
    #[must_use]
    pub fn modulus(&self) -> &[u8] {
        &self.0.der[self.0.modulus_start..self.0.der.len() - EXPONENT.len()]
    }

    /// Whether `signature` is this key's over `message`: RSASSA-PSS (RFC 8017) with SHA-256, MGF1 with SHA-256 and a salt
    /// of exactly 32 bytes, exactly as long as the modulus and below it.
    ///
    /// # Errors
    /// - [`SignatureError::WrongLength`], [`SignatureError::NotBelowModulus`]: it cannot be a signature of this key.
    /// - [`SignatureError::DoesNotVerify`]: it is none over this message.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let modulus = self.modulus();
        if signature.0.len() != modulus.len() {
            return Err(SignatureError::WrongLength { expected: modulus.len(), found: signature.0.len() });
        }
        // Equal lengths, so the order of the bytes is the order of the numbers.
        if signature.0.as_slice() >= modulus {
            return Err(SignatureError::NotBelowModulus);
        }
        let parsed = self.0.parsed.get_or_init(|| ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, self.pkcs1()).ok());
        let key = parsed.as_ref().ok_or(SignatureError::DoesNotVerify)?;
        key.verify_sig(message, &signature.0).map_err(|_| SignatureError::DoesNotVerify)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.address == other.0.address
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.0.address)
    }
}

/// An RSASSA-PSS signature: as many bytes as its key's modulus has. Not yet verified by being one of these.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Signature(Vec<u8>);

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Its length is not that of the key's modulus.
    #[error("expected a signature of {expected} bytes, found {found}")]
    WrongLength {
        /// The length of the modulus.
        expected: usize,
        /// The length of the signature.
        found: usize,
    },
    /// As a number it is not below the modulus, so there would be a second signature for the same bytes.
    #[error("the signature, as a number, is not below the modulus of its key")]
    NotBelowModulus,
    /// It is no signature of this key over these bytes.
    #[error("the signature is not one of this key over these bytes (RSASSA-PSS, SHA-256, salt of 32 bytes)")]
    DoesNotVerify,
}

impl Signature {
    /// These bytes as a signature.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({} bytes)", self.0.len())
    }
}
