//! Transactions: taking them in, and telling what became of them.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{AppendHeaders, IntoResponse, Response},
};
use raclette_api::{
    ApiError,
    encoding::{hash, to_hex},
    history::{LifeEvent, LifeEventKind},
    message::SealedMessageJson,
    receipt::Receipt,
    submission::Submission,
    transaction::{
        LedgerPage, SubmitAnswer, SubmitProblem, SubmitResult, SubmitResults, SubmitStatus, TransactionMessage,
        TransactionState, TransactionStatus,
    },
};
use raclette_chain::{
    hash::{NetworkId, TransactionId},
    transaction::SignedTransaction,
};
use raclette_service::{
    answer::{ETag, IfNoneMatch, Keep, Paged},
    extract::{Json, Path, PreferWait, Query},
    planted::bug,
    problem::{Code, CommonProblems, Problem},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    answers::SignedProblems,
    elsewhere,
    history::life_events,
    read::{self, Sender},
};
use crate::node::{Incoming, NodeError, Origin, State as Chain, TransactionOutcome, TransactionPlace};

/// Take one transaction, or up to 500, into the ledger.
///
/// One gets an answer of its own: 201 if it is new, 200 if it was there. An array gets 200 with a result for each, in the
/// same order; those that are refused do not keep the others out. Sending one again does no harm.
#[utoipa::path(post, path = "/tx", operation_id = "submit_transactions", tag = "network", params(Sender), responses(
    (status = 201, description = "It is new, and pending now", body = SubmitAnswer,
        headers(("Location" = String, description = "Where to see what becomes of it"))),
    (status = 200, description = "It was there; or, for an array, a result for each", body = inline(Submitted)),
    CommonProblems,
    SignedProblems,
))]
pub(super) async fn submit_transactions(
    State(app): State<App>,
    Sender(origin): Sender,
    Json(submission): Json<Submission>,
) -> Result<Response, Problem> {
    match submission {
        Submission::One(message) => submit_one(&app, origin, *message).await,
        Submission::Many(messages) => {
            let results = submit_many(&app, origin, messages).await?;
            Ok(Json(Submitted::Many(results)).into_response())
        }
    }
}

/// What 200 answers to `POST /tx`.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Submitted {
    /// The answer to one transaction.
    #[schema(title = "One")]
    One(SubmitAnswer),
    /// The answer to an array.
    #[schema(title = "Many")]
    Many(SubmitResults),
}

async fn submit_one(app: &App, origin: Origin, message: TransactionMessage) -> Result<Response, Problem> {
    let network = app.node.state()?.rules.network;
    // One is decoded in less time than it takes to have another thread do it.
    let incoming = decode(&message, &network)?;
    let id = incoming.transaction.id();
    let outcome = app.node.submit(vec![incoming], origin).await?.pop().unwrap_or(Err(NodeError::ShuttingDown))?;
    let told = if bug("other_id") && outcome != TransactionOutcome::Accepted { TransactionId::ZERO } else { id };
    let answer = Json(Submitted::One(SubmitAnswer { id: told.to_string(), status: status_of(outcome) }));
    Ok(match outcome {
        TransactionOutcome::Accepted => {
            (StatusCode::CREATED, [(LOCATION, format!("/tx/{id}"))], answer).into_response()
        }
        TransactionOutcome::Known | TransactionOutcome::Confirmed => answer.into_response(),
    })
}

async fn submit_many(app: &App, origin: Origin, messages: Vec<TransactionMessage>) -> Result<SubmitResults, Problem> {
    let network = app.node.state()?.rules.network;
    let decoded: Vec<_> = elsewhere(move || messages.iter().map(|message| decode(message, &network)).collect()).await?;
    let mut results = Vec::with_capacity(decoded.len());
    let mut good = Vec::new();
    for one in decoded {
        match one {
            Ok(incoming) => {
                results.push(SubmitResult {
                    id: Some(incoming.transaction.id().to_string()),
                    status: None,
                    problem: None,
                });
                good.push(incoming);
            }
            Err(error) => results.push(SubmitResult { id: None, status: None, problem: Some(essence(&error.into())) }),
        }
    }
    let mut outcomes = app.node.submit(good, origin).await?.into_iter();
    for result in results.iter_mut().filter(|result| result.problem.is_none()) {
        match outcomes.next().unwrap_or(Err(NodeError::ShuttingDown)) {
            Ok(outcome) => result.status = Some(status_of(outcome)),
            Err(error) => result.problem = Some(essence(&error.into())),
        }
    }
    Ok(SubmitResults { results })
}

