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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::of;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Result<Submission, String> {
        serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_transaction_or_an_array_is_taken() {
        let example = of::<TransactionMessage>();
        let one = read(&example).unwrap();
        assert!(matches!(one, Submission::One(_)));
        assert_eq!(serde_json::to_value(one).unwrap(), example);
        let many = json!([example, example]);
        assert!(matches!(read(&many).unwrap(), Submission::Many(ref transactions) if transactions.len() == 2));
        assert_eq!(serde_json::to_value(read(&many).unwrap()).unwrap(), many);
    }

    #[test]
    fn an_error_names_what_is_wrong_inside() {
        let mut example = of::<TransactionMessage>();
        example["amount"] = json!(-1);
        let expected = "invalid value: integer `-1`, expected u64";
        assert!(read(&example).unwrap_err().starts_with(expected));
        assert!(read(&json!([example])).unwrap_err().starts_with(expected));
        assert!(
            read(&json!("x")).unwrap_err().contains("expected a transaction, or an array of 1 to 500 transactions")
        );
    }

    #[test]
    fn an_array_is_neither_empty_nor_too_long() {
        assert!(read(&json!([])).is_err());
        let example = of::<TransactionMessage>();
        assert!(read(&json!(vec![&example; MAX_SUBMITTED_TRANSACTIONS])).is_ok());
        assert!(read(&json!(vec![&example; MAX_SUBMITTED_TRANSACTIONS + 1])).unwrap_err().contains("501"));
    }
}
