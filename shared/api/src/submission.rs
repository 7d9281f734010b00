//! What `POST /tx` takes: one transaction, or an array of them.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, OneOfBuilder},
    },
};

use crate::transaction::{MAX_SUBMITTED_TRANSACTIONS, TransactionMessage};

/// One transaction, or up to 500 at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Submission {
    /// One transaction, which gets an answer of its own.
    One(Box<TransactionMessage>),
    /// Several, which get a result each, in the same order.
    Many(Vec<TransactionMessage>),
}

impl PartialSchema for Submission {
    fn schema() -> RefOr<Schema> {
        let one = || Ref::from_schema_name(TransactionMessage::name());
        let many = ArrayBuilder::new().items(one()).min_items(Some(1)).max_items(Some(MAX_SUBMITTED_TRANSACTIONS));
        OneOfBuilder::new()
            .description(Some("One transaction, or an array of 1 to 500, which get a result each."))
            .item(one())
            .item(many)
            .into()
    }
}

impl ToSchema for Submission {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((TransactionMessage::name().into_owned(), TransactionMessage::schema()));
        TransactionMessage::schemas(schemas);
    }
}

impl<'de> Deserialize<'de> for Submission {
    /// Looks at the first character only, so that an error names what is wrong with the transaction and not that "no
    /// variant matched".
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Submission;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a transaction, or an array of 1 to {MAX_SUBMITTED_TRANSACTIONS} transactions")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        TransactionMessage::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(Submission::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut transactions = Vec::new();
        while let Some(transaction) = sequence.next_element()? {
            if transactions.len() == MAX_SUBMITTED_TRANSACTIONS {
                return Err(serde::de::Error::invalid_length(MAX_SUBMITTED_TRANSACTIONS + 1, &self));
            }
            transactions.push(transaction);
        }
        if transactions.is_empty() {
            return Err(serde::de::Error::invalid_length(0, &self));
        }
        Ok(Submission::Many(transactions))
    }
}
