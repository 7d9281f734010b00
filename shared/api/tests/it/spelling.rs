//! JSON has one spelling for each block and each transaction: what is written is read back, and a text that differs in
//! any value is refused or means something else.

use proptest::{prelude::*, sample::Index};
use raclette_api::{block::BlockMessage, transaction::TransactionMessage};
use serde_json::{Value, json};

use crate::arbitrary::{self, NETWORK};

/// One way to write a value otherwise.
#[derive(Debug, Clone)]
enum Change {
    /// Another character in a text, or another digit in a number.
    Character(Index, char),
    /// One more character in a text.
    Insert(Index, char),
    /// A text that is cut off.
    Cut(Index),
    /// A text in upper case.
    Upper,
    /// A text with white space around it.
    Spaced,
    /// A number as a text, anything else in an array. That an object is not read from the array of its values is shown where
    /// bodies are read, in the services' extractor.
    OtherType,
    /// A number as a fraction.
    Fraction,
    /// A number beyond 2^53 - 1.
    TooLarge(u64),
    /// `null` in its place.
    Null,
    /// Nothing in its place.
    Remove,
    /// The member under another name.
    Rename,
    /// The member a second time, under another name.
    Another,
}

fn change() -> impl Strategy<Value = Change> {
    let character = prop_oneof![
        4 => prop::char::range('0', '9'),
        4 => prop::char::range('a', 'f'),
        2 => prop::char::range('A', 'Z'),
        2 => prop::sample::select(vec!['=', '+', '/', '-', '_', '\n', '\r', ' ', '\0', 'é']),
    ];
    prop_oneof![
        6 => (any::<Index>(), character.clone()).prop_map(|(place, character)| Change::Character(place, character)),
        3 => (any::<Index>(), character).prop_map(|(place, character)| Change::Insert(place, character)),
        2 => any::<Index>().prop_map(Change::Cut),
        1 => Just(Change::Upper),
        1 => Just(Change::Spaced),
        1 => Just(Change::OtherType),
        1 => Just(Change::Fraction),
        1 => (1_u64 << 53..).prop_map(Change::TooLarge),
        1 => Just(Change::Null),
        1 => Just(Change::Remove),
        1 => Just(Change::Rename),
        1 => Just(Change::Another),
    ]
}

/// The places of all values, as JSON pointers.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| places(member, &format!("{here}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(position, item)| places(item, &format!("{here}/{position}"), found));
        }
        _ => {}
    }
    if !here.is_empty() {
        found.push(here.to_owned());
    }
}

/// The value with one place changed.
fn changed(mut value: Value, place: Index, change: &Change) -> Value {
    let mut found = Vec::new();
    places(&value, "", &mut found);
    let pointer = place.get(&found);
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    let at = value.pointer_mut(pointer).expect("the place was found");
    match (change, &mut *at) {
        (Change::Character(place, character), Value::String(text)) => {
            *text = with_character(text, *place, *character);
        }
        (Change::Character(place, character), Value::Number(number)) if character.is_ascii_digit() => {
            let digits = with_character(&number.to_string(), *place, *character);
            *at = digits.parse::<u64>().map_or(Value::Null, Value::from);
        }
        (Change::Insert(place, character), Value::String(text)) => {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
            text.insert(*place.get(&places), *character);
        }
        (Change::Cut(length), Value::String(text)) => {
            *text = text.chars().take(length.index(text.len() + 1)).collect();
        }
        (Change::Upper, Value::String(text)) => *text = text.to_uppercase(),
        (Change::Spaced, Value::String(text)) => *text = format!(" {text}\n"),
        (Change::OtherType, Value::Number(number)) => *at = json!(number.to_string()),
        (Change::OtherType, other) => *at = json!([other]),
        (Change::Fraction, Value::Number(number)) => *at = json!(number.as_f64()),
        (Change::TooLarge(number), Value::Number(_)) => *at = json!(number),
        (Change::Remove | Change::Rename | Change::Another, _) => {
            if let Some(Value::Object(members)) = value.pointer_mut(parent) {
                let member =
                    if matches!(change, Change::Another) { members.get(name).cloned() } else { members.remove(name) };
                if !matches!(change, Change::Remove) {
                    members.insert(format!("{name}_"), member.expect("the place was found"));
                }
            }
        }
        _ => *at = Value::Null,
    }
    value
}

fn with_character(text: &str, place: Index, character: char) -> String {
    if text.is_empty() {
        return character.to_string();
    }
    let place = place.index(text.chars().count());
    text.chars().enumerate().map(|(position, old)| if position == place { character } else { old }).collect()
}

/// Whether everything in `part` stands in `whole`, with the same value. A request may leave out what follows from the rest.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, member)| whole.get(name).is_some_and(|other| is_part(member, other)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_part(part, whole))
        }
        _ => part == whole,
    }
}

/// What is written for the block that this JSON is read as, if it is read as one.
fn block_again(value: &Value) -> Option<Value> {
    let message: BlockMessage = serde_json::from_value(value.clone()).ok()?;
    let again = if let Some(leaves) = message.leaves().ok()? {
        let (header, reward) = (message.header().ok()?, message.reward(&NETWORK).ok()?);
        let leaves = leaves.iter().map(ToString::to_string).collect();
        let empty = raclette_chain::block::Block::new(header, reward, Vec::new());
        BlockMessage { leaves: Some(leaves), ..BlockMessage::full(&empty, &NETWORK) }
    } else {
        BlockMessage::full(&message.decode(&NETWORK).ok()?.0, &NETWORK)
    };
    serde_json::to_value(again).ok()
}

fn transaction_again(value: &Value) -> Option<Value> {
    let message: TransactionMessage = serde_json::from_value(value.clone()).ok()?;
    let (signed, sealed) = message.decode(&NETWORK).ok()?;
    serde_json::to_value(TransactionMessage::new(&signed, sealed.as_ref())).ok()
}

proptest! {
    #[test]
    fn any_block_and_transaction_is_read_back(block in arbitrary::block(), transaction in arbitrary::transaction()) {
        for message in [BlockMessage::full(&block, &NETWORK), BlockMessage::compact(&block, &NETWORK)] {
            let value = serde_json::to_value(message).unwrap();
            prop_assert_eq!(block_again(&value), Some(value));
        }
        let value = serde_json::to_value(TransactionMessage::new(&transaction, None)).unwrap();
        prop_assert_eq!(transaction_again(&value), Some(value));
    }

    #[test]
    fn a_changed_block_is_refused_or_is_another(
        block in arbitrary::block(),
        compact in any::<bool>(),
        changes in prop::collection::vec((any::<Index>(), change()), 1..3),
    ) {
        let message =
            if compact { BlockMessage::compact(&block, &NETWORK) } else { BlockMessage::full(&block, &NETWORK) };
        let mut value = serde_json::to_value(message).unwrap();
        for (place, change) in &changes {
            value = changed(value, *place, change);
        }
        if let Some(again) = block_again(&value) {
            prop_assert!(is_part(&value, &again), "{value} is read as {again}");
        }
    }

    #[test]
    fn a_changed_transaction_is_refused_or_is_another(
        transaction in arbitrary::transaction(),
        changes in prop::collection::vec((any::<Index>(), change()), 1..3),
    ) {
        let mut value = serde_json::to_value(TransactionMessage::new(&transaction, None)).unwrap();
        for (place, change) in &changes {
            value = changed(value, *place, change);
        }
        if let Some(again) = transaction_again(&value) {
            prop_assert!(is_part(&value, &again), "{value} is read as {again}");
        }
    }
}
