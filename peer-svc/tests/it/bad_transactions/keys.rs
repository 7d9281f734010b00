//! Keys and signatures that are not what they must be.

use raclette_chain::{hash::NetworkId, transaction::Transaction};
use serde_json::json;

use super::{Ground, Row};
use crate::craft::{ALICE, CAROL, amount, signature_with_salt};

/// Alice's transaction under another text for her key.
fn with_key(ground: &Ground, change: impl FnOnce(String) -> String) -> String {
    ground.changed("sender_key", json!(change(ALICE.public().to_pem())))
}

/// Alice's key with other bytes in its DER.
fn with_der(ground: &Ground, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut der = ALICE.public().der().to_vec();
    change(&mut der);
    with_key(ground, |_| pem(&der))
}

/// A PEM block as openssl writes it.
fn pem(der: &[u8]) -> String {
    let base64 = raclette_api::encoding::to_base64(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// A well-formed key around a modulus of so many bytes, all of them ones.
fn key_of(modulus: usize) -> String {
    let length = |length: usize| vec![0x82, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()];
    let tagged = |tag: u8, content: &[u8]| [&[tag], length(content.len()).as_slice(), content].concat();
    let number = tagged(0x02, &[&[0], vec![0xff; modulus].as_slice()].concat());
    let inner = tagged(0x30, &[number.as_slice(), &[0x02, 0x03, 0x01, 0x00, 0x01]].concat());
    let algorithm = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let bits = tagged(0x03, &[&[0], inner.as_slice()].concat());
    pem(&tagged(0x30, &[algorithm.as_slice(), &bits].concat()))
}

/// The public key of an elliptic curve.
const EC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEoBUyo8CQAFPeYPvv78ylh5MwFZjT\n\
CLQeb042TjiMJxG+9DLFmRSMlBQ9T/RsLLc+PmpB1+7yPAR+oR5gZn3kJQ==\n-----END PUBLIC KEY-----\n";

const fn invalid(what: &'static str, names: &'static str, make: fn(&Ground) -> String) -> Row {
    Row { what, status: 422, code: "invalid_body", names, make }
}

const fn forged(what: &'static str, make: fn(&Ground) -> String) -> Row {
    Row { what, status: 403, code: "bad_signature", names: "signature", make }
}

pub(super) const ROWS: &[Row] = &[
    invalid("a key that is no PEM", "sender_key", |ground| with_key(ground, |_| String::from("key"))),
    invalid("a key with other line ends", "sender_key", |ground| with_key(ground, |pem| pem.replace('\n', "\r\n"))),
    invalid("a key without its last line end", "sender_key", |ground| {
        with_key(ground, |pem| pem.trim_end().to_owned())
    }),
    invalid("a key in one line", "sender_key", |ground| {
        with_key(ground, |pem| {
            let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
        })
    }),
    invalid("a key under the label of another format", "sender_key", |ground| {
        with_key(ground, |pem| pem.replace("PUBLIC", "RSA PUBLIC"))
    }),
    invalid("a key of an elliptic curve", "sender_key", |ground| with_key(ground, |_| EC_KEY.to_owned())),
    invalid("an exponent of 3", "sender_key", |ground| {
        with_der(ground, |der| {
            let end = der.len();
            der[end - 3..].copy_from_slice(&[0, 0, 3]);
        })
    }),
    invalid("an exponent of 65539", "sender_key", |ground| with_der(ground, |der| *der.last_mut().unwrap() = 3)),
    invalid("an even modulus", "sender_key", |ground| {
        with_der(ground, |der| {
            let last_of_modulus = der.len() - 6;
            der[last_of_modulus] &= 0xfe;
        })
    }),
    invalid("a modulus with its highest bit clear", "sender_key", |ground| with_der(ground, |der| der[33] = 0x7f)),
    invalid("a byte behind the key", "sender_key", |ground| with_der(ground, |der| der.push(0))),
    invalid("a modulus of 1024 bits", "sender_key", |ground| with_key(ground, |_| key_of(128))),
    invalid("a modulus of 2056 bits", "sender_key", |ground| with_key(ground, |_| key_of(257))),
    invalid("a modulus of 8192 bits", "sender_key", |ground| with_key(ground, |_| key_of(1024))),
    Row {
        what: "the sender of another key",
        status: 409,
        code: "inconsistent_body",
        names: "sender",
        make: |ground| {
            let mut transaction = ground.signed(|_| {});
            transaction["sender"] = json!(CAROL.public().address().to_string());
            transaction.to_string()
        },
    },
    Row {
        what: "a signature as long as another key",
        status: 409,
        code: "inconsistent_body",
        names: "signature",
        make: |ground| ground.changed("signature", json!(raclette_api::encoding::to_base64(&[1; 384]))),
    },
    invalid("an empty signature", "signature", |ground| ground.changed("signature", json!(""))),
    invalid("a signature that is no base64", "signature", |ground| ground.changed("signature", json!("=="))),
    invalid("a signature in base64url", "signature", |ground| {
        let url = raclette_api::encoding::to_base64url(&[0xff; 256]);
        ground.changed("signature", json!(url))
    }),
    invalid("a signature of one byte less", "signature", |ground| {
        ground.changed("signature", json!(raclette_api::encoding::to_base64(&[1; 255])))
    }),
    invalid("a signature with a zero byte before it", "signature", |ground| {
        ground.changed("signature", json!(raclette_api::encoding::to_base64(&[0; 257])))
    }),
    forged("a signature of zeros", |ground| ground.with_signature(|_| vec![0; 256]).to_string()),
    forged("a signature that is the modulus", |ground| {
        ground.with_signature(|transaction| transaction.sender.modulus().to_vec()).to_string()
    }),
    forged("a signature of ones", |ground| ground.with_signature(|_| vec![0xff; 256]).to_string()),
    forged("one bit of the signature flipped", |ground| {
        let network = ground.peer.network();
        let flipped = |transaction: &Transaction| {
            let mut bytes = ALICE.sign(&transaction.preimage(&network)).as_bytes().to_vec();
            bytes[200] ^= 0x10;
            bytes
        };
        ground.with_signature(flipped).to_string()
    }),
    forged("a signature of somebody else", |ground| ground.signed_by(&CAROL, |_| {}).to_string()),
    forged("a signature for another network", |ground| {
        let other = NetworkId::from_bytes([1; 32]);
        ground.with_signature(|transaction| ALICE.sign(&transaction.preimage(&other)).as_bytes().to_vec()).to_string()
    }),
    forged("a signature over another amount", |ground| {
        let network = ground.peer.network();
        let other = |transaction: &Transaction| {
            let other = Transaction { amount: amount(6), ..transaction.clone() };
            ALICE.sign(&other.preimage(&network)).as_bytes().to_vec()
        };
        ground.with_signature(other).to_string()
    }),
    forged("an amount that was changed on the way", |ground| ground.changed("amount", json!(6))),
    forged("a signature with a salt of 20 bytes", |ground| {
        let network = ground.peer.network();
        ground.with_signature(|transaction| signature_with_salt(&transaction.preimage(&network), 20)).to_string()
    }),
    forged("a signature with a salt of 64 bytes", |ground| {
        let network = ground.peer.network();
        ground.with_signature(|transaction| signature_with_salt(&transaction.preimage(&network), 64)).to_string()
    }),
];
