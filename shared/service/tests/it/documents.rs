//! The committed OpenAPI documents, read as a critical reader would: everything has its bounds, links and webhooks lead
//! somewhere. That the documents are what the code says is tested by each service.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

fn document(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Every object or array below a value, with its place.
fn walk<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) => {
            found.push((place.to_owned(), value));
            for (name, member) in members {
                // Examples are values, not descriptions of values.
                if !["example", "examples", "default", "enum", "const"].contains(&name.as_str()) {
                    walk(member, &format!("{place}/{name}"), found);
                }
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                walk(item, &format!("{place}/{number}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The bounds that a schema lacks.
fn lacking(schema: &Value) -> Vec<&'static str> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |name: &str| types.contains(&name);
    let closed = schema.get("enum").is_some() || schema.get("const").is_some();
    let wanted = [
        ("maxLength", is("string") && !closed),
        ("minimum", is("integer") || is("number")),
        ("maximum", is("integer") || is("number")),
        ("maxItems", is("array")),
    ];
    wanted
        .into_iter()
        .filter(|(bound, wanted)| *wanted && schema.get(*bound).is_none())
        .map(|(bound, _)| bound)
        .collect()
}

#[test]
fn every_string_number_and_array_has_its_bounds() {
    for name in ["peer.json", "tracker.json"] {
        let document = document(name);
        let mut found = Vec::new();
        walk(&document, "", &mut found);
        assert!(found.len() > 1_000);
        let lacks: Vec<String> = found
            .iter()
            // What is no JSON is a whole document: a page, or a stream without end.
            .filter(|(place, _)| !place.contains("/text~1") && !place.contains("/text/"))
            // Parts of schemas that are named like a member of one.
            .filter(|(place, _)| !place.ends_with("/properties"))
            .flat_map(|(place, schema)| lacking(schema).into_iter().map(move |bound| format!("{place}: {bound}")))
            .collect();
        assert!(lacks.is_empty(), "{name} lacks bounds:\n{}", lacks.join("\n"));
    }
}

/// All operations of a document by their id, with their paths.
fn operations(document: &Value) -> BTreeMap<&str, &Value> {
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    operations.map(|operation| (operation["operationId"].as_str().unwrap(), operation)).collect()
}

/// Every link of a document: from which operation, its name, the example of the answer, the link.
fn links(document: &Value) -> Vec<(String, Value, Value)> {
    let mut links = Vec::new();
    for (id, operation) in operations(document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            for (name, link) in response.get("links").and_then(Value::as_object).into_iter().flatten() {
                let example = response["content"]["application/json"]["example"].clone();
                links.push((format!("{id} {status} {name}"), example, link.clone()));
            }
        }
    }
    links
}

#[test]
fn links_lead_to_operations_by_parameters_that_there_are() {
    for (name, wanted) in [
        (
            "peer.json",
            &["send 201 transaction", "get_transaction 200 block", "start_mining 202 job", "list_messages 200 next"],
        ),
        (
            "tracker.json",
            &["list_peers 200 next", "list_queue 200 retry", "list_queue 200 discard", "list_queue 200 next"],
        ),
    ] {
        let document = document(name);
        let (operations, links) = (operations(&document), links(&document));
        for wanted in wanted {
            assert!(links.iter().any(|(link, ..)| link == wanted), "{name} lacks {wanted}");
        }
        for (place, example, link) in links {
            let to = operations.get(link["operationId"].as_str().unwrap()).unwrap_or_else(|| panic!("{place}: {link}"));
            let parameters = to["parameters"].as_array().unwrap();
            for (parameter, value) in link["parameters"].as_object().unwrap() {
                let known = parameters.iter().any(|known| resolved(&document, known)["name"] == *parameter);
                assert!(known, "{place}: {} has no {parameter}", link["operationId"]);
                let pointer = value.as_str().unwrap().strip_prefix("$response.body#").unwrap();
                // The last page has no next one, and not every answer has what is optional.
                let optional = ["/next_cursor", "/block", "/destination_name"].contains(&pointer);
                assert!(optional || example.pointer(pointer).is_some(), "{place}: {pointer} is not in {example}");
            }
        }
    }
}

#[test]
fn the_trackers_calls_are_described_as_webhooks_and_peers_take_them() {
    let (tracker, peer) = (document("tracker.json"), document("peer.json"));
    let hooks = tracker["webhooks"].as_object().unwrap();
    for (name, method, path) in [
        ("notice", "post", "/peers"),
        ("indirect-probe", "post", "/probe"),
        ("probe", "get", "/status"),
        ("challenge", "get", "/challenge"),
    ] {
        let (hook, taken) = (&hooks[name][method], &peer["paths"][path][method]);
        assert!(hook["summary"].is_string(), "{name}: {hook}");
        let body = |operation: &Value| operation["requestBody"]["content"]["application/json"]["schema"].clone();
        assert_eq!(body(hook), body(taken), "{name}");
        let answer = |operation: &Value| operation["responses"]["200"]["content"]["application/json"]["schema"].clone();
        assert_eq!(answer(hook), answer(taken), "{name}");
    }
    assert_eq!(hooks.len(), 4);
}

#[test]
fn the_documents_say_who_made_them_and_under_which_licence() {
    for name in ["peer.json", "tracker.json"] {
        let info = &document(name)["info"];
        assert!(info["contact"]["name"].is_string() && info["license"]["identifier"] == "MIT OR Apache-2.0", "{info}");
        assert!(info["summary"].is_string() || info["description"].is_string());
    }
}
