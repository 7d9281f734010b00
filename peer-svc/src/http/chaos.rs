//! Chaos switches: the owner of a peer that was started with `--chaos` gives its links faults, and takes them away.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use raclette_api::{
    FROM_HEADER,
    chaos::{ChaosLink, ChaosState, EVERYBODY, TRACKER},
    encoding,
};
use raclette_chain::address::Address;
use raclette_service::{
    chaos::{Chaos, Passage, Way},
    extract::Json,
    problem::{Code, CommonProblems, Problem, ProblemDetails},
};

use super::{App, answers::StateProblems};

/// Show the faults of this peer's links.
#[utoipa::path(get, path = "/chaos", operation_id = "get_chaos", tag = "owner", responses(
    (status = 200, description = "The faults there are", body = ChaosState),
    CommonProblems,
    StateProblems,
))]
pub(super) async fn get_chaos(State(app): State<App>) -> Result<Json<ChaosState>, Problem> {
    Ok(Json(switches(&app)?.state()))
}

/// Give this peer's links faults, in the place of all there are.
///
/// For whoever learns or tests; only if the peer was started with `--chaos`. Each link has a direction: what this peer sends,
/// what comes from there, or both. It can be slow (`delay_ms`), lose requests or their answers (`drop_percent`), let nothing
/// through (`partition`), or hold everything until it is told otherwise (`pause`). Only services that name themselves in
/// `Raclette-From` are concerned, as peers and tracker do; people with curl are not.
#[utoipa::path(put, path = "/chaos", operation_id = "put_chaos", tag = "owner", responses(
    (status = 200, description = "The faults there are now", body = ChaosState),
    CommonProblems,
    StateProblems,
    (status = 404, description = "Nobody by that name or address is known", body = ProblemDetails,
        content_type = "application/problem+json"),
))]
pub(super) async fn put_chaos(
    State(app): State<App>,
    Json(wanted): Json<ChaosState>,
) -> Result<Json<ChaosState>, Problem> {
    let chaos = switches(&app)?;
    wanted.check()?;
    let links = wanted.links.into_iter().map(|link| resolved(&app, link)).collect::<Result<_, _>>()?;
    chaos.set(ChaosState { links });
    Ok(Json(told(chaos)))
}

/// End all faults.
#[utoipa::path(delete, path = "/chaos", operation_id = "end_chaos", tag = "owner", responses(
    (status = 204, description = "There are none any more"),
    CommonProblems,
    StateProblems,
))]
pub(super) async fn end_chaos(State(app): State<App>) -> Result<StatusCode, Problem> {
    let chaos = switches(&app)?;
    chaos.set(ChaosState::default());
    told(chaos);
    Ok(StatusCode::NO_CONTENT)
}

fn switches(app: &App) -> Result<&Chaos, Problem> {
    app.chaos.as_ref().ok_or_else(|| {
        Problem::new(Code::ChaosOff, "This peer was started without --chaos.").mend("start it, or devnet, with --chaos")
    })
}

/// Says in the log what was switched on.
fn told(chaos: &Chaos) -> ChaosState {
    let state = chaos.state();
    tracing::warn!(links = state.links.len(), "chaos: the faults of the links were changed");
    for ChaosLink { peer, direction, delay_ms, drop_percent, partition, pause, .. } in &state.links {
        tracing::warn!(peer, ?direction, delay_ms, drop_percent, partition, pause, "chaos");
    }
    state
}

/// The link with the address of whom it is to.
fn resolved(app: &App, link: ChaosLink) -> Result<ChaosLink, Problem> {
    let unknown = || Problem::new(Code::UnknownPeer, format!("No member is called {:?}.", link.peer));
    let address = match link.peer.as_str() {
        EVERYBODY | TRACKER => None,
        text if encoding::name("peer", text).is_ok() => Some(app.node.members().address_of(text).ok_or_else(unknown)?),
        text => Some(encoding::address("peer", text)?),
    };
    Ok(ChaosLink { address: address.map(|address| address.to_string()), ..link })
}

/// A layer: what is switched on happens to requests that name a service as their sender.
pub(super) async fn interfere(State(app): State<App>, request: Request, next: Next) -> Response {
    let from = request.headers().get(FROM_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (Some(chaos), Some(from)) = (&app.chaos, from) else { return next.run(request).await };
    let tracker = app.status.trusted_tracker();
    let is_tracker = tracker.is_some() && from.parse::<Address>().ok() == tracker;
    let passage = chaos.pass(if is_tracker { TRACKER } else { &from }, Way::In).await;
    if let Some(obstacle) = passage.obstacle() {
        return Problem::new(Code::Chaos, obstacle).into_response();
    }
    let response = next.run(request).await;
    match passage {
        Passage::AnswerLost => Problem::new(Code::Chaos, "chaos: the answer is lost").into_response(),
        Passage::Through | Passage::Cut | Passage::RequestLost => response,
    }
}
