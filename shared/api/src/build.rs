//! Transactions that are signed elsewhere: what `POST /tx/build` is asked, and the bytes to sign that it answers.

use raclette_chain::{
    amount::Amount,
    hash::{MessageDigest, NetworkId},
    keys::PublicKey,
    message::SealedMessage,
    time::Timestamp,
    transaction::Transaction,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    encoding::{amount, hash, integer, present, public_key, time, to_hex},
    error::ApiError,
    example,
    message::SealedMessageJson,
    schema,
    wallet::{SendTo, text_length},
};

/// The longest preimage of a sealed message's digest, in bytes.
const MAX_SEALED_LENGTH: u32 = 6_144;

/// A transaction that somebody wants to sign elsewhere (`POST /tx/build`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct BuildRequest {
    /// The sender's public key. Absent: that of `sender`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::PublicKey)]
    pub sender_key: Option<String>,
    /// The sender, if its key is known here: the name of a peer, or its address. Absent: `sender_key` says who it is.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$",
        min_length = 1,
        max_length = 62,
        example = "alice"
    )]
    pub sender: Option<String>,
    /// To whom: the name of a peer, or an address.
    #[schema(
        pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$",
        min_length = 1,
        max_length = 62,
        example = "bob"
    )]
    pub to: String,
    /// How much money; absent: none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Amount)]
    pub amount: Option<u64>,
    /// The fee for whoever mines it; absent: the network's lowest, but 1 from somebody who is no member.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Amount)]
    pub fee: Option<u64>,
    /// The sequence number; absent: the sender's next one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Counter)]
    pub sequence: Option<u64>,
    /// When it was made; absent: now.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub created: Option<u64>,
    /// The last height at which it may stand in a block; absent: at any.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub valid_until: Option<u32>,
    /// A text, 1 to 4096 bytes in UTF-8, that this peer seals for sender and recipient. This peer sees it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 4096, example = "Here are 25 for the cheese.")]
    pub message: Option<String>,
    /// A message that was sealed elsewhere, in place of `message`. It must be bound to this very transaction.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SealedMessageJson)]
    pub sealed_message: Option<SealedMessageJson>,
    /// The digest alone of a message that was sealed elsewhere, in place of both; with `message_length`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub message_digest: Option<String>,
    /// The length of the digest's preimage in bytes.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 6_144, example = 816)]
    pub message_length: Option<u32>,
}

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildSender {
    /// The owner of this key.
    Key(PublicKey),
    /// A member.
    Member(SendTo),
}

/// What message goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildMessage {
    /// None.
    None,
    /// One that is still to be sealed.
    Text(String),
    /// One that is sealed.
    Sealed(Box<SealedMessage>),
    /// One that is sealed and not here.
    Digest(MessageDigest, u32),
}

/// A transaction that somebody wants to sign elsewhere, as values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildOrder {
    /// Who sends.
    pub sender: BuildSender,
    /// To whom.
    pub to: SendTo,
    /// How much money.
    pub amount: Amount,
    /// The fee; none: the lowest.
    pub fee: Option<Amount>,
    /// The sequence number; none: the next one.
    pub sequence: Option<u64>,
    /// When it was made; none: now.
    pub created: Option<Timestamp>,
    /// The last height at which it may stand in a block; 0: at any.
    pub valid_until: u32,
    /// The message.
    pub message: BuildMessage,
}

impl TryFrom<BuildRequest> for BuildOrder {
    type Error = ApiError;

    fn try_from(request: BuildRequest) -> Result<Self, Self::Error> {
        let sender = match (&request.sender_key, &request.sender) {
            (Some(pem), None) => BuildSender::Key(public_key("sender_key", pem)?),
            (None, Some(text)) => BuildSender::Member(SendTo::read("sender", text)?),
            (Some(_), Some(_)) => return Err(ApiError::inconsistent("sender", "sender or sender_key", "both")),
            (None, None) => return Err(ApiError::inconsistent("sender_key", "sender or sender_key", "neither")),
        };
        Ok(Self {
            sender,
            to: SendTo::read("to", &request.to)?,
            amount: amount("amount", request.amount.unwrap_or(0))?,
            fee: request.fee.map(|fee| amount("fee", fee)).transpose()?,
            sequence: request.sequence.map(|sequence| integer("sequence", sequence)).transpose()?,
            created: request.created.map(|created| time("created", created)).transpose()?,
            valid_until: request.valid_until.unwrap_or(0),
            message: message(request)?,
        })
    }
}

fn message(request: BuildRequest) -> Result<BuildMessage, ApiError> {
    let BuildRequest { message, sealed_message, message_digest, message_length, .. } = request;
    match (message, sealed_message, message_digest, message_length) {
        (None, None, None, None) => Ok(BuildMessage::None),
        (Some(text), None, None, None) => text_length(&text).map(|()| BuildMessage::Text(text)),
        (None, Some(sealed), None, None) => {
            let sealed = SealedMessage::try_from(&sealed).map_err(|error| error.within("sealed_message"))?;
            Ok(BuildMessage::Sealed(Box::new(sealed)))
        }
        (None, None, Some(digest), Some(length)) => match hash("message_digest", &digest)? {
            MessageDigest::ZERO => Err(ApiError::inconsistent("message_digest", "the digest of a message", "zeros")),
            digest if (1..=MAX_SEALED_LENGTH).contains(&length) => Ok(BuildMessage::Digest(digest, length)),
            _ => Err(ApiError::malformed("message_length", format_args!("1 to {MAX_SEALED_LENGTH}"), length)),
        },
        (None, None, Some(_), None) => Err(ApiError::inconsistent("message_length", "the message's length", "none")),
        (None, None, None, Some(_)) => Err(ApiError::inconsistent("message_digest", "the message's digest", "none")),
        _ => {
            let expected = "one of message, sealed_message, and message_digest with message_length";
            Err(ApiError::inconsistent("message", expected, "several of them"))
        }
    }
}

