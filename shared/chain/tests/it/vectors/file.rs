//! Files of test vectors: compared by default, written when asked for.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

/// Compares a file of vectors with what the code gives, or writes it if `RACLETTE_WRITE_VECTORS` is set.
///
/// `build` gets what the file holds now (null if there is none), because signatures and sealed messages differ each time
/// they are made: those that still hold are to be kept.
pub(crate) fn check(name: &str, build: impl FnOnce(&Value) -> Value) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "openapi", "vectors", name].iter().collect();
    let stored = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let made = build(&stored);
    if env::var_os("RACLETTE_WRITE_VECTORS").is_some() {
        fs::write(&path, format!("{made:#}\n")).unwrap();
    } else if let Some(place) = difference(&stored, &made, "") {
        panic!(
            "openapi/vectors/{name} and the code differ at {place}\nIf the code is right, write the file again:\n  \
             RACLETTE_WRITE_VECTORS=1 cargo test -p {} --test it vectors",
            env!("CARGO_PKG_NAME")
        );
    }
}

/// The first place at which two values differ, with both values.
fn difference(stored: &Value, made: &Value, place: &str) -> Option<String> {
    if stored == made {
        return None;
    }
    let inside = match (stored, made) {
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            right.iter().find_map(|(key, value)| {
                difference(left.get(key).unwrap_or(&Value::Null), value, &format!("{place}/{key}"))
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (left, right))| difference(left, right, &format!("{place}/{index}"))),
        _ => None,
    };
    inside.or_else(|| Some(format!("{place}:\n  in the file  {stored}\n  by the code  {made}")))
}
