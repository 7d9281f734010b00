//! Transactions as JSON, the answers to submitting them, and what became of one.

use raclette_chain::{
    hash::{MessageDigest, NetworkId, TransactionId},
    message::SealedMessage,
    transaction::{SignedTransaction, Transaction},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    encoding::{self, amount, hash, integer, present, public_key, same, same_address, time},
    error::ApiError,
    example,
    history::LifeEvent,
    message::SealedMessageJson,
    receipt::Receipt,
    schema,
};

/// The most transactions in one submission.
pub const MAX_SUBMITTED_TRANSACTIONS: usize = 500;

/// A signed transaction: money, a sealed message, or both, from one account to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Transaction, examples(example::of::<Self>))]
pub struct TransactionMessage {
    /// The id: SHA-256 of what is signed. May be absent in a request, and is checked if it is there.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub id: Option<String>,
    /// The sender's address. May be absent in a request, and is checked if it is there.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Address)]
    pub sender: Option<String>,
    /// The sender's public key.
    #[schema(value_type = schema::PublicKey)]
    pub sender_key: String,
    /// The recipient's address.
    #[schema(value_type = schema::Address)]
    pub recipient: String,
    /// Money from the sender to the recipient; may be 0.
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
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub message_digest: Option<String>,
    /// The length of the digest's preimage in bytes; 0: no message.
    #[schema(minimum = 0, maximum = 6_144, example = 816)]
    pub message_length: u32,
    /// The sender's signature over `raclette/tx/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
    /// The sealed message. May be absent although there is one: a transaction is as valid without.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SealedMessageJson)]
    pub message: Option<SealedMessageJson>,
}

impl TransactionMessage {
    /// A transaction as JSON, with its message if that is at hand.
    #[must_use]
    pub fn new(signed: &SignedTransaction, message: Option<&SealedMessage>) -> Self {
        let transaction = signed.transaction();
        let digest = transaction.message_digest;
        Self {
            id: Some(signed.id().to_string()),
            sender: Some(signed.sender().to_string()),
            sender_key: transaction.sender.to_pem(),
            recipient: transaction.recipient.to_string(),
            amount: transaction.amount.units(),
            fee: transaction.fee.units(),
            sequence: transaction.sequence,
            created: transaction.created.milliseconds(),
            valid_until: transaction.valid_until,
            message_digest: (!digest.is_zero()).then(|| digest.to_string()),
            message_length: transaction.message_length,
            signature: encoding::to_base64(signed.signature().as_bytes()),
            message: message.map(SealedMessageJson::from),
        }
    }

    /// The transaction and the message in it. Every value is well-formed and the id and the sender's address are right;
    /// signature, message and rules are still to be checked.
    ///
    /// # Errors
    /// The first member that is malformed.
    pub fn decode(&self, network: &NetworkId) -> Result<(SignedTransaction, Option<SealedMessage>), ApiError> {
        let transaction = Transaction {
            sender: public_key("sender_key", &self.sender_key)?,
            recipient: encoding::address("recipient", &self.recipient)?,
            amount: amount("amount", self.amount)?,
            fee: amount("fee", self.fee)?,
            sequence: integer("sequence", self.sequence)?,
            created: time("created", self.created)?,
            valid_until: self.valid_until,
            message_digest: self.digest()?,
            message_length: self.message_length,
        };
        if let Some(sender) = &self.sender {
            same_address("sender", sender, &transaction.sender.address())?;
        }
        let signature = encoding::signature("signature", &self.signature)?;
        // Its length is part of what a transaction counts towards limits, so it must be right from the start.
        let expected = transaction.sender.modulus().len();
        if signature.as_bytes().len() != expected {
            let found = format_args!("{} bytes", signature.as_bytes().len());
            return Err(ApiError::inconsistent(
                "signature",
                format_args!("{expected} bytes, as the sender's key has"),
                found,
            ));
        }
        let signed = SignedTransaction::new(transaction, signature, network);
        if let Some(id) = &self.id {
            same("id", &hash::<TransactionId>("id", id)?, &signed.id())?;
        }
        let message = self.message.as_ref().map(SealedMessage::try_from).transpose();
        Ok((signed, message.map_err(|error| error.within("message"))?))
    }

