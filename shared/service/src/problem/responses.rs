//! The error answers that a route may list in one word, for the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        ContentBuilder, Ref, RefOr,
        response::{Response, ResponseBuilder},
    },
};

use super::{MEDIA_TYPE, ProblemDetails};

/// What any route may answer: wrong requests, too many of them, and the service's own troubles.
///
/// Listed as `responses((status = 200, ...), CommonProblems)`.
#[derive(Debug)]
pub struct CommonProblems;

/// What only a route of the owner may answer in addition: the token is missing or wrong.
///
/// [`crate::access::owner_only`] adds it to every route it guards.
#[derive(Debug)]
pub struct OwnerProblems;

impl IntoResponses for CommonProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("400", "The JSON is malformed, or a parameter has the wrong shape"),
            ("404", "There is nothing here"),
            ("405", "The method is not allowed here; `Allow` lists those that are"),
            ("408", "The request took too long to arrive"),
            ("413", "The body is too large"),
            ("415", "The body is not declared as JSON"),
            ("421", "The service does not answer to this host name"),
            ("422", "The body has the wrong shape"),
            ("429", "Too many requests"),
            ("500", "Something went wrong in the service; its log has the cause under the request id"),
            ("503", "The service is not ready, or is shutting down"),
            ("507", "The disk is full"),
        ])
    }
}

impl IntoResponses for OwnerProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[("401", "The owner's token is missing or wrong; `mend` says where it is")])
    }
}

/// Problem documents with these statuses and descriptions.
fn problems(rows: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemDetails::name()))).build();
    rows.iter()
        .map(|(status, description)| {
            let response = ResponseBuilder::new().description(*description).content(MEDIA_TYPE, content()).build();
            ((*status).to_owned(), RefOr::T(response))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use utoipa::IntoResponses;

    use super::{CommonProblems, OwnerProblems};
    use crate::problem::Code;

    #[test]
    fn every_status_listed_belongs_to_a_code() {
        let known: Vec<_> = Code::ALL.iter().map(|code| code.status().as_str().to_owned()).collect();
        for status in CommonProblems::responses().keys().chain(OwnerProblems::responses().keys()) {
            assert!(known.contains(status), "{status}");
        }
    }
}
