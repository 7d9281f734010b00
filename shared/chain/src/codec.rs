//! The bytes of blocks and transactions on disk. Strict in both directions: every value has one encoding, and anything
//! else is an error, so that a damaged file is noticed.

use crate::{
    accounts::{Account, Undo},
    address::Address,
    amount::Amount,
    block::{Block, Unchecked},
    hash::{MessageDigest, NetworkId},
    header::{HEADER_LENGTH, Header},
    keys::{PublicKey, Signature},
    message::SealedMessage,
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};

/// The bytes are not what this code wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("damaged record: {what} at byte {position} of {length}")]
pub struct DecodeError {
    what: &'static str,
    position: usize,
    length: usize,
}

/// The length of what stands between a transaction's key and its signature: two hashes, four numbers of eight bytes and two of
/// four.
const BETWEEN_KEY_AND_SIGNATURE: usize = 2 * 32 + 4 * 8 + 2 * 4;

/// Writes a signed transaction, without its message.
#[must_use]
pub fn encode_transaction(transaction: &SignedTransaction) -> Vec<u8> {
    let mut out = Vec::with_capacity(transaction.size());
    write_transaction(&mut out, transaction);
    out
}

/// Reads what [`encode_transaction`] wrote.
///
/// # Errors
/// When the bytes are anything else.
pub fn decode_transaction(bytes: &[u8], network: &NetworkId) -> Result<SignedTransaction, DecodeError> {
    let mut reader = Reader::new(bytes);
    let transaction = read_transaction(&mut reader, network)?;
    reader.finish()?;
    Ok(transaction)
}

/// Writes a block's reward and transactions; the header is kept apart.
#[must_use]
pub fn encode_body<State>(block: &Block<State>) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.size() + 64);
    out.extend_from_slice(block.reward().miner.as_bytes());
    out.extend_from_slice(&block.reward().amount.units().to_be_bytes());
    for transaction in block.transactions() {
        write_transaction(&mut out, transaction);
    }
    out
}

/// Reads what [`encode_body`] wrote.
///
/// # Errors
/// When the bytes are anything else.
pub fn decode_body(header: Header, bytes: &[u8], network: &NetworkId) -> Result<Block<Unchecked>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let miner = Address::from_bytes(reader.fixed()?);
    let amount = reader.amount()?;
    let mut transactions = Vec::new();
    while !reader.is_empty() {
        transactions.push(read_transaction(&mut reader, network)?);
    }
    Ok(Block::new(header, Reward { miner, amount }, transactions))
}

/// Reads one transaction out of what [`encode_body`] wrote, the first being 0: the others are passed over. None if there are
/// not so many.
///
/// # Errors
/// When the bytes are anything else, as far as they were looked at.
pub fn decode_one_of_body(
    bytes: &[u8],
    position: usize,
    network: &NetworkId,
) -> Result<Option<SignedTransaction>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let _miner: [u8; 32] = reader.fixed()?;
    reader.amount()?;
    for _ in 0..position {
        if reader.is_empty() {
            return Ok(None);
        }
        reader.bytes()?;
        let _between: [u8; BETWEEN_KEY_AND_SIGNATURE] = reader.fixed()?;
        reader.bytes()?;
    }
    if reader.is_empty() { Ok(None) } else { read_transaction(&mut reader, network).map(Some) }
}

/// Reads the header of a stored block.
///
/// # Errors
/// When the bytes are no header.
pub fn decode_header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let mut reader = Reader::new(bytes);
    let header = reader.fixed::<HEADER_LENGTH>()?;
    reader.finish()?;
    Header::from_bytes(&header).ok_or_else(|| reader.error("a header"))
}

/// Writes what takes a block off the chain again.
#[must_use]
pub fn encode_undo(undo: &Undo) -> Vec<u8> {
    let mut out = Vec::with_capacity(undo.0.len() * 48);
    for (address, account) in &undo.0 {
        out.extend_from_slice(address.as_bytes());
        out.extend_from_slice(&account.balance.units().to_be_bytes());
        out.extend_from_slice(&account.next_sequence.to_be_bytes());
    }
    out
}