    fn digest(&self) -> Result<MessageDigest, ApiError> {
        match self.message_digest.as_deref().map(|text| hash("message_digest", text)).transpose()? {
            Some(MessageDigest::ZERO) => {
                // A second way to say "no message" would give one transaction two spellings.
                Err(ApiError::inconsistent("message_digest", "no such member if there is no message", "zeros"))
            }
            Some(digest) => Ok(digest),
            None => Ok(MessageDigest::ZERO),
        }
    }
}

/// What became of a transaction that was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubmitStatus {
    /// It is new, and is in the ledger now.
    Accepted,
    /// It was in the ledger already.
    Known,
    /// It stands in a block already.
    Confirmed,
}

/// The answer to submitting one transaction (`POST /tx`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct SubmitAnswer {
    /// The transaction's id.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// What became of it.
    pub status: SubmitStatus,
}

/// Why one of several transactions was refused: the essence of the problem that it would have got alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitProblem {
    /// The code of the problem, for programs.
    #[schema(max_length = 64, example = "insufficient_funds")]
    pub code: String,
    /// The HTTP status that it would have got alone.
    #[schema(minimum = 400, maximum = 599, example = 409)]
    pub status: u16,
    /// The problem in words.
    #[schema(max_length = 2000, example = "the transaction costs 25, the account has 10")]
    pub detail: String,
}

/// What became of one of several transactions: a status or a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitResult {
    /// The transaction's id. Absent if the transaction could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub id: Option<String>,
    /// What became of it. Absent if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SubmitStatus)]
    pub status: Option<SubmitStatus>,
    /// Why it was refused. Absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = SubmitProblem)]
    pub problem: Option<SubmitProblem>,
}

/// The answer to submitting several transactions: a result for each, in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct SubmitResults {
    /// The results.
    #[schema(max_items = 500)]
    pub results: Vec<SubmitResult>,
}

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// In the ledger: it waits for a block.
    Pending,
    /// In a block of the chain.
    Confirmed,
    /// Out of the ledger, and in no block.
    Dropped,
}

/// A transaction and what became of it (`GET /tx/{id}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct TransactionStatus {
    /// The transaction.
    pub transaction: TransactionMessage,
    /// What its sender signed, `raclette/tx/1`, in hex: with this, the signature and the sender's key, other programs can
    /// verify it.
    #[schema(
        pattern = "^([0-9a-f]{2})+$",
        min_length = 2,
        max_length = 4096,
        example = "0000000d7261636c657474652f74782f31"
    )]
    pub signed_bytes: String,
    /// Where it is.
    pub status: TransactionState,
    /// The height of its block, if it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub height: Option<u32>,
    /// The hash of its block, if it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub block: Option<String>,
    /// Its position among the transactions of its block, the reward being 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 5_000, example = 1)]
    pub position: Option<u32>,
    /// How many blocks, its own included, confirm it. The more, the less likely another branch replaces them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub confirmations: Option<u32>,
    /// Why it was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "replaced by a transaction with a higher fee")]
    pub reason: Option<String>,
    /// When this peer received it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub received: Option<u64>,
    /// When the recipient's peer acknowledged it, if this peer's owner sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Time)]
    pub delivered: Option<u64>,
    /// The recipient's signed receipt, if this peer's owner sent it and the receipt has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Receipt)]
    pub receipt: Option<Receipt>,
    /// Everything that happened to it at this peer, in order. The peer remembers the newest 20,000 events of all
    /// transactions that are not simply pending or confirmed.
    #[serde(default)]
    #[schema(max_items = 20_000)]
    pub life: Vec<LifeEvent>,
}

