//! The owner's money, and sending.

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{AppendHeaders, IntoResponse},
};
use raclette_api::{
    transaction::TransactionMessage,
    wallet::{SendOrder, SendRequest, SendResponse, SendStatus, Wallet},
};
use raclette_chain::transaction::SignedTransaction;
use raclette_service::{
    extract::{Json, PreferWait},
    problem::{Code, CommonProblems, Problem, ProblemDetails},
};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{App, Curl, answers::StateProblems};
use crate::node::{Event, Node};

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
#[utoipa::path(post, path = "/send", operation_id = "send", tag = "owner", params(PreferWait), responses(
    (status = 201, description = "It is stored and on its way", body = SendResponse, headers(
        ("Location" = String, description = "Where to see what becomes of it"),
        ("Preference-Applied" = String, description = "`wait=N`, if that was asked for"),
    )),
    CommonProblems,
    StateProblems,
    // Behind the common ones, whose 404 is only for paths with a parameter.
    (status = 404, description = "Nobody by that name or address is known", body = ProblemDetails,
        content_type = "application/problem+json"),
))]
pub(super) async fn send(
    State(app): State<App>,
    wait: PreferWait,
    Json(request): Json<SendRequest>,
) -> Result<impl IntoResponse, Problem> {
    let order = SendOrder::try_from(request)?;
    // Before it is sent, so that the word of its delivery cannot be missed.
    let events = app.node.events();
    let transaction = app.node.send(order).await.map_err(|error| with_command(error.into(), &app.curl))?;
    let status = delivery(&app, &transaction, events, wait).await;
    let message = app.node.message(&transaction).await?;
    let recipient_name = app.name_of(&transaction.transaction().recipient);
    let location = [(LOCATION, format!("/tx/{}", transaction.id()))];
    let transaction = TransactionMessage::new(&transaction, message.as_ref());
    let body = Json(SendResponse { transaction, status, recipient_name });
    Ok((StatusCode::CREATED, location, AppendHeaders(wait.applied()), body))
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
