//! How values are written in JSON: one spelling for each, and nothing else is read.

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use raclette_chain::{
    PROTOCOL_VERSION,
    address::Address,
    amount::{Amount, MAX_SAFE_INTEGER},
    hash::NetworkId,
    keys::{PublicKey, Signature},
    parameters::is_valid_name,
    target::CompactTarget,
    time::Timestamp,
};
use serde::{Deserialize, Deserializer};

use crate::error::ApiError;

/// The longest host in a registration, in bytes: the longest name of the DNS (RFC 1035).
pub const MAX_HOST_LENGTH: usize = 253;

/// Reads an optional member of a request that may be absent, but not `null`: that would be a second way to leave it out.
///
/// For `#[serde(default, deserialize_with = "present")]`.
///
/// # Errors
/// Those of reading a `T`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Writes bytes as lower-case hex.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    faster_hex::hex_string(bytes)
}

/// Writes bytes as base64 with padding (RFC 4648 section 4).
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Writes bytes as base64url without padding (RFC 4648 section 5).
#[must_use]
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads exactly `N` bytes from lower-case hex.
///
/// # Errors
/// When the text is anything else.
pub fn from_hex<const N: usize>(field: &str, text: &str) -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    let read = text.len() == 2 * N
        && faster_hex::hex_decode_with_case(text.as_bytes(), &mut bytes, faster_hex::CheckCase::Lower).is_ok();
    if read {
        Ok(bytes)
    } else {
        Err(ApiError::malformed(field, format_args!("{} lower-case hex digits", 2 * N), quoted(text)))
    }
}

/// Reads base64 with padding, in its only spelling.
///
/// # Errors
/// When the text is anything else.
pub fn from_base64(field: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    match STANDARD.decode(text) {
        Ok(bytes) if to_base64(&bytes) == text => Ok(bytes),
        _ => Err(ApiError::malformed(field, "base64 with padding (RFC 4648 section 4)", quoted(text))),
    }
}

/// Reads base64url without padding, in its only spelling.
///
/// # Errors
/// When the text is anything else.
pub fn from_base64url(field: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if to_base64url(&bytes) == text => Ok(bytes),
        _ => Err(ApiError::malformed(field, "base64url without padding (RFC 4648 section 5)", quoted(text))),
    }
}

/// Reads a hash of any kind: 64 lower-case hex digits.
///
/// # Errors
/// When the text is anything else.
pub fn hash<T: FromStr>(field: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::malformed(field, "64 lower-case hex digits", quoted(text)))
}

/// Reads an address in bech32m (BIP 350).
///
/// # Errors
/// When the text is anything else. What looks like an address in all but its checksum is inconsistent, not malformed: no
/// schema can tell.
pub fn address(field: &str, text: &str) -> Result<Address, ApiError> {
    text.parse().map_err(|error| match looks_like_address(text) {
        true => ApiError::inconsistent(field, "an address whose checksum fits", error),
        false => ApiError::malformed(field, "an address such as rac1q..., in lower case", error),
    })
}

/// Whether a text has the pattern of an address in the OpenAPI documents.
fn looks_like_address(text: &str) -> bool {
    let data = text.strip_prefix("rac1").unwrap_or_default();
    data.len() == 58 && data.bytes().all(|byte| b"023456789acdefghjklmnpqrstuvwxyz".contains(&byte))
}

/// Reads a public key in PEM (RFC 7468).
///
/// # Errors
/// When the text is anything else.
pub fn public_key(field: &str, pem: &str) -> Result<PublicKey, ApiError> {
    let expected = "the PEM block \"PUBLIC KEY\" of an RSA key with 2048, 3072 or 4096 bits";
    PublicKey::from_pem(pem)
        .map_err(|error| ApiError::malformed(field, expected, format_args!("another text ({error})")))
}

/// Reads a signature. Whether it holds is another question.
///
/// # Errors
/// When the text is not base64 with padding, or of a length that no key has.
pub fn signature(field: &str, text: &str) -> Result<Signature, ApiError> {
    let bytes = from_base64(field, text)?;
    match bytes.len() {
        256 | 384 | 512 => Ok(Signature::from_bytes(bytes)),
        length => Err(ApiError::malformed(field, "256, 384 or 512 bytes", format_args!("{length} bytes"))),
    }
}

/// Reads a compact target: 8 lower-case hex digits. Whether it is canonical is a rule of the chain.
///
/// # Errors
/// When the text is anything else.
pub fn compact_target(field: &str, text: &str) -> Result<CompactTarget, ApiError> {
    from_hex(field, text).map(u32::from_be_bytes).map(CompactTarget::from_bits)
}

/// Reads an amount of money.
///
/// # Errors
/// When it is above 2^53 - 1.
pub fn amount(field: &str, units: u64) -> Result<Amount, ApiError> {
    integer(field, units).map(|units| Amount::new(units).expect("the bounds are the same"))
}

/// Reads a time in milliseconds.
///
/// # Errors
/// When it is above 2^53 - 1.
pub fn time(field: &str, milliseconds: u64) -> Result<Timestamp, ApiError> {
    integer(field, milliseconds).map(|milliseconds| Timestamp::new(milliseconds).expect("the bounds are the same"))
}

