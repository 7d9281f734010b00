//! Sealed messages as JSON: a JWE in its general serialization (RFC 7516 section 7.2.1).

use raclette_chain::message::{PROTECTED_HEADER, SealedMessage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    encoding::{from_base64url, to_base64url},
    error::ApiError,
    example, schema,
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
#[schema(as = SealedMessage, examples(example::of::<Self>))]
pub struct SealedMessageJson {
    /// The protected header, always `{"alg":"RSA-OAEP-256","enc":"A256GCM"}`.
    #[schema(
        pattern = "^eyJhbGciOiJSU0EtT0FFUC0yNTYiLCJlbmMiOiJBMjU2R0NNIn0$",
        min_length = 51,
        max_length = 51,
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
    #[schema(pattern = "^[0-9A-Za-z_-]{16}$", min_length = 16, max_length = 16, example = "48V1_ALb6US04U3b")]
    pub iv: String,
    /// The encrypted text.
    #[schema(value_type = schema::Base64Url)]
    pub ciphertext: String,
    /// The authentication tag: 16 bytes.
    #[schema(
        pattern = "^[0-9A-Za-z_-]{21}[AQgw]$",
        min_length = 22,
        max_length = 22,
        example = "XFBoMYUZodetZdvTiFvSkQ"
    )]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{changed, of, with};
    use serde_json::{Value, json};

    #[track_caller]
    fn refused(pointer: &str, value: Value) -> String {
        SealedMessage::try_from(&with::<SealedMessageJson>(pointer, value)).unwrap_err().field
    }

    #[test]
    fn json_and_value_convert_into_each_other() {
        let message: SealedMessageJson = serde_json::from_value(of::<SealedMessageJson>()).unwrap();
        assert_eq!(SealedMessageJson::from(&SealedMessage::try_from(&message).unwrap()), message);
    }

    #[test]
    fn no_other_header_is_taken_even_if_it_means_the_same() {
        for header in [
            r#"{"enc":"A256GCM","alg":"RSA-OAEP-256"}"#,
            r#"{"alg":"RSA-OAEP-256","enc":"A256GCM" }"#,
            r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","zip":"DEF"}"#,
            r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#,
            "",
        ] {
            assert_eq!(refused("/protected", json!(to_base64url(header.as_bytes()))), "protected", "{header}");
        }
        let unprotected = changed::<SealedMessageJson>("/unprotected", json!({}));
        assert!(serde_json::from_value::<SealedMessageJson>(unprotected).is_err());
        let header = json!({"encrypted_key": "AA", "header": {"kid": "bob"}});
        assert!(
            serde_json::from_value::<SealedMessageJson>(changed::<SealedMessageJson>("/recipients/0", header)).is_err()
        );
    }

    #[test]
    fn there_are_exactly_two_recipients() {
        for count in [0, 1, 3] {
            assert_eq!(refused("/recipients", json!(vec![json!({"encrypted_key": "AA"}); count])), "recipients");
        }
    }

    #[test]
    fn parts_have_one_spelling_and_their_length() {
        assert_eq!(refused("/ciphertext", json!("AA==")), "ciphertext");
        assert_eq!(refused("/ciphertext", json!("A+/A")), "ciphertext");
        assert_eq!(refused("/aad", json!("AB")), "aad", "the last bits of the last character must be zero");
        assert_eq!(refused("/iv", json!("AAAA")), "iv");
        assert_eq!(refused("/tag", json!("AAAA")), "tag");
        assert_eq!(refused("/recipients/1/encrypted_key", json!("A")), "recipients[1].encrypted_key");
    }
}
