//! What every operation's description has in common, added in one pass over a service's document.
//!
//! A route lists what is its own. Added here: problems that it can really answer with, as shared responses with an example
//! for each code; the headers that every answer carries; an example for each body, from the message's own schema; and who
//! may call it.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{
    IntoResponses as _, PartialSchema, ToSchema,
    openapi::{
        Components, Content, OpenApi, Ref, RefOr, Response, Schema,
        example::ExampleBuilder,
        path::{Operation, ParameterIn, PathItem},
        request_body::RequestBody,
        schema::{SchemaType, Type},
    },
};

use super::{headers, references, samples::Samples};
use crate::{
    access::is_probe_path,
    problem::{Code, CommonProblems, MEDIA_TYPE, OwnerProblems, ProblemDetails, catalogue},
};

/// The names of the shared responses, by their status.
const SHARED: &[(&str, &str)] = &[
    ("400", "BadRequest"),
    ("401", "Unauthorized"),
    ("404", "NotFound"),
    ("408", "RequestTimeout"),
    ("413", "PayloadTooLarge"),
    ("415", "UnsupportedMediaType"),
    ("421", "MisdirectedRequest"),
    ("422", "InvalidBody"),
    ("429", "TooManyRequests"),
    ("500", "InternalError"),
    ("503", "Unavailable"),
    ("507", "DiskFull"),
];

/// Headers that are refused if they have the wrong shape. Others are hints: what cannot be read is ignored.
const REFUSED_HEADERS: [&str; 4] = ["Idempotency-Key", "Last-Event-ID", "Prefer", "Raclette-From"];

/// The members by which a page is known.
const PAGES: [&str; 3] = ["next_cursor", "next", "headers"];

/// Completes a service's document. The committed `openapi/*.json` are written from its result.
#[must_use]
pub fn complete(mut openapi: OpenApi) -> OpenApi {
    let mut components = openapi.components.take().unwrap_or_default();
    add_problem_schemas(&mut components);
    components.headers.extend(headers::shared());
    references::separate(&mut components);
    let samples = Samples::of(&components);
    samples.give(&mut components);
    let common: BTreeMap<_, _> = CommonProblems::responses().into_iter().chain(OwnerProblems::responses()).collect();
    for (path, item) in &mut openapi.paths.paths {
        for (changes, operation) in operations(item) {
            keep_what_can_happen(path, changes, operation, &common);
            share(operation, &common, &mut components);
            complete_operation(operation, &components);
        }
    }
    for item in openapi.webhooks.iter_mut().flat_map(|webhooks| webhooks.paths.values_mut()) {
        for (_, operation) in operations(item) {
            complete_operation(operation, &components);
        }
    }
    for item in openapi.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            contents(operation).for_each(|content| complete_schema(content, &samples));
        }
    }
    openapi.components = Some(components);
    without_unused_headers(openapi)
}

/// The bodies that an operation reads and answers, other than shared ones.
fn contents(operation: &mut Operation) -> impl Iterator<Item = &mut Content> {
    let request = operation.request_body.as_mut().and_then(own);
    let read = request.into_iter().flat_map(|body| body.content.values_mut());
    let answers = operation.responses.responses.values_mut().filter_map(own);
    read.chain(answers.flat_map(|response| response.content.values_mut())).filter_map(own)
}

fn own<T>(one: &mut RefOr<T>) -> Option<&mut T> {
    match one {
        RefOr::T(one) => Some(one),
        RefOr::Ref(_) => None,
    }
}

fn complete_schema(content: &mut Content, samples: &Samples) {
    if let Some(schema) = &mut content.schema {
        references::separate_in(schema);
        samples.give_one(schema, content.example.as_ref());
    }
}

/// Not every service has pages, or answers that can be kept.
fn without_unused_headers(mut openapi: OpenApi) -> OpenApi {
    let document = serde_json::to_string(&openapi).unwrap_or_default();
    if let Some(components) = &mut openapi.components {
        components.headers.retain(|name, _| document.contains(&format!("\"#/components/headers/{name}\"")));
    }
    openapi
}

/// The operations of a path, each with whether it may change something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [(false, get), (true, put), (true, post), (true, delete), (true, patch)]
        .into_iter()
        .filter_map(|(changes, operation)| Some((changes, operation.as_mut()?)))
}

fn add_problem_schemas(components: &mut Components) {
    let mut schemas = vec![(ProblemDetails::name().into_owned(), ProblemDetails::schema())];
    ProblemDetails::schemas(&mut schemas);
    components.schemas.extend(schemas);
}

/// Takes away common problems that this operation cannot have. What a route lists in words of its own stays.
fn keep_what_can_happen(
    path: &str,
    changes: bool,
    operation: &mut Operation,
    common: &BTreeMap<String, RefOr<Response>>,
) {
    let has_body = operation.request_body.is_some();
    let reads_parameters = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => {
            parameter.parameter_in != ParameterIn::Header || REFUSED_HEADERS.contains(&parameter.name.as_str())
        }
        RefOr::Ref(_) => true,
    });
    operation.responses.responses.retain(|status, response| {
        if common.get(status) != Some(response) {
            return true;
        }
        match status.as_str() {
            "400" => has_body || reads_parameters,
            "404" => path.contains('{'),
            "408" | "413" | "415" | "422" => has_body,
            "421" | "429" => !is_probe_path(path),
            "507" => changes,
            // It is the answer to methods that a path does not have, and those have no description.
            "405" => false,
            _ => true,
        }
    });
}

