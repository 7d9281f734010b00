//! The gate before the owner's routes.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use utoipa::{
    IntoResponses,
    openapi::{
        OpenApi,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::Token;
use crate::problem::{Code, OwnerProblems, Problem};

/// The name of the bearer scheme in the OpenAPI document.
pub const SECURITY_SCHEME: &str = "owner_token";

/// What opens the owner's routes, and where the owner finds it.
#[derive(Debug, Clone)]
pub struct OwnerGate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    token: Token,
    mend: String,
}

impl OwnerGate {
    /// A gate for this token; `mend` tells a caller without it where it is, such as the name of its file.
    pub fn new(token: Token, mend: impl Into<String>) -> Self {
        Self(Arc::new(Inner { token, mend: mend.into() }))
    }

    /// Whether these headers carry the token.
    ///
    /// # Errors
    /// 401 `token_missing` or `token_wrong`, with where to find the token.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(presented) = headers.get(header::AUTHORIZATION).and_then(bearer) else {
            return Err(Problem::new(Code::TokenMissing, "This route belongs to the owner of this service.")
                .expected("Authorization: Bearer TOKEN")
                .mend(&self.0.mend));
        };
        if !self.0.token.matches(presented) {
            return Err(Problem::new(Code::TokenWrong, "This is not the token of this service.").mend(&self.0.mend));
        }
        Ok(())
    }
}

/// The token in `Bearer TOKEN`; the scheme's name is case-insensitive (RFC 9110 section 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Puts the gate before every route of this router, and says so in its OpenAPI document: each operation gets the
/// security requirement and the 401 answer.
///
/// Paths that do not exist, and methods that a path does not have, answer 404 and 405 without a token: this tells
/// nothing that the OpenAPI document doesn't.
pub fn owner_only<S>(router: OpenApiRouter<S>, gate: OwnerGate) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let mut router = router.route_layer(middleware::from_fn_with_state(gate, require_owner));
    describe(router.get_openapi_mut());
    router
}

async fn require_owner(State(gate): State<OwnerGate>, request: Request, next: Next) -> Response {
    match gate.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn describe(openapi: &mut OpenApi) {
    for operation in openapi.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(vec![SecurityRequirement::new(SECURITY_SCHEME, Vec::<String>::new())]);
        operation.responses.responses.extend(OwnerProblems::responses());
    }
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The owner's token; the service prints the name of its file at the start."))
        .build();
    let components = openapi.components.get_or_insert_default();
    components.add_security_scheme(SECURITY_SCHEME, SecurityScheme::Http(scheme));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::OwnerGate;
    use crate::problem::Code;

    #[track_caller]
    fn check(value: Option<&'static str>, expected: Result<(), Code>) {
        let gate = OwnerGate::new("correct-horse-battery".parse().unwrap(), "the token is in FILE");
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        let outcome = gate.check(&headers).map_err(|problem| {
            assert_eq!(problem.details().mend.as_deref(), Some("the token is in FILE"));
            problem.code()
        });
        assert_eq!(outcome, expected);
    }

    #[test]
    fn only_the_right_bearer_token_opens_the_gate() {
        check(Some("Bearer correct-horse-battery"), Ok(()));
        check(Some("bearer  correct-horse-battery"), Ok(()));
        check(Some("Bearer correct-horse-batterz"), Err(Code::TokenWrong));
        check(Some("Bearer "), Err(Code::TokenWrong));
        check(Some("Basic correct-horse-battery"), Err(Code::TokenMissing));
        check(Some("correct-horse-battery"), Err(Code::TokenMissing));
        check(None, Err(Code::TokenMissing));
    }
}
