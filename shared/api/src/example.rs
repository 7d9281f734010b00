//! Examples for the OpenAPI documents: one small network, with real keys, signatures and blocks, that fits together.
//!
//! They are in `example/examples.json`, keyed by the name of the type; a test checks that each is what its type writes, and
//! that signatures and work hold. After a change of the protocol, write them anew with
//! `cargo nextest run -p raclette-api --run-ignored only write_the_examples`.

use std::sync::LazyLock;

use serde_json::{Map, Value};

#[cfg(test)]
mod story;
#[cfg(test)]
mod tests;

static EXAMPLES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("example/examples.json")).expect("the committed examples are a JSON object")
});

/// The example for messages of type `T`; null if there is none.
#[must_use]
pub fn of<T>() -> Value {
    EXAMPLES.get(type_name::<T>()).cloned().unwrap_or_default()
}

/// The name of a type without its module.
fn type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit_once("::").map_or(name, |(_, last)| last)
}

/// The example for `T` with the member at `pointer` (RFC 6901) set to `value`, or removed if that is null; for tests.
#[cfg(test)]
#[track_caller]
pub(crate) fn with<T: serde::de::DeserializeOwned>(pointer: &str, value: Value) -> T {
    serde_json::from_value(changed::<T>(pointer, value)).unwrap()
}

/// The same as JSON.
#[cfg(test)]
#[track_caller]
pub(crate) fn changed<T>(pointer: &str, value: Value) -> Value {
    let mut example = of::<T>();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match example.pointer_mut(parent).unwrap() {
        Value::Object(members) if value.is_null() => drop(members.remove(member)),
        Value::Object(members) => drop(members.insert(member.to_owned(), value)),
        Value::Array(items) => items[member.parse::<usize>().unwrap()] = value,
        other => panic!("{parent} is {other}"),
    }
    example
}
