//! The owner's money, and sending.

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{AppendHeaders, IntoResponse, Response},
};
use raclette_api::{
    transaction::TransactionMessage,
    wallet::{SendOrder, SendRequest, SendResponse, SendStatus, Wallet},
};
use raclette_chain::transaction::SignedTransaction;
use raclette_service::{
    extract::{IdempotencyKey, Json, PreferWait},
    problem::{Code, CommonProblems, Problem, ProblemDetails},
};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{
    App, Curl,
    answers::SendProblems,
    idempotency::{self, Asked},
};
use crate::node::{Event, Node, Noted, Turn};

/// Show what the owner has.
#[utoipa::path(get, path = "/wallet", operation_id = "get_wallet", tag = "owner", responses(
    (status = 200, description = "The owner's account", body = Wallet),
    CommonProblems,
))]
pub(super) async fn get_wallet(State(app): State<App>) -> Result<Json<Wallet>, Problem> {
    let own = app.node.identity();
    let balance = Node::balance(&*app.node.state()?, &own.address());
    Ok(Json(Wallet {
        name: own.name.clone(),
        address: own.address().to_string(),
        public_key: own.key.public().to_pem(),
        balance: balance.account.balance.units(),
        spendable: balance.spendable.units(),
        pending_in: balance.pending_in.units(),
        pending_out: balance.pending_out.units(),
        next_sequence: balance.next_sequence,
    }))
}

/// Send money, a message, or both.
///
/// The message is encrypted to the recipient. It is stored before this answers, and brought to the recipient first; if
/// that cannot be reached, the delivery waits in the queue until it can. With `Prefer: wait=30` the answer waits until the
/// recipient has it.
///
/// With an `Idempotency-Key` it can be repeated by whoever got no answer: it is sent once, and the first answer comes again, also
/// after a crash. Keys of what was refused are free again; the last 100,000 are remembered.
#[utoipa::path(post, path = "/send", operation_id = "send", tag = "owner", params(PreferWait, IdempotencyKey), responses(
    (status = 201, description = "It is stored and on its way", body = SendResponse, headers(
        ("Location" = String, description = "Where to see what becomes of it"),
        ("Preference-Applied" = String, description = "`wait=N`, if that was asked for"),
        ("Idempotency-Replayed" = bool, description = "`true`: it was sent before, and this is the first answer again"),
    )),
    CommonProblems,
    SendProblems,
    // Behind the common ones, whose 404 is only for paths with a parameter.
    (status = 404, description = "Nobody by that name or address is known", body = ProblemDetails,
        content_type = "application/problem+json"),
))]
pub(super) async fn send(
    State(app): State<App>,
    wait: PreferWait,
    key: IdempotencyKey,
    Json(request): Json<SendRequest>,
) -> Result<Response, Problem> {
    let order = SendOrder::try_from(request.clone())?;
    match idempotency::asked(&app, key, "/send", &request).await? {
        Asked::First(turn) => send_first(&app, order, turn, wait).await,
        Asked::Again(noted) => sent_again(&app, &noted, wait).await,
    }
}

/// What is answered to sending besides the transaction.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    status: SendStatus,
    recipient_name: Option<String>,
}

async fn send_first(app: &App, order: SendOrder, turn: Option<Turn>, wait: PreferWait) -> Result<Response, Problem> {
    // Before it is sent, so that the word of its delivery cannot be missed.
    let events = app.node.events();
    let sent = app.node.send(order, turn.as_ref().map(Turn::keyed)).await;
    let transaction = sent.map_err(|error| with_command(error.into(), &app.curl))?;
    let outcome = outcome(app, &transaction, events, wait).await;
    if let Some(turn) = &turn {
        remember(app, turn.keyed().key(), &outcome).await;
    }
    let answer = answer(app, &transaction, outcome).await?;
    Ok((AppendHeaders(wait.applied()), answer).into_response())
}

/// The answer to sending what was sent before: the first one, or, if nobody got that, how far it is now.
async fn sent_again(app: &App, noted: &Noted, wait: PreferWait) -> Result<Response, Problem> {
    let events = app.node.events();
    let id = noted.subject.parse().map_err(|_| idempotency::unreadable(noted))?;
    let (transaction, _) = app.node.transaction(&id).await?;
    let outcome = match &noted.answer {
        Some(json) => serde_json::from_str(json).map_err(|_| idempotency::unreadable(noted))?,
        None => {
            let mut outcome = outcome(app, &transaction, events, wait).await;
            if app.node.is_delivered(&id).await? {
                outcome.status = SendStatus::Delivered;
            }
            remember(app, &noted.key, &outcome).await;
            outcome
        }
    };
    let answer = answer(app, &transaction, outcome).await?;
    Ok((AppendHeaders(idempotency::replayed(true)), answer).into_response())
}

async fn outcome(
    app: &App,
    transaction: &SignedTransaction,
    events: broadcast::Receiver<Event>,
    wait: PreferWait,
) -> Outcome {
    let status = delivery(app, transaction, events, wait).await;
    Outcome { status, recipient_name: app.name_of(&transaction.transaction().recipient) }
}

async fn remember(app: &App, key: &str, outcome: &Outcome) {
    if let Ok(json) = serde_json::to_string(outcome) {
        app.node.answered(key, json).await;
    }
}

async fn answer(app: &App, transaction: &SignedTransaction, outcome: Outcome) -> Result<impl IntoResponse, Problem> {
    let Outcome { status, recipient_name } = outcome;
    let message = app.node.message(transaction).await?;
    let location = [(LOCATION, format!("/tx/{}", transaction.id()))];
    let transaction = TransactionMessage::new(transaction, message.as_ref());
    Ok((StatusCode::CREATED, location, Json(SendResponse { transaction, status, recipient_name })))
}

/// How far a new transaction has come, after waiting as the caller prefers.
async fn delivery(
    app: &App,
    transaction: &SignedTransaction,
    events: broadcast::Receiver<Event>,
    wait: PreferWait,
) -> SendStatus {
    let recipient = transaction.transaction().recipient;
    if recipient == app.node.identity().address() {
        return SendStatus::Delivered;
    }
    match app.node.members().get(&recipient) {
        // Nobody's peer: the transaction goes to everybody, and nobody has to acknowledge it.
        None => SendStatus::Sent,
        Some(member) if member.registration.is_none() => SendStatus::Queued,
        Some(_) if wait.0.is_none() => SendStatus::Sent,
        Some(_) => match app.wait(wait, delivered(transaction, events)).await {
            Some(()) => SendStatus::Delivered,
            None => SendStatus::Queued,
        },
    }
}

/// Completes when the recipient's peer has acknowledged a transaction.
async fn delivered(transaction: &SignedTransaction, mut events: broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(Event::Delivered { id }) if id == transaction.id() => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            // The node is gone; whoever waits has its own end.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Names the very command that mends what goes wrong in sending.
fn with_command(problem: Problem, Curl { url, token }: &Curl) -> Problem {
    match problem.code() {
        Code::InsufficientFunds => problem.mend(format!(
            "mining brings money and confirms what is pending; here: curl -X POST {url}/mine {token} -H 'Prefer: wait=30'"
        )),
        Code::UnknownPeer => problem.mend(format!("list the members: curl {url}/peers")),
        _ => problem,
    }
}
