//! An example for every schema that has none, taken from the examples of the messages that it is part of.
//!
//! The examples of whole messages are real. Here they are taken apart: what stands at the place of a schema is an example of
//! it. Where a message shows none, because the member is absent there, one is put together from the parts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::openapi::{
    Components, RefOr, Schema,
    schema::{ArrayItems, SchemaType, Type},
};

/// How deep examples are put together: schemas may contain themselves.
const DEEPEST: usize = 8;

/// What was found, by the place of the schema: `Name`, `Name.member`, `Name.member[]`, `Name|0`.
type Found = BTreeMap<String, Value>;

/// The examples of all messages, taken apart.
pub(super) struct Samples {
    found: Found,
    known: Components,
}

impl Samples {
    /// From the examples of these components.
    pub(super) fn of(components: &Components) -> Self {
        let mut found = Found::new();
        for (name, schema) in &components.schemas {
            if let RefOr::T(whole) = schema
                && let Some(example) = example_in(whole)
            {
                take_apart(schema, &example, name, components, &mut found);
            }
        }
        Self { found, known: components.clone() }
    }

    /// Gives each of these components an example that has none.
    pub(super) fn give(&self, components: &mut Components) {
        for (name, schema) in &mut components.schemas {
            fill(schema, name, &self.found, &self.known);
        }
    }

    /// Gives a schema that is no component an example: that of the body that it describes, or else one that is put together.
    pub(super) fn give_one(&self, schema: &mut RefOr<Schema>, body: Option<&Value>) {
        if let (RefOr::T(Schema::Object(object)), Some(body)) = (&mut *schema, body)
            && object.example.is_none()
            && object.examples.is_empty()
        {
            object.examples = vec![body.clone()];
        }
        fill(schema, "", &self.found, &self.known);
    }
}

fn take_apart(schema: &RefOr<Schema>, value: &Value, place: &str, components: &Components, found: &mut Found) {
    let schema = match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
            if let Some(schema) = components.schemas.get(name) {
                take_apart(schema, value, name, components, found);
            }
            return;
        }
        RefOr::T(schema) => schema,
    };
    if !fits(schema, value) {
        return;
    }
    if !place.is_empty() {
        found.entry(place.to_owned()).or_insert_with(|| shortened(schema, value));
    }
    match schema {
        Schema::Object(object) => {
            for (name, schema) in &object.properties {
                if let Some(value) = value.get(name) {
                    take_apart(schema, value, &format!("{place}.{name}"), components, found);
                }
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &array.items {
                for value in value.as_array().into_iter().flatten() {
                    take_apart(items, value, &format!("{place}[]"), components, found);
                }
            }
        }
        Schema::OneOf(_) | Schema::AllOf(_) | Schema::AnyOf(_) => {
            for (number, schema) in alternatives(schema).iter().enumerate() {
                take_apart(schema, value, &format!("{place}|{number}"), components, found);
            }
        }
        _ => {}
    }
}

fn alternatives(schema: &Schema) -> &[RefOr<Schema>] {
    match schema {
        Schema::OneOf(one) => &one.items,
        Schema::AllOf(all) => &all.items,
        Schema::AnyOf(any) => &any.items,
        _ => &[],
    }
}

/// Whether a value can be meant by a schema: its type, the members that it must have, the values that it may have.
fn fits(schema: &Schema, value: &Value) -> bool {
    match schema {
        Schema::Object(object) if object.properties.is_empty() => match &object.enum_values {
            Some(values) => values.contains(value),
            None => true,
        },
        Schema::Object(object) => {
            let whole = object.required.iter().all(|name| value.get(name).is_some());
            let member = |(name, schema): (&String, &RefOr<Schema>)| match (value.get(name), schema) {
                (Some(value), RefOr::T(schema)) => fits(schema, value),
                _ => true,
            };
            value.is_object() && whole && object.properties.iter().all(member)
        }
        Schema::Array(_) => value.is_array(),
        _ => true,
    }
}

/// A list as an example is as good with one entry, or as few as there must be.
fn shortened(schema: &Schema, value: &Value) -> Value {
    match (schema, value) {
        (Schema::Array(array), Value::Array(entries)) => {
            let least = array.min_items.unwrap_or(1).max(1);
            Value::Array(entries.iter().take(least).cloned().collect())
        }
        (_, other) => other.clone(),
    }
}

/// Adds what is missing to a schema and its parts.
fn fill(schema: &mut RefOr<Schema>, place: &str, found: &Found, known: &Components) {
    let RefOr::T(schema) = schema else { return };
    if example_in(schema).is_none() {
        let example = found.get(place).cloned().or_else(|| put_together(schema, place, found, known, 0));
        let example = example.into_iter().collect();
        match schema {
            Schema::Object(object) => object.examples = example,
            Schema::Array(array) => array.examples = example,
            Schema::OneOf(one) => one.examples = example,
            Schema::AnyOf(any) => any.examples = example,
            // It has the example of what it refers to.
            _ => {}
        }
    }
    match schema {
        Schema::Object(object) => {
            for (name, schema) in &mut object.properties {
                fill(schema, &format!("{place}.{name}"), found, known);
            }
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                fill(items, &format!("{place}[]"), found, known);
            }
        }
        _ => {
            for (number, schema) in super::references::parts(schema).into_iter().enumerate() {
                fill(schema, &format!("{place}|{number}"), found, known);
            }
        }
    }
}