/// A page of the ledger: transactions that wait for a block (`GET /ledger`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct LedgerPage {
    /// How many transactions wait in all.
    #[schema(value_type = schema::Counter)]
    pub count: u64,
    /// How many bytes they have in all.
    #[schema(value_type = schema::Counter)]
    pub bytes: u64,
    /// A hash over all of them, equal on two peers exactly if their ledgers are.
    #[schema(value_type = schema::Hash)]
    pub digest: String,
    /// The transactions of this page.
    #[schema(max_items = 500)]
    pub transactions: Vec<TransactionMessage>,
    /// Where the next page begins. Absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 128, example = "128")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Fault,
        example::{changed, of, with},
        network::GenesisMessage,
    };
    use raclette_chain::{amount::MAX_SAFE_INTEGER, genesis::Genesis};
    use serde_json::{Value, json};

    fn network() -> NetworkId {
        let message: GenesisMessage = serde_json::from_value(of::<GenesisMessage>()).unwrap();
        Genesis::try_from(&message).unwrap().network()
    }

    #[track_caller]
    fn refused(pointer: &str, value: Value) -> ApiError {
        let error = with::<TransactionMessage>(pointer, value).decode(&network()).unwrap_err();
        assert_eq!(error.fault, Fault::Malformed);
        error
    }

    #[track_caller]
    fn inconsistent(pointer: &str, value: Value) -> ApiError {
        let error = with::<TransactionMessage>(pointer, value).decode(&network()).unwrap_err();
        assert_eq!(error.fault, Fault::Inconsistent);
        error
    }

    #[track_caller]
    fn not_even_read(text: &str) {
        assert!(serde_json::from_str::<TransactionMessage>(text).is_err(), "{text}");
    }

    #[test]
    fn json_and_value_convert_into_each_other() {
        let message: TransactionMessage = serde_json::from_value(of::<TransactionMessage>()).unwrap();
        let (signed, sealed) = message.decode(&network()).unwrap();
        assert_eq!(TransactionMessage::new(&signed, sealed.as_ref()), message);
        signed.verify(&network()).unwrap();
    }

    #[test]
    fn id_and_sender_may_be_left_out_but_not_be_wrong() {
        let whole = with::<TransactionMessage>("/fee", json!(1)).decode(&network()).unwrap();
        assert_eq!(with::<TransactionMessage>("/id", Value::Null).decode(&network()).unwrap(), whole);
        assert_eq!(with::<TransactionMessage>("/sender", Value::Null).decode(&network()).unwrap(), whole);
        let error = inconsistent("/id", json!("ab".repeat(32)));
        assert_eq!((error.field.as_str(), error.expected), ("id", whole.0.id().to_string()));
        let recipient = whole.0.transaction().recipient.to_string();
        assert_eq!(inconsistent("/sender", json!(recipient)).field, "sender");
        assert_eq!(inconsistent("/fee", json!(2)).field, "id", "the id covers every signed member");
    }

    #[test]
    fn numbers_are_whole_and_at_most_what_json_clients_hold() {
        for member in ["amount", "fee", "sequence", "created"] {
            assert_eq!(refused(&format!("/{member}"), json!(MAX_SAFE_INTEGER + 1)).field, member);
        }
        let text = of::<TransactionMessage>().to_string();
        for number in ["-1", "-0", "25.0", "2.5e1", "25e0", "\"25\"", "null", "1e400", "18446744073709551616", "025"] {
            not_even_read(&text.replace("\"amount\":25", &format!("\"amount\":{number}")));
        }
        let height = json!(u64::from(u32::MAX) + 1);
        assert!(
            serde_json::from_value::<TransactionMessage>(changed::<TransactionMessage>("/valid_until", height))
                .is_err()
        );
    }

    #[test]
    fn unknown_doubled_and_null_members_are_refused() {
        let text = of::<TransactionMessage>().to_string();
        not_even_read(&text.replace("\"amount\":25", "\"amount\":25,\"amount\":25"));
        not_even_read(&text.replace("\"amount\":25", "\"amount\":25,\"note\":\"\""));
        not_even_read(&text.replace("\"amount\":25,", ""));
        for optional in ["id", "sender", "message_digest", "message"] {
            let mut value = of::<TransactionMessage>();
            value[optional] = Value::Null;
            not_even_read(&value.to_string());
        }
    }

    #[test]
    fn byte_strings_have_one_spelling() {
        let example = of::<TransactionMessage>();
        let string = |member: &str| example[member].as_str().unwrap();
        assert_eq!(refused("/message_digest", json!(string("message_digest").to_uppercase())).field, "message_digest");
        assert_eq!(inconsistent("/message_digest", json!("0".repeat(64))).field, "message_digest");
        assert_eq!(refused("/id", json!(string("id").to_uppercase())).field, "id");
        assert_eq!(refused("/signature", json!(string("signature").trim_end_matches('='))).field, "signature");
        assert_eq!(refused("/signature", json!("AAAA")).expected, "256, 384 or 512 bytes");
        let longer = inconsistent("/signature", json!("A".repeat(512)));
        assert_eq!(longer.expected, "256 bytes, as the sender's key has");
        assert_eq!(refused("/sender_key", json!(string("sender_key").trim_end())).field, "sender_key");
        assert_eq!(refused("/recipient", json!(string("recipient").to_uppercase())).field, "recipient");
    }
}
