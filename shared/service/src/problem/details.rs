//! The members of a problem document, as they are sent.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Code;

/// A problem document (RFC 9457), `application/problem+json`. Extension members of the problem's own may follow.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Problem)]
#[schema(example = json!({
    "type": "/problems/insufficient-funds",
    "title": "The account holds too little",
    "status": 409,
    "code": "insufficient_funds",
    "detail": "alice has 10 confirmed and 50 pending; this costs 26",
    "instance": "/send",
    "request_id": "7f1c0b7f8a2d4c0c9f4f0a3d5b6e7a81",
    "expected": 26,
    "seen": 10,
    "mend": "mine a block, then send again"
}))]
pub struct ProblemDetails {
    /// The kind of problem: `/problems/` and the code with dashes.
    #[serde(rename = "type")]
    #[schema(pattern = "^/problems/[a-z0-9-]{1,64}$", max_length = 74)]
    pub type_reference: String,
    /// One short sentence, the same for every problem of this kind.
    #[schema(min_length = 1, max_length = 100)]
    pub title: String,
    /// The HTTP status of this answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The stable name of the kind of problem.
    pub code: Code,
    /// What happened in this very case.
    #[schema(min_length = 1, max_length = 10_000)]
    pub detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub instance: Option<String>,
    /// The request's id, by which the service's log names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", max_length = 64)]
    pub request_id: Option<String>,
    /// What the rule asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What was there instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Value>,
    /// How to mend it, often the exact command.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10_000)]
    pub mend: Option<String>,
    /// The fields of the request that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 1000)]
    pub errors: Vec<FieldError>,
    /// In how many seconds it makes sense to ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400, example = 2)]
    pub retry_after: Option<u64>,
    /// Members that only this problem has.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extensions: Map<String, Value>,
}

/// One field of a request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it is, such as `transaction.amount` or `[3].fee`; empty for the whole body.
    #[schema(max_length = 1000, example = "amount")]
    pub field: String,
    /// What is wrong with it.
    #[schema(max_length = 10_000, example = "invalid type: string \"25\", expected u64")]
    pub message: String,
}

impl ProblemDetails {
    pub(super) fn new(code: Code, detail: String) -> Self {
        Self {
            type_reference: code.type_reference(),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            code,
            detail,
            instance: None,
            request_id: None,
            expected: None,
            seen: None,
            mend: None,
            errors: Vec::new(),
            retry_after: None,
            extensions: Map::new(),
        }
    }
}