/// Checks an integer that JSON clients must be able to hold exactly.
///
/// # Errors
/// When it is above 2^53 - 1.
pub fn integer(field: &str, value: u64) -> Result<u64, ApiError> {
    if value <= MAX_SAFE_INTEGER {
        Ok(value)
    } else {
        Err(ApiError::malformed(field, format_args!("an integer of at most {MAX_SAFE_INTEGER}"), value))
    }
}

/// Checks the kind of a request in the queue.
///
/// # Errors
/// When it is not 1 to 64 characters from a to z and `_`.
pub fn kind<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err(ApiError::malformed(field, "1 to 64 characters from a-z and _", quoted(text)))
    }
}

/// Checks the name of a peer or of a network.
///
/// # Errors
/// When it is not 1 to 32 characters from a to z, 0 to 9 and `-`, the first not `-`.
pub fn name<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    if is_valid_name(text) {
        Ok(text)
    } else {
        Err(ApiError::malformed(field, "1 to 32 characters from a-z, 0-9 and -, the first not -", quoted(text)))
    }
}

/// Checks that a text can be a host: a host name or an IP address, without port, scheme or brackets.
///
/// # Errors
/// When it is empty, longer than [`MAX_HOST_LENGTH`], or has other characters.
pub fn host<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=MAX_HOST_LENGTH).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err(ApiError::malformed(field, "a host name or an IP address, without port", quoted(text)))
    }
}

/// Checks the version of a message.
///
/// # Errors
/// When it is not [`PROTOCOL_VERSION`].
pub fn protocol(version: u32) -> Result<(), ApiError> {
    if version == PROTOCOL_VERSION { Ok(()) } else { Err(ApiError::protocol(version)) }
}

/// Checks that a message belongs to `expected`.
///
/// # Errors
/// When the text is no network id, or another.
pub fn network(text: &str, expected: &NetworkId) -> Result<(), ApiError> {
    let found: NetworkId = hash("network_id", text)?;
    if found == *expected { Ok(()) } else { Err(ApiError::network(expected, found)) }
}

/// Checks that an address in a message is the one that it must be.
///
/// # Errors
/// When the text is no address, or another.
pub fn same_address(field: &str, text: &str, expected: &Address) -> Result<(), ApiError> {
    same(field, &address(field, text)?, expected)
}

/// Checks that a value in a message is the one that follows from its other values.
pub(crate) fn same<T: PartialEq + fmt::Display>(field: &str, found: &T, expected: &T) -> Result<(), ApiError> {
    if found == expected { Ok(()) } else { Err(ApiError::inconsistent(field, expected, found)) }
}

fn quoted(text: &str) -> String {
    // Only the beginning is shown anyway, and quoting must not copy megabytes.
    format!("{:?}", text.chars().take(200).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use raclette_chain::hash::BlockHash;

    #[test]
    fn hex_has_one_case_and_one_length() {
        assert_eq!(from_hex::<2>("nonce", "00ff"), Ok([0, 255]));
        for text in ["00FF", "0ff", "00ff00", "", "0x00", "+0ff", "00fg"] {
            assert_eq!(from_hex::<2>("nonce", text).unwrap_err().field, "nonce", "{text}");
        }
        assert!(hash::<BlockHash>("hash", &"A".repeat(64)).is_err());
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("signature", "/+8="), Ok(vec![0xff, 0xef]));
        for text in ["/+8", "_-8=", "/+9=", "/+8=\n", " /+8="] {
            assert!(from_base64("signature", text).is_err(), "{text}");
        }
        assert_eq!(from_base64url("iv", "_-8"), Ok(vec![0xff, 0xef]));
        for text in ["_-8=", "/+8", "_-9"] {
            assert!(from_base64url("iv", text).is_err(), "{text}");
        }
    }

    #[test]
    fn integers_end_where_json_clients_begin_to_round() {
        assert_eq!(amount("amount", MAX_SAFE_INTEGER), Ok(Amount::MAX));
        let error = time("time", MAX_SAFE_INTEGER + 1).unwrap_err();
        assert_eq!((error.field.as_str(), error.found.as_str()), ("time", "9007199254740992"));
    }

    #[test]
    fn hosts_are_names_or_addresses_and_nothing_else() {
        for good in ["127.0.0.1", "::1", "peer-1.example.org", "my_box", "Laptop.local"] {
            assert_eq!(host("host", good), Ok(good));
        }
        let long = "a".repeat(MAX_HOST_LENGTH + 1);
        for bad in ["", "http://alice", "a b", "[::1]", "alice/", "user@alice", "ä", long.as_str()] {
            assert!(host("host", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_protocol_and_another_network_are_told_apart() {
        assert_eq!(protocol(2).unwrap_err().fault, Fault::Protocol);
        let other = NetworkId::from_bytes([1; 32]);
        assert_eq!(network(&other.to_string(), &NetworkId::ZERO).unwrap_err().fault, Fault::Network);
        assert_eq!(network("x", &NetworkId::ZERO).unwrap_err().fault, Fault::Malformed);
    }
}
