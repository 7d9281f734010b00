//! Sealed messages: a JWE (RFC 7516) that only the recipient and the sender can open.
//!
//! The content key is encrypted with RSA-OAEP-256 (RFC 7518 section 4.3) to the recipient first and the sender second,
//! the text with AES-256-GCM. The additional data binds the message to one transaction: cut out and put into another,
//! it no longer opens. What a transaction commits to is the message's digest and the length of the digest's preimage.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use rsa::pkcs1::DecodeRsaPublicKey as _;
use zeroize::Zeroizing;

use crate::{
    address::Address,
    amount::Amount,
    encoding::{Preimage, sha256, tag},
    hash::{MessageDigest, NetworkId},
    keys::{PrivateKey, PublicKey},
};

/// The protected header of every sealed message; no other is accepted.
pub const PROTECTED_HEADER: &str = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#;

/// The longest text of a message, in bytes (policy of the sender; consensus bounds the sealed length).
pub const MAX_TEXT_LENGTH: usize = 4096;

/// The longest sealed message, in bytes of its digest's preimage: 4 KiB of text and two keys of 4096 bits, with room.
pub const MAX_SEALED_LENGTH: u32 = 6144;

const CONTENT_KEY_LENGTH: usize = 32;
const TAG_LENGTH: usize = 16;

/// What a message is bound to: the transaction that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The network.
    pub network: NetworkId,
    /// Who sends it.
    pub sender: Address,
    /// Who receives it.
    pub recipient: Address,
    /// The transaction's sequence number.
    pub sequence: u64,
    /// The money that travels with it.
    pub amount: Amount,
    /// The fee of the transaction.
    pub fee: Amount,
}

impl Binding {
    /// The additional data of the JWE, which any node can compute and compare.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Preimage::new(tag::MESSAGE_BINDING, &self.network)
            .fixed(self.sender.as_bytes())
            .fixed(self.recipient.as_bytes())
            .u64(self.sequence)
            .u64(self.amount.units())
            .u64(self.fee.units())
            .finish()
    }
}

/// A sealed message: the parts of its JWE as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedMessage {
    /// The content key, encrypted to the recipient.
    pub recipient_key: Vec<u8>,
    /// The content key, encrypted to the sender.
    pub sender_key: Vec<u8>,
    /// The additional authenticated data: [`Binding::bytes`].
    pub aad: Vec<u8>,
    /// The initialisation vector.
    pub iv: [u8; NONCE_LEN],
    /// The encrypted text.
    pub ciphertext: Vec<u8>,
    /// The authentication tag.
    pub tag: [u8; TAG_LENGTH],
}

/// In which role somebody opens a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// With the key it was sent to.
    Recipient,
    /// With the key it was sent from.
    Sender,
}

/// Why a message cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is too long.
    #[error("expected a message of at most {MAX_TEXT_LENGTH} bytes, found {found}")]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// Encrypting failed: a key is unusable, or the operating system gives no randomness.
    #[error("the message could not be encrypted to the recipient's or the sender's key")]
    Encryption,
}

/// The message does not open with this key. There is one such error on purpose: it tells nothing about why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message does not open with this key")]
pub struct OpenError;

impl SealedMessage {
    /// Encrypts `text` to `recipient` and `sender`, bound to a transaction.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal(text: &str, recipient: &PublicKey, sender: &PublicKey, binding: &Binding) -> Result<Self, SealError> {
        if text.len() > MAX_TEXT_LENGTH {
            return Err(SealError::TooLong { found: text.len() });
        }
        let mut content_key = Zeroizing::new([0; CONTENT_KEY_LENGTH]);
        let mut iv = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(content_key.as_mut_slice()).map_err(|_| SealError::Encryption)?;
        aws_lc_rs::rand::fill(&mut iv).map_err(|_| SealError::Encryption)?;
        let aad = binding.bytes();
        let mut ciphertext = text.as_bytes().to_vec();
        let tag = cipher(&content_key)
            .and_then(|key| {
                let nonce = Nonce::assume_unique_for_key(iv);
                key.seal_in_place_separate_tag(nonce, Aad::from(jwe_aad(&aad)), &mut ciphertext).ok()
            })
            .ok_or(SealError::Encryption)?;
        let tag = tag.as_ref().try_into().map_err(|_| SealError::Encryption)?;
        let recipient_key = encrypt_key(recipient, &content_key).ok_or(SealError::Encryption)?;
        let sender_key = encrypt_key(sender, &content_key).ok_or(SealError::Encryption)?;
        Ok(Self { recipient_key, sender_key, aad, iv, ciphertext, tag })
    }

    /// Decrypts the text. Takes a fraction of a millisecond of one core; never call it where a stranger can time it.
    ///
    /// # Errors
    /// [`OpenError`], whatever the reason.
    pub fn open(&self, key: &PrivateKey, reader: Reader) -> Result<String, OpenError> {
        let encrypted_key = match reader {
            Reader::Recipient => &self.recipient_key,
            Reader::Sender => &self.sender_key,
        };
        let content_key = key.decrypt(encrypted_key).ok_or(OpenError)?;
        let content_key: &[u8; CONTENT_KEY_LENGTH] = content_key.as_slice().try_into().map_err(|_| OpenError)?;
        let mut text = [self.ciphertext.as_slice(), &self.tag].concat();
        let length = cipher(content_key)
            .and_then(|key| {
                let nonce = Nonce::assume_unique_for_key(self.iv);
                key.open_in_place(nonce, Aad::from(jwe_aad(&self.aad)), &mut text).ok().map(|text| text.len())
            })
            .ok_or(OpenError)?;
        text.truncate(length);
        String::from_utf8(text).map_err(|_| OpenError)
    }

    /// The bytes whose hash is the digest, and whose length a transaction commits to.
    #[must_use]
    pub fn preimage(&self, network: &NetworkId) -> Vec<u8> {
        Preimage::new(tag::SEALED_MESSAGE, network)
            .bytes(PROTECTED_HEADER.as_bytes())
            .bytes(&self.recipient_key)
            .bytes(&self.sender_key)
            .bytes(&self.aad)
            .fixed(&self.iv)
            .bytes(&self.ciphertext)
            .fixed(&self.tag)
            .finish()
    }

    /// The digest that a transaction commits to, and the length of its preimage.
    ///
    /// # Panics
    /// Never in practice: only for a message of 4 GiB or more.
    #[must_use]
    pub fn digest(&self, network: &NetworkId) -> (MessageDigest, u32) {
        let preimage = self.preimage(network);
        let length = u32::try_from(preimage.len()).expect("limits keep every message far below 4 GiB");
        (MessageDigest::from_bytes(sha256(&preimage)), length)
    }
}