/// The example that a schema has itself.
fn example_in(schema: &Schema) -> Option<Value> {
    let (one, several) = match schema {
        Schema::Object(object) => (&object.example, &object.examples),
        Schema::Array(array) => (&array.example, &array.examples),
        Schema::OneOf(one) => (&one.example, &one.examples),
        Schema::AllOf(all) => (&all.example, &all.examples),
        Schema::AnyOf(any) => (&any.example, &any.examples),
        _ => return None,
    };
    one.clone().or_else(|| several.first().cloned())
}

/// An example that is made of the parts' examples.
fn put_together(schema: &Schema, place: &str, found: &Found, known: &Components, depth: usize) -> Option<Value> {
    let part = |schema: &RefOr<Schema>, place: &str| match schema {
        _ if depth == DEEPEST => None,
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
            let RefOr::T(schema) = known.schemas.get(name)? else { return None };
            let ready = example_in(schema).or_else(|| found.get(name).cloned());
            ready.or_else(|| put_together(schema, name, found, known, depth + 1))
        }
        RefOr::T(schema) => {
            let ready = example_in(schema).or_else(|| found.get(place).cloned());
            ready.or_else(|| put_together(schema, place, found, known, depth + 1))
        }
    };
    match schema {
        Schema::Object(object) if !object.properties.is_empty() => {
            let mut members = Map::new();
            for (name, schema) in &object.properties {
                match part(schema, &format!("{place}.{name}")) {
                    Some(value) => drop(members.insert(name.clone(), value)),
                    None if object.required.contains(name) => return None,
                    None => {}
                }
            }
            Some(Value::Object(members))
        }
        Schema::Object(object) => {
            let one_of_few = object.enum_values.as_ref().and_then(|values| values.first()).cloned();
            let only = match &object.schema_type {
                SchemaType::Type(Type::Boolean) => Some(Value::Bool(true)),
                SchemaType::Type(Type::Null) => Some(Value::Null),
                _ => None,
            };
            one_of_few.or_else(|| object.default.clone()).or(only)
        }
        Schema::Array(array) => match &array.items {
            ArrayItems::RefOrSchema(items) => part(items, &format!("{place}[]")).map(|value| Value::Array(vec![value])),
            ArrayItems::False => None,
        },
        _ => alternatives(schema).iter().enumerate().find_map(|(number, one)| part(one, &format!("{place}|{number}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use utoipa::openapi::{
        Components, ComponentsBuilder, Ref,
        schema::{ArrayBuilder, ObjectBuilder, Type},
    };

    use super::Samples;

    /// A page of blocks with an example of its own, what is in it, and a schema that is in no page.
    fn components() -> Components {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let status = text().enum_values(Some(["new", "old"]));
        let block = ObjectBuilder::new()
            .property("hash", text())
            .property("status", Ref::from_schema_name("Status"))
            .property("final", ObjectBuilder::new().schema_type(Type::Boolean))
            .required("hash");
        let page = ObjectBuilder::new()
            .property("blocks", ArrayBuilder::new().items(Ref::from_schema_name("Block")))
            .examples([json!({"blocks": [{"hash": "aa", "status": "old"}, {"hash": "bb"}]})]);
        let alone = ObjectBuilder::new()
            .property("block", Ref::from_schema_name("Block"))
            .property("sure", ObjectBuilder::new().schema_type(Type::Boolean))
            .required("block");
        ComponentsBuilder::new()
            .schema("Status", status)
            .schema("Block", block)
            .schema("Page", page)
            .schema("Alone", alone)
            .build()
    }

    fn completed() -> Value {
        let mut components = components();
        Samples::of(&components).give(&mut components);
        serde_json::to_value(components).unwrap()["schemas"].clone()
    }

    #[test]
    fn what_stands_in_a_messages_example_is_an_example_of_its_parts() {
        let schemas = completed();
        assert_eq!(schemas["Block"]["examples"], json!([{"hash": "aa", "status": "old"}]));
        assert_eq!(schemas["Block"]["properties"]["hash"]["examples"], json!(["aa"]));
        assert_eq!(schemas["Status"]["examples"], json!(["old"]));
        assert_eq!(
            schemas["Page"]["properties"]["blocks"]["examples"],
            json!([[{"hash": "aa", "status": "old"}]]),
            "one entry says as much as two"
        );
        assert_eq!(schemas["Page"]["examples"].as_array().unwrap().len(), 1, "what has one keeps it");
    }

    #[test]
    fn what_no_message_shows_is_put_together() {
        let schemas = completed();
        assert_eq!(schemas["Block"]["properties"]["final"]["examples"], json!([true]));
        assert_eq!(schemas["Alone"]["examples"], json!([{"block": {"hash": "aa", "status": "old"}, "sure": true}]));
    }
}
