//! Values of the chain as JSON, in the members and spellings of the protocol.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use raclette_chain::{
    hash::NetworkId,
    header::Header,
    keys::{PrivateKey, Signature},
    message::{Binding, PROTECTED_HEADER, Reader, SealedMessage},
    parameters::Parameters,
    transaction::{SignedTransaction, Transaction},
};
use serde_json::{Value, json};

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The stored signature if it holds, and otherwise a new one.
pub(super) fn keep_signature(stored: Option<&Value>, preimage: &[u8], key: &PrivateKey) -> Signature {
    stored
        .and_then(Value::as_str)
        .and_then(|text| STANDARD.decode(text).ok())
        .map(Signature::from_bytes)
        .filter(|signature| key.public().verify(preimage, signature).is_ok())
        .unwrap_or_else(|| key.sign(preimage))
}

/// Signs a transaction, with the stored signature if it holds.
pub(super) fn keep_signed(
    stored: Option<&Value>,
    transaction: Transaction,
    key: &PrivateKey,
    network: &NetworkId,
) -> SignedTransaction {
    let signature = keep_signature(stored, &transaction.preimage(network), key);
    SignedTransaction::new(transaction, signature, network)
}

/// The stored message if both can open it and it is bound as it should be, and otherwise a new one.
pub(super) fn keep_message(
    stored: Option<&Value>,
    text: &str,
    recipient: &PrivateKey,
    sender: &PrivateKey,
    binding: &Binding,
) -> SealedMessage {
    let opens = |message: &SealedMessage| {
        message.aad == binding.bytes()
            && message.open(recipient, Reader::Recipient).as_deref() == Ok(text)
            && message.open(sender, Reader::Sender).as_deref() == Ok(text)
    };
    stored
        .and_then(sealed)
        .filter(opens)
        .unwrap_or_else(|| SealedMessage::seal(text, recipient.public(), sender.public(), binding).unwrap())
}

fn sealed(jwe: &Value) -> Option<SealedMessage> {
    let part = |pointer: &str| URL_SAFE_NO_PAD.decode(jwe.pointer(pointer)?.as_str()?).ok();
    Some(SealedMessage {
        recipient_key: part("/recipients/0/encrypted_key")?,
        sender_key: part("/recipients/1/encrypted_key")?,
        aad: part("/aad")?,
        iv: part("/iv")?.try_into().ok()?,
        ciphertext: part("/ciphertext")?,
        tag: part("/tag")?.try_into().ok()?,
    })
}

/// A sealed message as a JWE in its general serialization.
pub(super) fn jwe(message: &SealedMessage) -> Value {
    json!({
        "protected": base64url(PROTECTED_HEADER.as_bytes()),
        "aad": base64url(&message.aad),
        "recipients": [
            { "encrypted_key": base64url(&message.recipient_key) },
            { "encrypted_key": base64url(&message.sender_key) },
        ],
        "iv": base64url(&message.iv),
        "ciphertext": base64url(&message.ciphertext),
        "tag": base64url(&message.tag),
    })
}

/// A transaction as it is submitted, without its message.
pub(super) fn transaction(signed: &SignedTransaction) -> Value {
    let content = signed.transaction();
    let mut json = json!({
        "id": signed.id().to_string(),
        "sender": signed.sender().to_string(),
        "sender_key": content.sender.to_pem(),
        "recipient": content.recipient.to_string(),
        "amount": content.amount.units(),
        "fee": content.fee.units(),
        "sequence": content.sequence,
        "created": content.created.milliseconds(),
        "valid_until": content.valid_until,
        "message_length": content.message_length,
        "signature": base64(signed.signature().as_bytes()),
    });
    if !content.message_digest.is_zero() {
        json["message_digest"] = content.message_digest.to_string().into();
    }
    json
}

/// A transaction, the bytes that are signed, and what follows from them.
pub(super) fn transaction_vector(name: &str, signed: &SignedTransaction, network: &NetworkId) -> Value {
    json!({
        "name": name,
        "transaction": transaction(signed),
        "signed_bytes": hex(&signed.transaction().preimage(network)),
        "id": signed.id().to_string(),
        "leaf": signed.leaf().to_string(),
        "size": signed.size(),
    })
}

/// A header.
pub(super) fn header(header: &Header) -> Value {
    json!({
        "hash": header.hash().to_string(),
        "previous": header.previous.to_string(),
        "merkle_root": header.merkle_root.to_string(),
        "version": header.version,
        "height": header.height,
        "time": header.time.milliseconds(),
        "target": header.target.to_string(),
        "nonce": format!("{:016x}", header.nonce),
    })
}

/// The parameters of a network.
pub(super) fn parameters(parameters: &Parameters) -> Value {
    json!({
        "name": parameters.name,
        "spacing_seconds": parameters.spacing_seconds,
        "half_life_seconds": parameters.half_life_seconds,
        "first_target": parameters.first_target.to_string(),
        "reward": parameters.reward.units(),
        "halving_interval": parameters.halving_interval,
        "max_block_transactions": parameters.max_block_transactions,
        "max_block_bytes": parameters.max_block_bytes,
        "max_message_length": parameters.max_message_length,
        "minimum_fee": parameters.minimum_fee.units(),
    })
}
