//! Sealed messages as JSON: a JWE in its general serialization (RFC 7516 section 7.2.1).

use raclette_chain::message::{PROTECTED_HEADER, SealedMessage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    encoding::{from_base64url, to_base64url},
    error::ApiError,
    schema,
};

/// The content key of a sealed message, encrypted to one of its two readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedKey {
    /// The content key, encrypted with RSA-OAEP-256 (RFC 7518 section 4.3).
    #[schema(value_type = schema::Base64Url)]
    pub encrypted_key: String,
}

/// A sealed message: a JWE (RFC 7516) that only the recipient and the sender of its transaction can open, with any JOSE
/// library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SealedMessage)]
pub struct SealedMessageJson {
    /// The protected header, always `{"alg":"RSA-OAEP-256","enc":"A256GCM"}`.
    #[schema(
        pattern = "^eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0$",
        example = "eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0"
    )]
    pub protected: String,
    /// What the message is bound to: network, sender, recipient, sequence number, amount and fee of its transaction
    /// (`raclette/aad/1`).
    #[schema(value_type = schema::Base64Url)]
    pub aad: String,
    /// The content key, encrypted to the recipient first and to the sender second.
    #[schema(min_items = 2, max_items = 2)]
    pub recipients: Vec<SealedKey>,
    /// The initialisation vector: 12 bytes.
    #[schema(pattern = "^[0-9A-Za-z_-]{16}$", example = "48V1_ALb6US04U3b")]
    pub iv: String,
    /// The encrypted text.
    #[schema(value_type = schema::Base64Url)]
    pub ciphertext: String,
    /// The authentication tag: 16 bytes.
    #[schema(pattern = "^[0-9A-Za-z_-]{22}$", example = "XFBoMYUZodetZdvTiFvSkQ")]
    pub tag: String,
}

impl From<&SealedMessage> for SealedMessageJson {
    fn from(message: &SealedMessage) -> Self {
        let key = |bytes: &[u8]| SealedKey { encrypted_key: to_base64url(bytes) };
        Self {
            protected: to_base64url(PROTECTED_HEADER.as_bytes()),
            aad: to_base64url(&message.aad),
            recipients: vec![key(&message.recipient_key), key(&message.sender_key)],
            iv: to_base64url(&message.iv),
            ciphertext: to_base64url(&message.ciphertext),
            tag: to_base64url(&message.tag),
        }
    }
}

impl TryFrom<&SealedMessageJson> for SealedMessage {
    type Error = ApiError;

    fn try_from(message: &SealedMessageJson) -> Result<Self, Self::Error> {
        if from_base64url("protected", &message.protected)? != PROTECTED_HEADER.as_bytes() {
            let expected = format_args!("{:?} ({PROTECTED_HEADER})", to_base64url(PROTECTED_HEADER.as_bytes()));
            return Err(ApiError::malformed("protected", expected, &message.protected));
        }
        let [recipient, sender] = message.recipients.as_slice() else {
            let expected = "two recipients: the recipient of the transaction, then its sender";
            return Err(ApiError::malformed("recipients", expected, message.recipients.len()));
        };
        Ok(Self {
            recipient_key: from_base64url("recipients[0].encrypted_key", &recipient.encrypted_key)?,
            sender_key: from_base64url("recipients[1].encrypted_key", &sender.encrypted_key)?,
            aad: from_base64url("aad", &message.aad)?,
            iv: exactly("iv", &message.iv)?,
            ciphertext: from_base64url("ciphertext", &message.ciphertext)?,
            tag: exactly("tag", &message.tag)?,
        })
    }
}

fn exactly<const N: usize>(field: &str, text: &str) -> Result<[u8; N], ApiError> {
    let bytes = from_base64url(field, text)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| ApiError::malformed(field, format_args!("{N} bytes"), format_args!("{length} bytes")))
}