pub(super) fn decode(message: &TransactionMessage, network: &NetworkId) -> Result<Incoming, ApiError> {
    let (transaction, message) = message.decode(network)?;
    Ok(Incoming { transaction, message })
}

fn status_of(outcome: TransactionOutcome) -> SubmitStatus {
    match outcome {
        TransactionOutcome::Accepted => SubmitStatus::Accepted,
        TransactionOutcome::Known => SubmitStatus::Known,
        TransactionOutcome::Confirmed => SubmitStatus::Confirmed,
    }
}

fn essence(problem: &Problem) -> SubmitProblem {
    let details = problem.details();
    SubmitProblem { code: details.code.to_string(), status: details.status, detail: details.detail.clone() }
}

/// Tell what became of a transaction, and everything that happened to it here.
///
/// `life` tells it in order: pending, confirmed, returned by a reorganisation, replaced, evicted, expired, refused, each with
/// its time. `signed_bytes` is what its sender signed, so that other programs can verify the signature. With `Prefer: wait=30` the
/// answer waits until the transaction is no longer pending: until a block holds it, or it is dropped.
#[utoipa::path(get, path = "/tx/{id}", operation_id = "get_transaction", tag = "network",
    params(("id" = raclette_api::schema::Hash, Path, description = "The transaction's id"), PreferWait),
    responses(
        (status = 200, description = "The transaction and where it is", body = TransactionStatus, headers(
            ("Preference-Applied" = String, description = "`wait=N`, if that was asked for"),
        )),
        CommonProblems,
    ),
)]
pub(super) async fn get_transaction(
    State(app): State<App>,
    Path(id): Path<String>,
    wait: PreferWait,
) -> Result<impl IntoResponse, Problem> {
    let id: TransactionId = hash("id", &id).map_err(Problem::parameter)?;
    app.wait(wait, app.node.not_pending(&id)).await;
    let (transaction, place, life) = app.node.life(&id).await?;
    let received = app.node.received(&id).await?;
    let network = app.node.state()?.rules.network;
    let status = transaction_status(&transaction, &place, received, life_events(life), &network);
    let sent = app.node.mail_item(&transaction).await?.filter(|item| item.sent);
    let receipt = sent.as_ref().and_then(|item| item.receipt(&network));
    let status = TransactionStatus { delivered: sent.and_then(|item| item.delivered), receipt, ..status };
    Ok((AppendHeaders(wait.applied()), Json(status)))
}

fn transaction_status(
    transaction: &SignedTransaction,
    place: &TransactionPlace,
    received: Option<u64>,
    life: Vec<LifeEvent>,
    network: &NetworkId,
) -> TransactionStatus {
    let bare = TransactionStatus {
        transaction: TransactionMessage::new(transaction, None),
        signed_bytes: to_hex(&transaction.transaction().preimage(network)),
        status: TransactionState::Pending,
        height: None,
        block: None,
        position: None,
        confirmations: None,
        reason: None,
        received,
        delivered: None,
        receipt: None,
        life,
    };
    match place {
        TransactionPlace::Pending => bare,
        TransactionPlace::Confirmed { height, block, position, confirmations } => TransactionStatus {
            status: TransactionState::Confirmed,
            height: Some(*height),
            block: Some(block.to_string()),
            // The reward is the first.
            position: u32::try_from(position + 1).ok(),
            confirmations: Some(*confirmations),
            ..bare
        },
        TransactionPlace::Dropped => {
            TransactionStatus { status: TransactionState::Dropped, reason: bare.life.last().map(why_dropped), ..bare }
        }
    }
}

