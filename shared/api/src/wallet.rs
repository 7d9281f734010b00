//! What a peer does for its owner: money, sending, and the messages that were sent and received.

use raclette_chain::{address::Address, amount::Amount, message::MAX_TEXT_LENGTH};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    encoding::{self, amount, present},
    error::ApiError,
    example,
    receipt::Receipt,
    schema,
    transaction::TransactionMessage,
};

/// The owner's account (`GET /wallet`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct Wallet {
    /// The peer's name.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// Its address.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// Its public key.
    #[schema(value_type = schema::PublicKey)]
    pub public_key: String,
    /// The confirmed money.
    #[schema(value_type = schema::Amount)]
    pub balance: u64,
    /// What can be spent now: the confirmed money without what is on its way out.
    #[schema(value_type = schema::Amount)]
    pub spendable: u64,
    /// What waits in the ledger to come in. It can be spent once a block confirms it.
    #[schema(value_type = schema::Amount)]
    pub pending_in: u64,
    /// What waits in the ledger to go out, fees included.
    #[schema(value_type = schema::Amount)]
    pub pending_out: u64,
    /// The sequence number of the next transaction.
    #[schema(value_type = schema::Counter)]
    pub next_sequence: u64,
}

/// What the owner wants to send (`POST /send`): money, a message, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct SendRequest {
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
    /// The text, 1 to 4096 bytes in UTF-8; absent: none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 4096, example = "Here are 25 for the cheese.")]
    pub message: Option<String>,
    /// The fee for whoever mines it; absent: the network's lowest.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Amount)]
    pub fee: Option<u64>,
}

/// To whom the owner wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendTo {
    /// A peer, by its name.
    Name(String),
    /// An account, by its address.
    Address(Address),
}

impl SendTo {
    /// Reads a name or an address.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn read(field: &str, text: &str) -> Result<Self, ApiError> {
        // No address is a name: it has 62 characters, a name at most 32.
        match encoding::name(field, text) {
            Ok(name) => Ok(Self::Name(name.to_owned())),
            Err(_) if text.starts_with("rac1") => encoding::address(field, text).map(Self::Address),
            Err(error) => {
                let expected = String::from("the name of a peer (a-z, 0-9 and -) or an address (rac1...)");
                Err(ApiError { expected, ..error })
            }
        }
    }
}

/// What the owner wants to send, as values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOrder {
    /// To whom.
    pub to: SendTo,
    /// How much money.
    pub amount: Amount,
    /// The text.
    pub message: Option<String>,
    /// The fee; none: the network's lowest.
    pub fee: Option<Amount>,
}

impl TryFrom<SendRequest> for SendOrder {
    type Error = ApiError;

    fn try_from(request: SendRequest) -> Result<Self, Self::Error> {
        let to = SendTo::read("to", &request.to)?;
        if let Some(text) = &request.message {
            text_length(text)?;
        }
        if request.amount.is_none() && request.message.is_none() {
            return Err(ApiError::inconsistent("amount", "an amount, a message, or both", "neither"));
        }
        Ok(Self {
            to,
            amount: amount("amount", request.amount.unwrap_or(0))?,
            fee: request.fee.map(|fee| amount("fee", fee)).transpose()?,
            message: request.message,
        })
    }
}

/// Checks the length of a text. A schema counts characters; it is bytes that are bounded.
pub(crate) fn text_length(text: &str) -> Result<(), ApiError> {
    let (expected, bytes) = (format_args!("1 to {MAX_TEXT_LENGTH} bytes"), format_args!("{} bytes", text.len()));
    match text.len() {
        1..=MAX_TEXT_LENGTH => Ok(()),
        _ if text.is_empty() || text.chars().count() > MAX_TEXT_LENGTH => {
            Err(ApiError::malformed("message", expected, bytes))
        }
        _ => Err(ApiError::inconsistent("message", expected, bytes)),
    }
}

/// How far a transaction that was just sent has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendStatus {
    /// It is in this peer's ledger and on its way.
    Sent,
    /// The recipient has it.
    Delivered,
    /// The recipient could not be reached; the delivery waits in the queue.
    Queued,
}

/// The answer to sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct SendResponse {
    /// The transaction that was made.
    pub transaction: TransactionMessage,
    /// How far it has come.
    pub status: SendStatus,
    /// The name of the recipient, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub recipient_name: Option<String>,
}

/// Whether the owner sent something or received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It came in.
    Received,
    /// It went out.
    Sent,
}

