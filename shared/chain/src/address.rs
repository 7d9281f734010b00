//! Addresses: who holds an account.

use std::{fmt, str::FromStr};

use bech32::{Bech32m, Hrp};

use crate::{encoding::sha256, keys::PublicKey};

const PREFIX: Hrp = Hrp::parse_unchecked("rac");

/// The prefix, a separator, 52 characters of five bits each, and six of checksum.
const LENGTH: usize = 3 + 1 + 52 + 6;

/// The address of an account: SHA-256 of its public key (SubjectPublicKeyInfo, DER).
///
/// It is written in bech32m (BIP 350) with the prefix `rac`, so that a mistyped one is noticed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 32]);

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// The checksum or the characters are wrong.
    #[error("expected an address such as rac1q..., found {found:?}: {reason}")]
    NotBech32m {
        /// The text (its beginning).
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is well-formed, but of something else.
    #[error("expected an address with prefix \"rac\" and 32 bytes, found prefix {prefix:?} and {length} bytes")]
    NotAnAddress {
        /// The prefix found.
        prefix: String,
        /// The number of bytes found.
        length: usize,
    },
    /// It is written in upper case; addresses have one spelling.
    #[error("expected an address in lower case, found {found:?}")]
    NotLowerCase {
        /// The text (its beginning).
        found: String,
    },
}

impl Address {
    /// The address of a public key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self(sha256(key.der()))
    }

    /// The address behind these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(100).collect::<String>();
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(ParseAddressError::NotLowerCase { found: shown() });
        }
        let parsed = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text)
            .map_err(|error| ParseAddressError::NotBech32m { found: shown(), reason: error.to_string() })?;
        let not_an_address =
            || ParseAddressError::NotAnAddress { prefix: parsed.hrp().to_string(), length: parsed.byte_iter().len() };
        if parsed.hrp() != PREFIX || text.len() != LENGTH {
            return Err(not_an_address());
        }
        let mut bytes = [0; 32];
        for (byte, read) in bytes.iter_mut().zip(parsed.byte_iter()) {
            *byte = read;
        }
        // Four bits of the last character are padding, and must be zero: "q" stands for 00000, "s" for 10000. Were they free,
        // there would be several spellings of one address.
        let padded = matches!(parsed.data_part_ascii_no_checksum().last(), Some(b'q' | b's'));
        if padded { Ok(Self(bytes)) } else { Err(not_an_address()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_typing_errors_are_noticed() {
        let address = Address([7; 32]);
        let text = address.to_string();
        assert!(text.starts_with("rac1"), "{text}");
        assert_eq!(text.parse::<Address>(), Ok(address));
        let mut typo = text.clone().into_bytes();
        typo[10] = if typo[10] == b'q' { b'p' } else { b'q' };
        assert!(matches!(
            String::from_utf8(typo).unwrap().parse::<Address>(),
            Err(ParseAddressError::NotBech32m { .. })
        ));
        assert!(matches!(text.to_uppercase().parse::<Address>(), Err(ParseAddressError::NotLowerCase { .. })));
    }

    #[test]
    fn padding_that_is_not_zero_is_refused() {
        use bech32::{ByteIterExt as _, Fe32, Fe32IterExt as _};
        let characters: Vec<Fe32> = [7_u8; 32].into_iter().bytes_to_fes().collect();
        for padding in 0..16_u8 {
            let last = Fe32::try_from(characters[51].to_u8() | padding).unwrap();
            let data = characters[..51].iter().copied().chain([last]);
            let text: String = data.with_checksum::<Bech32m>(&PREFIX).chars().collect();
            assert_eq!(text.len(), LENGTH);
            assert_eq!(text.parse::<Address>().is_ok(), padding == 0, "{text}");
        }
    }

    #[test]
    fn other_prefixes_and_lengths_are_refused() {
        let other = bech32::encode::<Bech32m>(Hrp::parse("bc").unwrap(), &[7; 32]).unwrap();
        let short = bech32::encode::<Bech32m>(PREFIX, &[7; 20]).unwrap();
        assert!(matches!(other.parse::<Address>(), Err(ParseAddressError::NotAnAddress { .. })));
        assert!(matches!(short.parse::<Address>(), Err(ParseAddressError::NotAnAddress { .. })));
    }
}
