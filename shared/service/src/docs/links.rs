//! What leads from one operation to the next: the links of a document, from a table of its service.

use utoipa::openapi::{
    OpenApi, RefOr,
    link::LinkBuilder,
    path::{Operation, PathItem},
};

/// An arrow between two operations: what the answer of one holds is what the other one wants.
#[derive(Debug, Clone, Copy)]
pub struct Arrow {
    /// The operation that answers.
    pub from: &'static str,
    /// The status of the answer.
    pub status: &'static str,
    /// What the arrow is called, once for each answer.
    pub name: &'static str,
    /// The operation that it leads to.
    pub to: &'static str,
    /// The parameter of that operation.
    pub parameter: &'static str,
    /// Where its value stands: a runtime expression, such as `$response.body#/id`.
    pub value: &'static str,
}

/// Adds the arrows of a service to its document, and one to the next page wherever there are pages.
pub fn link(openapi: &mut OpenApi, arrows: &[Arrow]) {
    for operation in openapi.paths.paths.values_mut().flat_map(operations) {
        let Some(id) = operation.operation_id.clone() else { continue };
        let has_pages = operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.name == "cursor",
            RefOr::Ref(_) => false,
        });
        let next = Arrow {
            from: "",
            status: "200",
            name: "next",
            to: "",
            parameter: "cursor",
            value: "$response.body#/next_cursor",
        };
        if has_pages {
            add(operation, &next, &id);
        }
        for arrow in arrows.iter().filter(|arrow| arrow.from == id) {
            add(operation, arrow, arrow.to);
        }
    }
}

fn add(operation: &mut Operation, arrow: &Arrow, to: &str) {
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(arrow.status) {
        let link = LinkBuilder::new().operation_id(to).parameter(arrow.parameter, arrow.value).build();
        response.links.insert(arrow.name.to_owned(), link.into());
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, .. } = item;
    [get, put, post, delete].into_iter().filter_map(Option::as_mut)
}