/// Why a transaction is gone, in a few words.
fn why_dropped(last: &LifeEvent) -> String {
    let by = last.by.as_deref().unwrap_or("another one");
    match (last.event, &last.detail) {
        (LifeEventKind::Replaced, _) => format!("it was replaced by {by}, which pays more"),
        (LifeEventKind::Evicted, _) => format!("the ledger was full, and it had to make room for {by}"),
        (LifeEventKind::Expired, Some(detail)) => format!("it expired: {detail}"),
        (_, Some(detail)) => detail.clone(),
        (event, None) => format!("{event:?}").to_lowercase(),
    }
}

/// Give the sealed message of a transaction: a JWE that its sender and its recipient can open.
#[utoipa::path(get, path = "/tx/{id}/message", operation_id = "get_sealed_message", tag = "network",
    params(("id" = raclette_api::schema::Hash, Path, description = "The transaction's id")),
    responses((status = 200, description = "The sealed message", body = SealedMessageJson), CommonProblems),
)]
pub(super) async fn get_message(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<SealedMessageJson>, Problem> {
    let id: TransactionId = hash("id", &id).map_err(Problem::parameter)?;
    let (transaction, _) = app.node.transaction(&id).await?;
    match app.node.message(&transaction).await? {
        Some(message) => Ok(Json(SealedMessageJson::from(&message))),
        None if transaction.transaction().message_length == 0 => {
            Err(Problem::new(Code::UnknownMessage, "The transaction carries no message."))
        }
        None => Err(Problem::new(
            Code::UnknownMessage,
            "The message is not kept here; ask the sender's or the recipient's peer.",
        )),
    }
}

/// Give a recipient's receipt: its signed word that its peer has the transaction and its message.
///
/// The recipient's peer signs it when it is asked; the sender's keeps it once it has come. Nobody else has one.
#[utoipa::path(get, path = "/tx/{id}/receipt", operation_id = "get_receipt", tag = "network",
    params(("id" = raclette_api::schema::Hash, Path, description = "The transaction's id")),
    responses((status = 200, description = "The receipt", body = Receipt), CommonProblems),
)]
pub(super) async fn get_receipt(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Receipt>, Problem> {
    let id: TransactionId = hash("id", &id).map_err(Problem::parameter)?;
    Ok(Json(app.node.receipt(&id).await?))
}

/// Which part of the ledger.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9a-f]{64}$", max_length = 64)]
    cursor: Option<String>,
}

/// List the transactions that wait for a block, by their ids.
///
/// Their sealed messages are not among them: see `GET /tx/{id}/message`.
#[utoipa::path(get, path = "/ledger", operation_id = "list_ledger", tag = "network", params(LedgerQuery, IfNoneMatch), responses(
    (status = 200, description = "A page of the ledger", body = LedgerPage),
    IfNoneMatch,
    CommonProblems,
))]
pub(super) async fn list_ledger(
    State(app): State<App>,
    known: IfNoneMatch,
    Query(query): Query<LedgerQuery>,
) -> Result<Response, Problem> {
    let limit = read::limit(query.limit, 100, 500)?;
    let after = query.cursor.as_deref().map(|cursor| hash("cursor", cursor)).transpose().map_err(Problem::parameter)?;
    let state = app.node.state()?;
    let tag = ETag::of([to_hex(state.ledger.digest())]);
    let page = async { elsewhere(move || ledger_page(&state, after, limit)).await.map(paged) };
    known.unless_known(tag, Keep::Revalidate, page).await
}

fn paged(page: LedgerPage) -> Paged<LedgerPage> {
    let next = page.next_cursor.clone();
    Paged::new(page, next)
}

/// The `limit` transactions with the lowest ids above `after`. An order by id stays the same while others come and go, so
/// that a reader of pages misses none that was there all the time.
fn ledger_page(state: &Chain, after: Option<TransactionId>, limit: usize) -> LedgerPage {
    let ledger = &state.ledger;
    let mut page: Vec<&Arc<SignedTransaction>> = ledger.after(after.as_ref()).take(limit + 1).collect();
    let more = read::cut(&mut page, limit);
    LedgerPage {
        count: ledger.len() as u64,
        bytes: ledger.bytes() as u64,
        digest: to_hex(ledger.digest()),
        transactions: page.iter().map(|transaction| TransactionMessage::new(transaction, None)).collect(),
        next_cursor: page.last().filter(|_| more).map(|last| last.id().to_string()),
    }
}
