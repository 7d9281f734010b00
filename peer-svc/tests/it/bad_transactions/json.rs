//! Transactions in a spelling that is not theirs.

use serde_json::{Value, json};

use super::{Ground, Row};

const fn invalid(names: &'static str, what: &'static str, make: fn(&Ground) -> String) -> Row {
    Row { what, status: 422, code: "invalid_body", names, make }
}

const fn inconsistent(names: &'static str, what: &'static str, make: fn(&Ground) -> String) -> Row {
    Row { what, status: 409, code: "inconsistent_body", names, make }
}

const fn malformed(what: &'static str, make: fn(&Ground) -> String) -> Row {
    Row { what, status: 400, code: "malformed_json", names: "", make }
}

/// Alice's next transaction with this for its amount.
fn amount(ground: &Ground, text: &str) -> String {
    ground.replaced("\"amount\":5,", &format!("\"amount\":{text},"))
}

fn upper(ground: &Ground, member: &str) -> String {
    let mut transaction = ground.with_message("hello", 2);
    transaction[member] = json!(transaction[member].as_str().unwrap().to_uppercase());
    transaction.to_string()
}

pub(super) const ROWS: &[Row] = &[
    invalid("amount", "a negative amount", |ground| amount(ground, "-5")),
    invalid("amount", "an amount of minus zero", |ground| amount(ground, "-0")),
    invalid("amount", "an amount with a fraction", |ground| amount(ground, "5.0")),
    invalid("amount", "an amount with an exponent", |ground| amount(ground, "5e0")),
    invalid("amount", "an amount in a string", |ground| amount(ground, "\"5\"")),
    invalid("amount", "null for an amount", |ground| amount(ground, "null")),
    invalid("amount", "an amount beyond 2^53 - 1", |ground| amount(ground, "9007199254740992")),
    invalid("amount", "an amount beyond u64", |ground| amount(ground, "18446744073709551616")),
    malformed("an amount with a zero before it", |ground| amount(ground, "05")),
    malformed("an amount with a plus", |ground| amount(ground, "+5")),
    malformed("an amount in hex", |ground| amount(ground, "0x5")),
    malformed("an amount that is not a number", |ground| amount(ground, "NaN")),
    invalid("fee", "a fee beyond 2^53 - 1", |ground| ground.changed("fee", json!(1_u64 << 53))),
    invalid("sequence", "a sequence number beyond 2^53 - 1", |ground| ground.changed("sequence", json!(1_u64 << 53))),
    invalid("created", "a time beyond 2^53 - 1", |ground| ground.changed("created", json!(1_u64 << 53))),
    invalid("valid_until", "a height beyond 2^32 - 1", |ground| ground.changed("valid_until", json!(1_u64 << 32))),
    invalid("", "an amount twice", |ground| ground.replaced("\"amount\":5,", "\"amount\":5,\"amount\":500,")),
    invalid("note", "a member that there is not", |ground| ground.changed("note", json!(""))),
    invalid("", "a member left out", |ground| ground.replaced("\"amount\":5,", "")),
    invalid("message", "null for no message", |ground| ground.changed("message", Value::Null)),
    inconsistent("id", "the id of another transaction", |ground| {
        let mut transaction = ground.signed(|_| {});
        transaction["id"] = json!("ab".repeat(32));
        transaction.to_string()
    }),
    invalid("id", "an id in upper case", |ground| upper(ground, "id")),
    invalid("message_digest", "a digest in upper case", |ground| upper(ground, "message_digest")),
    inconsistent("message_digest", "a digest of zeros", |ground| {
        ground.changed("message_digest", json!("00".repeat(32)))
    }),
    invalid("recipient", "a recipient in upper case", |ground| upper(ground, "recipient")),
    inconsistent("recipient", "a recipient with another checksum", |ground| {
        let mut transaction = ground.signed(|_| {});
        let address = transaction["recipient"].as_str().unwrap();
        let last = if address.ends_with('q') { "p" } else { "q" };
        transaction["recipient"] = json!(format!("{}{last}", &address[..address.len() - 1]));
        transaction.to_string()
    }),
    invalid("message.recipients", "a message for one recipient only", |ground| {
        let mut transaction = ground.with_message("hello", 2);
        transaction["message"]["recipients"].as_array_mut().unwrap().pop();
        transaction.to_string()
    }),
    invalid("message.protected", "a message with another cipher", |ground| {
        let mut transaction = ground.with_message("hello", 2);
        let header = raclette_api::encoding::to_base64url(b"{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}");
        transaction["message"]["protected"] = json!(header);
        transaction.to_string()
    }),
    invalid("message.iv", "a message with padding", |ground| {
        let mut transaction = ground.with_message("hello", 2);
        transaction["message"]["iv"] = json!(format!("{}=", transaction["message"]["iv"].as_str().unwrap()));
        transaction.to_string()
    }),
    invalid("", "no transaction at all", |_| String::from("[]")),
    invalid("", "a transaction as a string", |_| String::from("\"transaction\"")),
    invalid("", "more than 500 at once", |ground| {
        let one = ground.signed(|_| {});
        Value::from(vec![one; 501]).to_string()
    }),
    malformed("nothing", |_| String::new()),
    malformed("half a transaction", |ground| {
        let text = ground.signed(|_| {}).to_string();
        text[..text.len() / 2].to_owned()
    }),
    malformed("bytes behind the transaction", |ground| format!("{}x", ground.signed(|_| {}))),
    invalid("[0]", "an array 200 deep", |_| format!("{}{}", "[".repeat(200), "]".repeat(200))),
    invalid("[0]", "a sequence of values in place of a transaction", |ground| {
        let values: Value = ground.signed(|_| {}).as_object().unwrap().values().cloned().collect();
        json!([values]).to_string()
    }),
    invalid("amount", "an object 200 deep in a member", |ground| {
        let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
        ground.replaced("\"amount\":5,", &format!("\"amount\":{deep},"))
    }),
    malformed("a name without quotes", |ground| ground.replaced("\"amount\":5", "amount:5")),
];
