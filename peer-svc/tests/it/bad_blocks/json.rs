//! Good blocks in a spelling that is not theirs: whatever is not the one encoding is refused, so that no block gets a second
//! hash and no value a second meaning.

use serde_json::{Value, json};

use super::{Ground, Problem, Row, Sent};

/// A good block with one transaction, as JSON.
fn good(ground: &Ground) -> Value {
    ground.peer.json(&ground.peer.next_block(vec![ground.good(0)]))
}

/// A good block with the member at this place changed.
fn with(ground: &Ground, pointer: &str, change: impl FnOnce(&mut Value)) -> Sent {
    let mut block = good(ground);
    change(block.pointer_mut(pointer).unwrap_or_else(|| panic!("there is no {pointer}")));
    Sent::text(block.to_string())
}

/// A good block whose text is changed in one place.
fn replaced(ground: &Ground, from: &str, to: &str) -> Sent {
    let text = good(ground).to_string();
    assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
    Sent::text(text.replace(from, to))
}

fn upper(value: &mut Value) {
    *value = json!(value.as_str().unwrap().to_uppercase());
}

const INVALID: super::Answered = Problem(422, "invalid_body");
const INCONSISTENT: super::Answered = Problem(409, "inconsistent_body");
const MALFORMED: super::Answered = Problem(400, "malformed_json");

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "a block without reward",
        answered: INCONSISTENT,
        make: |ground| {
            let mut block = good(ground);
            block.as_object_mut().unwrap().remove("reward");
            Sent::text(block.to_string())
        },
    },
    Row {
        what: "two rewards in an array",
        answered: INVALID,
        make: |ground| with(ground, "/reward", |reward| *reward = json!([reward, reward])),
    },
    Row {
        what: "two rewards under the same name",
        answered: INVALID,
        make: |ground| {
            let reward = good(ground)["reward"].to_string();
            let block = good(ground).to_string();
            Sent::text(block.replacen('{', &format!("{{\"reward\":{reward},"), 1))
        },
    },
    Row {
        what: "a reward among the transactions",
        answered: INVALID,
        make: |ground| {
            let reward = good(ground)["reward"].clone();
            with(ground, "/transactions", |transactions| transactions.as_array_mut().unwrap().push(reward))
        },
    },
    Row {
        what: "a reward with the id of another",
        answered: INCONSISTENT,
        make: |ground| with(ground, "/reward/id", |id| *id = json!("ab".repeat(32))),
    },
    Row {
        what: "a reward beyond 2^53 - 1",
        answered: INVALID,
        make: |ground| with(ground, "/reward/amount", |amount| *amount = json!(1_u64 << 53)),
    },
    Row {
        what: "a negative reward",
        answered: INVALID,
        make: |ground| with(ground, "/reward/amount", |amount| *amount = json!(-1)),
    },
    Row {
        what: "a reward beyond u64",
        answered: INVALID,
        make: |ground| replaced(ground, "\"amount\":51}", "\"amount\":18446744073709551667}"),
    },
    Row {
        what: "a header as a sequence of values",
        answered: INVALID,
        make: |ground| {
            with(ground, "/header", |header| *header = header.as_object().unwrap().values().cloned().collect())
        },
    },
    Row {
        what: "a block as a sequence of values",
        answered: INVALID,
        make: |ground| {
            let values: Value = good(ground).as_object().unwrap().values().cloned().collect();
            Sent::text(values.to_string())
        },
    },
    Row {
        what: "an unknown member in the header",
        answered: INVALID,
        make: |ground| with(ground, "/header", |header| header["extra"] = json!(1)),
    },
    Row {
        what: "a version under the same name twice",
        answered: INVALID,
        make: |ground| replaced(ground, "\"version\":1", "\"version\":1,\"version\":1"),
    },
    Row {
        what: "a height with a fraction",
        answered: INVALID,
        make: |ground| replaced(ground, "\"height\":13", "\"height\":13.0"),
    },
    Row {
        what: "a height with an exponent",
        answered: INVALID,
        make: |ground| replaced(ground, "\"height\":13", "\"height\":1.3e1"),
    },
    Row {
        what: "a height with a zero before it",
        answered: MALFORMED,
        make: |ground| replaced(ground, "\"height\":13", "\"height\":013"),
    },
    Row {
        what: "a height beyond 2^32 - 1",
        answered: INVALID,
        make: |ground| with(ground, "/header/height", |height| *height = json!((1_u64 << 32) + 13)),
    },
    Row {
        what: "a height in a string",
        answered: INVALID,
        make: |ground| with(ground, "/header/height", |height| *height = json!("13")),
    },
    Row {
        what: "a time beyond 2^53 - 1",
        answered: INVALID,
        make: |ground| with(ground, "/header/time", |time| *time = json!(1_u64 << 53)),
    },
    Row { what: "a root in upper case", answered: INVALID, make: |ground| with(ground, "/header/merkle_root", upper) },
    Row { what: "a parent in upper case", answered: INVALID, make: |ground| with(ground, "/header/previous", upper) },
    Row {
        what: "a nonce with a prefix",
        answered: INVALID,
        make: |ground| with(ground, "/header/nonce", |nonce| *nonce = json!(format!("0x{}", nonce.as_str().unwrap()))),
    },
    Row {
        what: "a nonce without its zeros",
        answered: INVALID,
        make: |ground| {
            with(ground, "/header/nonce", |nonce| *nonce = json!(nonce.as_str().unwrap().trim_start_matches('0')))
        },
    },
    Row {
        what: "a target of six digits",
        answered: INVALID,
        make: |ground| with(ground, "/header/target", |target| *target = json!(&target.as_str().unwrap()[2..])),
    },
    Row {
        what: "a hash that is not the block's",
        answered: INCONSISTENT,
        make: |ground| with(ground, "/header/hash", |hash| *hash = json!("00".repeat(32))),
    },
    Row {
        what: "no hash, but null",
        answered: INVALID,
        make: |ground| with(ground, "/header/hash", |hash| *hash = Value::Null),
    },
    Row {
        what: "a signature without its padding",
        answered: INVALID,
        make: |ground| {
            with(ground, "/transactions/0/signature", |signature| {
                *signature = json!(signature.as_str().unwrap().trim_end_matches('='));
            })
        },
    },
    Row {
        what: "a signature with a zero byte before it",
        answered: INVALID,
        make: |ground| {
            with(ground, "/transactions/0/signature", |signature| {
                let bytes = raclette_api::encoding::from_base64("signature", signature.as_str().unwrap()).unwrap();
                *signature = json!(raclette_api::encoding::to_base64(&[&[0], bytes.as_slice()].concat()));
            })
        },
    },
    Row {
        what: "an empty signature",
        answered: INVALID,
        make: |ground| with(ground, "/transactions/0/signature", |signature| *signature = json!("")),
    },
    Row {
        what: "a transaction whose amount was changed on the way",
        answered: INCONSISTENT,
        make: |ground| with(ground, "/transactions/0/amount", |amount| *amount = json!(6)),
    },
    Row {
        what: "leaf hashes in upper case",
        answered: INVALID,
        make: |ground| {
            let mut block = good(ground);
            block["leaves"] = json!(["AB".repeat(32)]);
            Sent::text(block.to_string())
        },
    },
    Row { what: "nothing", answered: MALFORMED, make: |_| Sent::text(String::new()) },
    Row {
        what: "half a block",
        answered: MALFORMED,
        make: |ground| {
            let text = good(ground).to_string();
            Sent::text(text[..text.len() / 2].to_owned())
        },
    },
    Row {
        what: "bytes behind the block",
        answered: MALFORMED,
        make: |ground| Sent::text(format!("{}{{}}", good(ground))),
    },
    Row {
        what: "an array 200 deep",
        answered: INVALID,
        make: |ground| {
            let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
            let text = good(ground).to_string();
            Sent::text(text.replacen("\"transactions\":[", &format!("\"transactions\":[{deep},"), 1))
        },
    },
    Row {
        what: "more bytes than the route reads",
        answered: Problem(413, "payload_too_large"),
        make: |ground| Sent::text(format!("{}{}", good(ground), " ".repeat(16 << 20))),
    },
];
