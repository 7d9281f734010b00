//! Why a message is refused: one error for all conversions and signatures.

use std::fmt;

use raclette_chain::{PROTOCOL_VERSION, hash::NetworkId};

/// How much of a value that was found is repeated in an error, in characters.
const SHOWN: usize = 120;

/// What kind of thing is wrong with a message. Services choose the status code by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A value is not what the schema says.
    Malformed,
    /// Each value is what the schema says, but together they cannot be: one contradicts another, or its own checksum.
    Inconsistent,
    /// The message is of a protocol version that this program does not speak.
    Protocol,
    /// The message belongs to another network.
    Network,
    /// The signature does not hold, or is not by the key that must sign.
    Signature,
}

/// What is wrong with which member of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, found {found}")]
pub struct ApiError {
    /// What kind of thing is wrong.
    pub fault: Fault,
    /// The member, as a path such as `transactions[3].sender_key`.
    pub field: String,
    /// What would have been right.
    pub expected: String,
    /// What was there, cut if it is long.
    pub found: String,
}

impl ApiError {
    /// A malformed member.
    #[must_use]
    pub fn malformed(field: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::new(Fault::Malformed, field, expected, found)
    }

    /// A member that is well-formed, but does not fit others of the same message, or its own checksum.
    #[must_use]
    pub fn inconsistent(field: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::new(Fault::Inconsistent, field, expected, found)
    }

    /// A version of the protocol that is not spoken here.
    #[must_use]
    pub fn protocol(found: u32) -> Self {
        Self::new(Fault::Protocol, "protocol", format_args!("protocol version {PROTOCOL_VERSION}"), found)
    }

    /// A message of another network.
    #[must_use]
    pub fn network(expected: &NetworkId, found: impl fmt::Display) -> Self {
        Self::new(Fault::Network, "network_id", expected, found)
    }

    /// A signature that does not hold.
    #[must_use]
    pub fn signature(field: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::new(Fault::Signature, field, expected, found)
    }

    fn new(fault: Fault, field: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { fault, field: field.to_owned(), expected: expected.to_string(), found: shown(&found.to_string()) }
    }

    /// The same error, seen from the message that contains this one as its member `parent`.
    #[must_use]
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

/// The beginning of a text.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_path_and_cuts_what_it_found() {
        let error = ApiError::malformed("sender_key", "a key", "ä".repeat(1000)).within("transactions[3]");
        assert_eq!(error.field, "transactions[3].sender_key");
        assert_eq!(error.found.chars().count(), SHOWN + 3);
        assert!(error.to_string().starts_with("transactions[3].sender_key: expected a key, found ä"));
    }
}