/// How far something that was sent or received has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// The recipient does not have it yet; the delivery waits in the queue.
    Queued,
    /// The recipient has it.
    Delivered,
    /// It waits in the ledger for a block.
    Pending,
    /// It left the ledger: it expired, or there was no room. This peer offers it again, signed anew if need be.
    Waiting,
    /// It stands in a block.
    Confirmed,
    /// It stands in no block, and waits for none any more: it was replaced, it expired, or it could not be paid.
    Dropped,
}

/// Something that was sent or received, opened for its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct MessageEntry {
    /// The id of its transaction.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// Whether it was sent or received.
    pub direction: Direction,
    /// The sender's address.
    #[schema(value_type = schema::Address)]
    pub from: String,
    /// The recipient's address.
    #[schema(value_type = schema::Address)]
    pub to: String,
    /// The sender's name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub from_name: Option<String>,
    /// The recipient's name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub to_name: Option<String>,
    /// The text. Absent if there is none, or if it is unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 4096, example = "Here are 25 for the cheese.")]
    pub text: Option<String>,
    /// Whether there is a message that is not at hand or does not open with the owner's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = true)]
    pub unreadable: Option<bool>,
    /// The money that came with it.
    #[schema(value_type = schema::Amount)]
    pub amount: u64,
    /// The fee.
    #[schema(value_type = schema::Amount)]
    pub fee: u64,
    /// When it was made.
    #[schema(value_type = schema::Time)]
    pub created: u64,
    /// How far it has come.
    pub status: MessageStatus,
    /// When the recipient's peer acknowledged it; only if it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub delivered: Option<u64>,
    /// The recipient's signed receipt, once it has come and was verified; only if it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Receipt)]
    pub receipt: Option<Receipt>,
    /// The height of its block, if it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub height: Option<u32>,
    /// How many blocks, its own included, confirm it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub confirmations: Option<u32>,
    /// The id of the transaction that this peer signed in its place, since this one expired or could not be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub replaced_by: Option<String>,
}

/// A page of what was sent and received, the newest first (`GET /messages`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct MessagePage {
    /// The entries.
    #[schema(max_items = 500)]
    pub messages: Vec<MessageEntry>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "41")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{of, with};
    use raclette_chain::amount::MAX_SAFE_INTEGER;
    use serde_json::{Value, json};

    #[track_caller]
    fn request(json: Value) -> SendRequest {
        serde_json::from_value(json).unwrap()
    }

    fn order(json: Value) -> Result<SendOrder, ApiError> {
        request(json).try_into()
    }

    #[test]
    fn one_can_send_to_a_name_or_an_address() {
        let address = of::<Wallet>()["address"].as_str().unwrap().to_owned();
        let to = |to: &str| order(json!({"to": to, "amount": 1})).map(|order| order.to);
        assert_eq!(to("bob"), Ok(SendTo::Name(String::from("bob"))));
        assert_eq!(to("rac1"), Ok(SendTo::Name(String::from("rac1"))), "a name may look like the start of an address");
        assert_eq!(to(&address), Ok(SendTo::Address(address.parse().unwrap())));
        for bad in ["", "Bob", "bob@example.org", &address[..61], &address.replace('7', "8")] {
            assert_eq!(to(bad).unwrap_err().field, "to", "{bad}");
        }
    }

    #[test]
    fn there_is_money_or_a_message_or_both() {
        let only_text = order(json!({"to": "bob", "message": "hello"})).unwrap();
        assert_eq!((only_text.amount, only_text.fee), (Amount::ZERO, None));
        assert_eq!(order(json!({"to": "bob"})).unwrap_err().field, "amount");
        assert_eq!(order(json!({"to": "bob", "amount": 0})).unwrap().amount, Amount::ZERO, "cancels by replacement");
        assert_eq!(order(json!({"to": "bob", "amount": MAX_SAFE_INTEGER + 1})).unwrap_err().field, "amount");
        assert_eq!(order(json!({"to": "bob", "amount": 1, "fee": MAX_SAFE_INTEGER + 1})).unwrap_err().field, "fee");
    }

    #[test]
    fn the_length_of_a_message_counts_in_bytes() {
        let longest = "ä".repeat(MAX_TEXT_LENGTH / 2);
        assert!(SendOrder::try_from(with::<SendRequest>("/message", json!(longest))).is_ok());
        let error = SendOrder::try_from(with::<SendRequest>("/message", json!(longest + "x"))).unwrap_err();
        assert_eq!((error.field.as_str(), error.found.as_str()), ("message", "4097 bytes"));
    }
}