/// A transaction as it is before its sender signs it: with `signature` added, it is what `POST /tx` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct UnsignedTransaction {
    /// The id: SHA-256 of what is signed.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// The sender's address.
    #[schema(value_type = schema::Address)]
    pub sender: String,
    /// The sender's public key.
    #[schema(value_type = schema::PublicKey)]
    pub sender_key: String,
    /// The recipient's address.
    #[schema(value_type = schema::Address)]
    pub recipient: String,
    /// Money from the sender to the recipient.
    #[schema(value_type = schema::Amount)]
    pub amount: u64,
    /// Money from the sender to whoever mines it.
    #[schema(value_type = schema::Amount)]
    pub fee: u64,
    /// How many transactions of this sender come before it, from 0.
    #[schema(value_type = schema::Counter)]
    pub sequence: u64,
    /// When it was made.
    #[schema(value_type = schema::Time)]
    pub created: u64,
    /// The last height at which it may stand in a block; 0: at any.
    #[schema(value_type = schema::Height)]
    pub valid_until: u32,
    /// The digest of the sealed message. Absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub message_digest: Option<String>,
    /// The length of the digest's preimage in bytes; 0: no message.
    #[schema(minimum = 0, maximum = 6_144, example = 816)]
    pub message_length: u32,
    /// The sealed message, if it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SealedMessageJson)]
    pub message: Option<SealedMessageJson>,
}

/// What somebody has to sign who keeps the key elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct BuiltTransaction {
    /// The bytes to sign (`raclette/tx/1`) in hex: RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    #[schema(
        pattern = "^([0-9a-f]{2})+$",
        min_length = 2,
        max_length = 4096,
        example = "0000000d7261636c657474652f74782f31"
    )]
    pub bytes_to_sign: String,
    /// The transaction without its signature.
    pub transaction: UnsignedTransaction,
}

impl BuiltTransaction {
    /// What is to be signed for this transaction, whose message is at hand or not.
    #[must_use]
    pub fn new(transaction: &Transaction, message: Option<&SealedMessage>, network: &NetworkId) -> Self {
        let preimage = transaction.preimage(network);
        let digest = transaction.message_digest;
        Self {
            transaction: UnsignedTransaction {
                id: to_hex(&raclette_chain::encoding::sha256(&preimage)),
                sender: transaction.sender.address().to_string(),
                sender_key: transaction.sender.to_pem(),
                recipient: transaction.recipient.to_string(),
                amount: transaction.amount.units(),
                fee: transaction.fee.units(),
                sequence: transaction.sequence,
                created: transaction.created.milliseconds(),
                valid_until: transaction.valid_until,
                message_digest: (!digest.is_zero()).then(|| digest.to_string()),
                message_length: transaction.message_length,
                message: message.map(SealedMessageJson::from),
            },
            bytes_to_sign: to_hex(&preimage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        example::{of, with},
        transaction::TransactionMessage,
    };
    use serde_json::{Value, json};

    fn refused(pointer: &str, value: Value) -> String {
        BuildOrder::try_from(with::<BuildRequest>(pointer, value)).unwrap_err().field
    }

    fn request(json: &Value) -> BuildRequest {
        serde_json::from_value(json.clone()).unwrap()
    }

    fn order(json: &Value) -> Result<BuildOrder, ApiError> {
        request(json).try_into()
    }

    #[test]
    fn the_sender_is_named_in_one_way() {
        assert_eq!(refused("/sender", json!("alice")), "sender");
        assert_eq!(refused("/sender_key", Value::Null), "sender_key");
        let by_name = order(&json!({"sender": "alice", "to": "bob"})).unwrap();
        assert_eq!(by_name.sender, BuildSender::Member(SendTo::Name(String::from("alice"))));
        assert_eq!((by_name.amount, by_name.message), (Amount::ZERO, BuildMessage::None));
    }

    #[test]
    fn there_is_one_message_at_most() {
        let (digest, sealed) = ("ab".repeat(32), of::<SealedMessageJson>());
        let with_message = |mut message: Value| {
            message
                .as_object_mut()
                .unwrap()
                .extend([(String::from("sender"), json!("a")), (String::from("to"), json!("b"))]);
            order(&message).map(|order| order.message).map_err(|error| error.field)
        };
        assert!(matches!(with_message(json!({"sealed_message": sealed})), Ok(BuildMessage::Sealed(_))));
        assert!(matches!(
            with_message(json!({"message_digest": digest, "message_length": 816})),
            Ok(BuildMessage::Digest(_, 816))
        ));
        for (message, field) in [
            (json!({"message": ""}), "message"),
            (json!({"message": "x".repeat(4097)}), "message"),
            (json!({"message": "x", "sealed_message": sealed}), "message"),
            (json!({"message_digest": digest}), "message_length"),
            (json!({"message_length": 816}), "message_digest"),
            (json!({"message_digest": digest, "message_length": 6145}), "message_length"),
            (json!({"message_digest": "00".repeat(32), "message_length": 816}), "message_digest"),
        ] {
            assert_eq!(with_message(message.clone()), Err(field.to_owned()), "{message}");
        }
    }

    #[test]
    fn with_a_signature_it_is_a_transaction() {
        let mut transaction = of::<UnsignedTransaction>();
        transaction["signature"] = of::<TransactionMessage>()["signature"].clone();
        assert_eq!(transaction, of::<TransactionMessage>());
    }
}