/// Moves common problems to the shared responses, and refers to them.
fn share(operation: &mut Operation, common: &BTreeMap<String, RefOr<Response>>, components: &mut Components) {
    for (status, response) in &mut operation.responses.responses {
        let Some((_, name)) = SHARED.iter().find(|(known, _)| known == status) else { continue };
        if common.get(status) == Some(response) {
            let mut shared = response.clone();
            complete_response(status, &mut shared, components);
            components.responses.insert((*name).to_owned(), shared);
            *response = RefOr::Ref(Ref::new(format!("#/components/responses/{name}")));
        }
    }
}

fn complete_operation(operation: &mut Operation, components: &Components) {
    let is_tagged = operation.responses.responses.contains_key("304");
    for (status, response) in &mut operation.responses.responses {
        complete_response(status, response, components);
        if status == "200" && is_tagged {
            refer(response, &["ETag", "Cache-Control"]);
        }
    }
    complete_request(operation, components);
    // Said also where nothing is asked for: nobody need wonder whether it was forgotten.
    operation.security.get_or_insert_with(Vec::new);
}

/// Adds the headers that this answer carries, and examples for its bodies.
fn complete_response(status: &str, response: &mut RefOr<Response>, components: &Components) {
    refer(response, headers::of(status));
    let RefOr::T(own) = response else { return };
    if own.content.values().any(|content| is_page(content, components)) {
        refer(response, &["Link"]);
    }
    let RefOr::T(response) = response else { return };
    for (name, header) in &mut response.headers {
        headers::complete(name, header);
    }
    for (media_type, content) in &mut response.content {
        let RefOr::T(content) = content else { continue };
        if media_type == MEDIA_TYPE {
            give_problem_examples(status, &response.description, content);
        } else {
            give_example(content, components);
        }
    }
}

/// Says that an answer carries these headers, unless it says so itself.
fn refer(response: &mut RefOr<Response>, names: &[&str]) {
    let RefOr::T(response) = response else { return };
    for name in names {
        let reference = Ref::new(format!("#/components/headers/{name}"));
        response.headers.entry((*name).to_owned()).or_insert(RefOr::Ref(reference));
    }
}

/// Whether a body is a page of something longer.
fn is_page(content: &RefOr<Content>, components: &Components) -> bool {
    let RefOr::T(Content { schema: Some(schema), .. }) = content else { return false };
    matches!(resolved(schema, components), Some(Schema::Object(object)) if PAGES.iter().any(|name| object.properties.contains_key(*name)))
}

/// An example for each code that the description names in backticks, or else for each code with this status.
fn give_problem_examples(status: &str, description: &str, content: &mut Content) {
    if content.example.is_some() || !content.examples.is_empty() {
        return;
    }
    let of_status: Vec<Code> = Code::ALL.iter().copied().filter(|code| code.status().as_str() == status).collect();
    let named: Vec<Code> =
        of_status.iter().copied().filter(|code| description.contains(&format!("`{code}`"))).collect();
    for code in if named.is_empty() { of_status } else { named } {
        let value = serde_json::to_value(catalogue::example(code)).ok();
        let example = ExampleBuilder::new().summary(code.title()).value(value);
        content.examples.insert(code.name().to_owned(), example.into());
    }
}

/// The example of the schema that the body has.
fn give_example(content: &mut Content, components: &Components) {
    if content.example.is_none() && content.examples.is_empty() {
        content.example = content.schema.as_ref().and_then(|schema| example_of(schema, components));
    }
}

fn example_of(schema: &RefOr<Schema>, components: &Components) -> Option<Value> {
    let (examples, alternatives) = match resolved(schema, components)? {
        Schema::Object(object) => (&object.examples, Vec::new()),
        Schema::OneOf(one) => (&one.examples, one.items.iter().collect()),
        Schema::AllOf(all) => (&all.examples, Vec::new()),
        Schema::AnyOf(any) => (&any.examples, any.items.iter().collect()),
        Schema::Array(array) => (&array.examples, Vec::new()),
        _ => return None,
    };
    let first = examples.first().cloned();
    first.or_else(|| alternatives.into_iter().find_map(|alternative| example_of(alternative, components)))
}

/// The schema that a reference leads to.
fn resolved<'a>(schema: &'a RefOr<Schema>, components: &'a Components) -> Option<&'a Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(reference) => {
            let name = reference.ref_location.strip_prefix("#/components/schemas/")?;
            resolved(components.schemas.get(name)?, components)
        }
    }
}

/// Adds an example and a description to what an operation reads.
fn complete_request(operation: &mut Operation, components: &Components) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let RequestBody { description, content, .. } = body;
    for content in content.values_mut() {
        let RefOr::T(content) = content else { continue };
        without_null(content);
        give_example(content, components);
        if description.is_none() {
            let schema = content.schema.as_ref().and_then(|schema| resolved(schema, components));
            *description = schema.and_then(description_of);
        }
    }
}

/// A body that may be absent is described as "this, or null". It may be absent, and it is not null.
fn without_null(content: &mut Content) {
    let Some(RefOr::T(Schema::OneOf(one))) = &content.schema else { return };
    let is_null = |item: &RefOr<Schema>| match item {
        RefOr::T(Schema::Object(object)) => object.schema_type == SchemaType::Type(Type::Null),
        _ => false,
    };
    let mut others = one.items.iter().filter(|item| !is_null(item));
    if let (Some(only), None) = (others.next(), others.next()) {
        content.schema = Some(only.clone());
    }
}

fn description_of(schema: &Schema) -> Option<String> {
    match schema {
        Schema::Object(object) => object.description.clone(),
        Schema::OneOf(one) => one.description.clone(),
        Schema::AllOf(all) => all.description.clone(),
        Schema::AnyOf(any) => any.description.clone(),
        Schema::Array(array) => array.description.clone(),
        _ => None,
    }
}
