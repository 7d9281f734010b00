//! Keys, their encodings and addresses.

use raclette_chain::{address::Address, keys::PublicKey, testing};
use serde_json::{Value, json};

use super::{
    file,
    json::{base64, hex},
};

/// The test keys by name.
const KEYS: [(&str, &str); 4] = [
    ("alice", testing::ALICE_PEM),
    ("bob", testing::BOB_PEM),
    ("carol", testing::CAROL_PEM),
    ("dave", testing::DAVE_PEM),
];

#[test]
fn keys() {
    file::check("keys.json", |_| {
        let keys: Vec<Value> = KEYS.iter().map(|(name, pem)| key(name, pem)).collect();
        json!({
            "about": "Keys made for tests only: everybody knows them. der: SubjectPublicKeyInfo; address_bytes: its SHA-256.",
            "keys": keys,
            "invalid_addresses": invalid_addresses(),
            "invalid_keys": invalid_keys(),
        })
    });
}

fn key(name: &str, pem: &str) -> Value {
    let key = testing::key(pem);
    let public = key.public();
    json!({
        "name": name,
        "private_key": pem,
        "public_key": public.to_pem(),
        "der": hex(public.der()),
        "address_bytes": hex(public.address().as_bytes()),
        "address": public.address().to_string(),
    })
}

fn alice() -> PublicKey {
    testing::key(testing::ALICE_PEM).public().clone()
}

fn invalid_addresses() -> Vec<Value> {
    let good = alice().address().to_string();
    let (head, last) = good.split_at(good.len() - 1);
    let typo = format!("{head}{}", if last == "q" { "p" } else { "q" });
    let bech32 = bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("rac").unwrap(), &[7; 32]).unwrap();
    let prefix = bech32::encode::<bech32::Bech32m>(bech32::Hrp::parse("car").unwrap(), &[7; 32]).unwrap();
    let short = bech32::encode::<bech32::Bech32m>(bech32::Hrp::parse("rac").unwrap(), &[7; 31]).unwrap();
    let bad = [
        ("upper case", good.to_uppercase()),
        ("one character wrong", typo),
        ("one character missing", head.to_owned()),
        ("the checksum of bech32, not bech32m", bech32),
        ("another prefix", prefix),
        ("31 bytes", short),
        ("empty", String::new()),
    ];
    bad.into_iter()
        .map(|(why, address)| {
            assert!(address.parse::<Address>().is_err(), "{why}");
            json!({ "why": why, "address": address })
        })
        .collect()
}

fn invalid_keys() -> Vec<Value> {
    let good = alice().der().to_vec();
    let changed = |position: usize, byte: u8| {
        let mut der = good.clone();
        der[position] = byte;
        der
    };
    let end = good.len();
    let bad = [
        ("exponent 65539", changed(end - 1, 3)),
        ("an even modulus", changed(end - 6, 2)),
        ("another algorithm than rsaEncryption", changed(16, 10)),
        ("a modulus of 2047 bits", changed(33, 0x7f)),
        ("a byte behind the end", [good.as_slice(), &[0]].concat()),
    ];
    let mut all: Vec<Value> = bad
        .into_iter()
        .map(|(why, der)| {
            assert!(PublicKey::from_der(&der).is_err(), "{why}");
            json!({ "why": why, "der": hex(&der) })
        })
        .collect();
    let good_pem = alice().to_pem();
    let one_line = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&good));
    let windows = good_pem.replace('\n', "\r\n");
    let without_end = good_pem.trim_end().to_owned();
    for (why, pem) in
        [("PEM in one line", one_line), ("PEM with CR LF", windows), ("PEM without newline at its end", without_end)]
    {
        assert!(PublicKey::from_pem(&pem).is_err(), "{why}");
        all.push(json!({ "why": why, "pem": pem }));
    }
    all
}
