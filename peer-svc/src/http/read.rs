//! Parts of requests that several routes read.

use axum::{
    body::HttpBody as _,
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use raclette_api::{FROM_HEADER, Fault, encoding, schema};
use raclette_service::{
    extract::{Json, page_limit},
    problem::Problem,
};
use serde::de::DeserializeOwned;
use utoipa::{
    IntoParams, PartialSchema as _,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::App;
use crate::node::Origin;

/// Who sends something: a member that names itself in `Raclette-From`, or anybody. It is a hint about who has it already
/// and need not be sent it again, and proves nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender(pub(super) Origin);

/// For `#[utoipa::path(params(Sender))]`.
impl IntoParams for Sender {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let header = ParameterBuilder::new()
            .name("Raclette-From")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The address of the member that sends this, so that it is not sent it back. A hint, not a proof",
            ))
            .schema(Some(schema::Address::schema()));
        vec![header.build()]
    }
}

impl FromRequestParts<App> for Sender {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(FROM_HEADER) else { return Ok(Self(Origin::Local)) };
        let text = value.to_str().unwrap_or_default();
        let address = match encoding::address(FROM_HEADER, text) {
            Ok(address) => Some(address),
            // It has the right shape, and is nobody's address.
            Err(error) if error.fault == Fault::Inconsistent => None,
            Err(error) => return Err(Problem::parameter(error)),
        };
        let member = address.filter(|address| app.node.members().is_registered(address));
        Ok(Self(member.map_or(Origin::Local, Origin::Member)))
    }
}

/// A JSON body that may be absent, which means that all its members are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OptionalJson<T>(pub(super) T);

impl<T, S> FromRequest<S> for OptionalJson<T>
where
    T: DeserializeOwned + Default + Send + 'static,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Json::from_request(request, state).await.map(|Json(value)| Self(value))
    }
}

/// How many entries a page has: what the caller says, from 1 to `most`, or else `default`.
pub(super) fn limit(given: Option<u32>, default: u32, most: u32) -> Result<usize, Problem> {
    Ok(page_limit(given, default, most)? as usize)
}

/// Cuts a list that was read with one entry too many back to a page, and says whether there is more.
pub(super) fn cut<T>(entries: &mut Vec<T>, limit: usize) -> bool {
    let more = entries.len() > limit;
    entries.truncate(limit);
    more
}
