//! Transactions that somebody signs elsewhere.

use axum::extract::State;
use raclette_api::build::{BuildOrder, BuildRequest, BuiltTransaction};
use raclette_service::{
    extract::Json,
    problem::{CommonProblems, Problem, ProblemDetails},
};

use super::App;

/// Give the bytes to sign for a transaction, for somebody who keeps the key elsewhere.
///
/// Nothing is stored or passed on. Sign the bytes (RSASSA-PSS, SHA-256, a salt of 32 bytes), add the signature to the transaction,
/// and send it to `POST /tx`; the protocol document shows it with openssl. A `message` is sealed here: keep it away from peers of
/// others, and seal it yourself for these. Whether the ledger would take it is told by `POST /tx/check`.
#[utoipa::path(post, path = "/tx/build", operation_id = "build_transaction", tag = "network", responses(
    (status = 200, description = "What is to be signed", body = BuiltTransaction),
    CommonProblems,
    (status = 404, description = "Nobody by that name is known, or not the sender's key (`unknown_peer`)", body = ProblemDetails,
        content_type = "application/problem+json"),
    (status = 409, description = "The recipient's key is not known (`recipient_key_unknown`), the message belongs to another \
        transaction (`transaction_refused`), or values do not fit together (`inconsistent_body`)", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub(super) async fn build_transaction(
    State(app): State<App>,
    Json(request): Json<BuildRequest>,
) -> Result<Json<BuiltTransaction>, Problem> {
    let built = app.node.build(BuildOrder::try_from(request)?).await?;
    let network = app.node.state()?.rules.network;
    Ok(Json(BuiltTransaction::new(&built.transaction, built.message.as_ref(), &network)))
}
