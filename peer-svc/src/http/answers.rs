//! Error answers that several routes have besides the common ones, for the OpenAPI document.

use raclette_service::problem::ProblemDetails;
use utoipa::IntoResponses;

/// What a route answers that takes something signed.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made: handlers answer with a Problem")]
pub(super) enum SignedProblems {
    /// The signature is not by the key that must sign
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// It belongs to another network or protocol version, or does not fit the present state; a broken rule is named by the
    /// extension member `rule`
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// What `POST /send` answers when it does not fit the present state.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made: handlers answer with a Problem")]
pub(super) enum SendProblems {
    /// `insufficient_funds`, `recipient_key_unknown`, `wrong_sequence` or `transaction_refused`; or the key belongs to another
    /// request (`idempotency_key_reused`), or its request is under way (`idempotency_key_in_use`, with `Retry-After`)
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// What `POST /mine` answers when it does not fit the present state.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made: handlers answer with a Problem")]
pub(super) enum MineProblems {
    /// Another job is running (`conflict`); or the key belongs to another request (`idempotency_key_reused`), or its request is
    /// under way (`idempotency_key_in_use`, with `Retry-After`)
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// What a route answers that does something for the owner.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made: handlers answer with a Problem")]
pub(super) enum StateProblems {
    /// It does not fit the present state
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// What a route answers that only looks at a transaction.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made: handlers answer with a Problem")]
pub(super) enum InconsistentTransaction {
    /// `inconsistent_body`: its id, its sender or the length of its signature does not follow from the rest, or the checksum
    /// of its recipient is wrong
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}
