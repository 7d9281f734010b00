//! The headers that many answers carry, described once and referred to.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::{
    Header, HeaderBuilder, RefOr,
    schema::{ObjectBuilder, Type},
};

/// The names of the headers that an answer with this status carries.
pub(super) fn of(status: &str) -> &'static [&'static str] {
    match status {
        "304" => &["X-Request-Id", "Raclette-Address", "ETag", "Cache-Control"],
        "401" => &["X-Request-Id", "Raclette-Address", "WWW-Authenticate"],
        "429" => &["X-Request-Id", "Raclette-Address", "Retry-After"],
        _ => &["X-Request-Id", "Raclette-Address"],
    }
}

/// What the names refer to.
pub(super) fn shared() -> BTreeMap<String, RefOr<Header>> {
    [
        (
            "X-Request-Id",
            "The request's id: the caller's own, or a fresh one. The log names it, and requests to other services that are \
             made for this one carry it",
            text("^[A-Za-z0-9._-]{1,64}$", 64),
            Value::from("7f1c0b7f8a2d4c0c9f4f0a3d5b6e7a81"),
        ),
        (
            "Raclette-Address",
            "The address of the answering service's key",
            text("^rac1[02-9ac-hj-np-z]{58}$", 62),
            Value::from("rac17fdnuunn2f3kj8de90vztdxgyltnqqyuj069c8lmtxpa84tvnqsqqtduv5"),
        ),
        ("Retry-After", "In how many seconds it makes sense to ask again", seconds(), Value::from(2)),
        (
            "WWW-Authenticate",
            "How to say that one is the owner",
            text("^Bearer( .+)?$", 64),
            Value::from("Bearer"),
        ),
        (
            "Link",
            "Where the next page is (RFC 8288); absent on the last one",
            text("^<.*>; rel=\"next\"$", 8192),
            Value::from("</messages?cursor=41>; rel=\"next\""),
        ),
        (
            "ETag",
            "What the answer was made from: for `If-None-Match`",
            text("^W/\".*\"$", 300),
            Value::from("W/\"00ff.7\""),
        ),
        (
            "Cache-Control",
            "`no-cache`: it may change, ask again with `If-None-Match`; `immutable`: it never changes",
            text("^[a-z0-9=, -]+$", 100),
            Value::from("no-cache"),
        ),
    ]
    .into_iter()
    .map(|(name, description, schema, example)| (name.to_owned(), header(description, schema, example)))
    .collect()
}

fn header(description: &str, schema: ObjectBuilder, example: Value) -> RefOr<Header> {
    let schema = schema.examples([example.clone()]);
    let header = HeaderBuilder::new().description(Some(description)).schema(Some(schema)).example(Some(example));
    RefOr::T(header.build())
}

/// Gives a header that an operation describes in words of its own its bounds and an example.
pub(super) fn complete(name: &str, header: &mut RefOr<Header>) {
    let RefOr::T(header) = header else { return };
    let (schema, example) = match name {
        "Location" => (text("^/.*$", 200), Value::from("/tx/5d5d")),
        "Preference-Applied" => (text("^wait=[0-9]{1,2}$", 7), Value::from("wait=30")),
        "Idempotency-Replayed" => (text("^true$", 4), Value::from("true")),
        "Vary" => (text("^.+$", 100), Value::from("accept")),
        "Retry-After" => (seconds(), Value::from(2)),
        _ => return,
    };
    header.schema = Some(schema.examples([example.clone()]).into());
    header.example = Some(example);
}

fn text(pattern: &str, longest: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).max_length(Some(longest))
}

fn seconds() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(86_400))
}