/// Reads what [`encode_undo`] wrote.
///
/// # Errors
/// When the bytes are anything else.
pub fn decode_undo(bytes: &[u8]) -> Result<Undo, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut accounts = Vec::with_capacity(bytes.len() / 48);
    while !reader.is_empty() {
        let address = Address::from_bytes(reader.fixed()?);
        let balance = reader.amount()?;
        let next_sequence = reader.u64()?;
        accounts.push((address, Account { balance, next_sequence }));
    }
    Ok(Undo(accounts))
}

/// Writes a sealed message.
#[must_use]
pub fn encode_message(message: &SealedMessage) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.ciphertext.len() + 1024);
    for part in [&message.recipient_key, &message.sender_key, &message.aad, &message.ciphertext] {
        write_bytes(&mut out, part);
    }
    out.extend_from_slice(&message.iv);
    out.extend_from_slice(&message.tag);
    out
}

/// Reads what [`encode_message`] wrote.
///
/// # Errors
/// When the bytes are anything else.
pub fn decode_message(bytes: &[u8]) -> Result<SealedMessage, DecodeError> {
    let mut reader = Reader::new(bytes);
    let recipient_key = reader.bytes()?.to_vec();
    let sender_key = reader.bytes()?.to_vec();
    let aad = reader.bytes()?.to_vec();
    let ciphertext = reader.bytes()?.to_vec();
    let iv = reader.fixed()?;
    let tag = reader.fixed()?;
    reader.finish()?;
    Ok(SealedMessage { recipient_key, sender_key, aad, iv, ciphertext, tag })
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("limits keep every byte string far below 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn write_transaction(out: &mut Vec<u8>, signed: &SignedTransaction) {
    let transaction = signed.transaction();
    write_bytes(out, transaction.sender.der());
    out.extend_from_slice(transaction.recipient.as_bytes());
    out.extend_from_slice(&transaction.amount.units().to_be_bytes());
    out.extend_from_slice(&transaction.fee.units().to_be_bytes());
    out.extend_from_slice(&transaction.sequence.to_be_bytes());
    out.extend_from_slice(&transaction.created.milliseconds().to_be_bytes());
    out.extend_from_slice(&transaction.valid_until.to_be_bytes());
    out.extend_from_slice(transaction.message_digest.as_bytes());
    out.extend_from_slice(&transaction.message_length.to_be_bytes());
    write_bytes(out, signed.signature().as_bytes());
}

fn read_transaction(reader: &mut Reader<'_>, network: &NetworkId) -> Result<SignedTransaction, DecodeError> {
    let sender = PublicKey::from_der(reader.bytes()?).map_err(|_| reader.error("a public key"))?;
    let transaction = Transaction {
        sender,
        recipient: Address::from_bytes(reader.fixed()?),
        amount: reader.amount()?,
        fee: reader.amount()?,
        sequence: reader.u64()?,
        created: Timestamp::new(reader.u64()?).map_err(|_| reader.error("a time"))?,
        valid_until: reader.u32()?,
        message_digest: MessageDigest::from_bytes(reader.fixed()?),
        message_length: reader.u32()?,
    };
    let signature = Signature::from_bytes(reader.bytes()?.to_vec());
    Ok(SignedTransaction::new(transaction, signature, network))
}

/// A position in a byte string.
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn error(&self, what: &'static str) -> DecodeError {
        DecodeError { what, position: self.length - self.rest.len(), length: self.length }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (value, rest) = self.rest.split_first_chunk().ok_or_else(|| self.error("too few bytes"))?;
        self.rest = rest;
        Ok(*value)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.fixed().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.fixed().map(u64::from_be_bytes)
    }

    fn amount(&mut self) -> Result<Amount, DecodeError> {
        let units = self.u64()?;
        Amount::new(units).map_err(|_| self.error("an amount"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u32()? as usize;
        if length > self.rest.len() {
            return Err(self.error("a length beyond the end"));
        }
        let (value, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(value)
    }

    fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.error("trailing bytes")) }
    }
}