/// The AAD that goes into the cipher: the protected header and the `aad` member in base64url (RFC 7516 section 5.1).
fn jwe_aad(aad: &[u8]) -> String {
    format!("{}.{}", BASE64URL.encode(PROTECTED_HEADER), BASE64URL.encode(aad))
}

fn cipher(content_key: &[u8; CONTENT_KEY_LENGTH]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, content_key).ok().map(LessSafeKey::new)
}

/// RSA-OAEP with SHA-256 for the hash and for MGF1, and no label.
fn encrypt_key(recipient: &PublicKey, content_key: &[u8; CONTENT_KEY_LENGTH]) -> Option<Vec<u8>> {
    let key = rsa::PublicKey::from_pkcs1_der(recipient.pkcs1()).ok()?;
    key.encrypt(&mut rand::rng(), rsa::Oaep::<rsa::sha2::Sha256>::new(), content_key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, key};

    fn binding() -> Binding {
        Binding {
            network: NetworkId::from_bytes([1; 32]),
            sender: key(ALICE_PEM).public().address(),
            recipient: key(BOB_PEM).public().address(),
            sequence: 3,
            amount: Amount::new(25).unwrap(),
            fee: Amount::ZERO,
        }
    }

    fn sealed(text: &str) -> SealedMessage {
        SealedMessage::seal(text, key(BOB_PEM).public(), key(ALICE_PEM).public(), &binding()).unwrap()
    }

    #[test]
    fn recipient_and_sender_can_read_it_and_nobody_else() {
        let message = sealed("the cheese is ready");
        assert_eq!(message.open(&key(BOB_PEM), Reader::Recipient).unwrap(), "the cheese is ready");
        assert_eq!(message.open(&key(ALICE_PEM), Reader::Sender).unwrap(), "the cheese is ready");
        assert_eq!(message.open(&key(CAROL_PEM), Reader::Recipient), Err(OpenError));
        assert_eq!(message.open(&key(BOB_PEM), Reader::Sender), Err(OpenError));
    }

    #[test]
    fn a_message_cut_out_and_bound_elsewhere_does_not_open() {
        let mut message = sealed("25 for the cheese");
        message.aad = Binding { sequence: 4, ..binding() }.bytes();
        assert_eq!(message.open(&key(BOB_PEM), Reader::Recipient), Err(OpenError));
    }

    #[test]
    fn every_flipped_part_keeps_it_shut_and_changes_the_digest() {
        let network = binding().network;
        let good = sealed("hello");
        let changes: [fn(&mut SealedMessage); 5] = [
            |message| message.recipient_key[9] ^= 1,
            |message| message.aad[0] ^= 1,
            |message| message.iv[0] ^= 1,
            |message| message.ciphertext[0] ^= 1,
            |message| message.tag[0] ^= 1,
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(bad.open(&key(BOB_PEM), Reader::Recipient), Err(OpenError));
            assert_ne!(bad.digest(&network), good.digest(&network));
        }
    }

    #[test]
    fn the_longest_text_fits_the_sealed_length_with_the_largest_keys() {
        let longest = "x".repeat(MAX_TEXT_LENGTH);
        let (_, length) = sealed(&longest).digest(&binding().network);
        let with_largest_keys = length + 2 * 256;
        assert!(with_largest_keys <= MAX_SEALED_LENGTH, "{with_largest_keys}");
        let too_long =
            SealedMessage::seal(&format!("{longest}x"), key(BOB_PEM).public(), key(ALICE_PEM).public(), &binding());
        assert_eq!(too_long, Err(SealError::TooLong { found: MAX_TEXT_LENGTH + 1 }));
    }
}
