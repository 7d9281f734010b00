//! Why something is accepted or refused, rule by rule; and proofs. Nothing changes.

use axum::extract::State;
use raclette_api::{
    encoding::hash,
    explain::{BlockVerification, CheckOutcome, MerkleProof, RuleStep, Sibling, TransactionCheck},
    transaction::TransactionMessage,
};
use raclette_chain::hash::TransactionId;
use raclette_service::{
    extract::{Json, Path},
    problem::{Code, CommonProblems, Problem},
};

use super::{
    App,
    answers::{InconsistentTransaction, StateProblems},
    blocks::{find, unknown_block},
    elsewhere,
    transactions::decode,
};
use crate::node::{Proof, Prospect};

/// Tell what would become of a transaction, rule by rule.
///
/// It lists every rule and policy in the order in which they are checked, by the code that accepts and refuses. Nothing is
/// stored or passed on.
#[utoipa::path(post, path = "/tx/check", operation_id = "check_transaction", tag = "network",
    responses(
        (status = 200, description = "Every rule and policy", body = TransactionCheck),
        CommonProblems,
        InconsistentTransaction,
    ),
)]
pub(super) async fn check_transaction(
    State(app): State<App>,
    Json(message): Json<TransactionMessage>,
) -> Result<Json<TransactionCheck>, Problem> {
    let network = app.node.state()?.rules.network;
    let incoming = elsewhere(move || decode(&message, &network)).await??;
    let id = incoming.transaction.id().to_string();
    let checked = app.node.check_transaction(incoming).await?;
    let outcome = match checked.prospect {
        Prospect::Accepted => CheckOutcome::Accepted,
        Prospect::Known => CheckOutcome::Known,
        Prospect::Confirmed => CheckOutcome::Confirmed,
        Prospect::Refused => CheckOutcome::Refused,
    };
    Ok(Json(TransactionCheck { id, outcome, height: checked.height, rules: RuleStep::list(&checked.explanation) }))
}

/// Check a stored block again, rule by rule.
///
/// It lists every rule in the order in which they are checked, by the code that accepts and refuses; signatures are verified
/// anew. A block far below the tip takes a while: the accounts before it are found by taking off what is above.
#[utoipa::path(get, path = "/block/{id}/verification", operation_id = "verify_block", tag = "network",
    params(("id" = String, Path, description = "64 hex digits: a hash; fewer decimal digits: a height",
        pattern = "^([0-9a-f]{64}|[0-9]{1,10})$", min_length = 1, max_length = 64, example = "0")),
    responses((status = 200, description = "Every rule", body = BlockVerification), CommonProblems),
)]
pub(super) async fn verify_block(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<BlockVerification>, Problem> {
    let state = app.node.state()?;
    let entry = find(&state, &id)?.cloned().ok_or_else(|| unknown_block(&id))?;
    let active = state.index.is_active(&entry.hash);
    let verification = app.node.verification(state, &entry.hash).await?;
    Ok(Json(BlockVerification {
        hash: entry.hash.to_string(),
        height: entry.header.height,
        active,
        valid: !verification.explanation.is_broken() && verification.reason.is_none(),
        reason: verification.reason,
        rules: RuleStep::list(&verification.explanation),
    }))
}

/// Prove that a transaction stands in a block.
///
/// The protocol document says how to check the proof with nothing but SHA-256.
#[utoipa::path(get, path = "/tx/{id}/proof", operation_id = "prove_transaction", tag = "network",
    params(("id" = raclette_api::schema::Hash, Path, description = "The transaction's id")),
    responses(
        (status = 200, description = "The proof", body = MerkleProof),
        CommonProblems,
        StateProblems,
    ),
)]
pub(super) async fn prove_transaction(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<MerkleProof>, Problem> {
    let id: TransactionId = hash("id", &id).map_err(Problem::parameter)?;
    let proof = app.node.proof(&id).await?.ok_or_else(|| not_confirmed(&id))?;
    Ok(Json(proof_message(&proof)))
}

fn not_confirmed(id: &TransactionId) -> Problem {
    Problem::new(
        Code::Conflict,
        format!("Transaction {id} stands in no block of the chain, so there is nothing to prove."),
    )
    .mend("have a peer mine a block (POST /mine), then try again")
}

fn proof_message(proof: &Proof) -> MerkleProof {
    MerkleProof {
        id: proof.transaction.id().to_string(),
        leaf: proof.transaction.leaf().to_string(),
        siblings: Sibling::list(&proof.siblings),
        root: proof.root().to_string(),
        header: (&proof.header).into(),
        height: proof.header.height,
        // The reward is the first.
        position: u32::try_from(proof.position + 1).unwrap_or(u32::MAX),
        confirmations: proof.confirmations,
    }
}
