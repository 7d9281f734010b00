//! Who this peer is, and how it is doing.

use std::sync::Arc;

use axum::extract::State;
use raclette_api::{
    PROTOCOL_VERSION,
    chain::{KnownPeers, LedgerSummary, StatusMessage, SyncStatus},
    encoding::{from_hex, to_hex},
    membership::ChallengeAnswer,
};
use raclette_chain::ledger::Ledger;
use raclette_service::{
    chaos::Chaos,
    clock::now_ms,
    extract::{Json, Query},
    problem::{CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{App, elsewhere, history::alarm_message};

/// Tell who this peer is and how it is doing.
///
/// It answers from the first moment; network and tip are absent until there is a genesis block.
#[utoipa::path(get, path = "/status", operation_id = "get_status", tag = "network", responses(
    (status = 200, description = "How it is doing", body = StatusMessage),
    CommonProblems,
))]
pub(super) async fn get_status(State(app): State<App>) -> Json<StatusMessage> {
    Json(status(&app))
}

fn status(app: &App) -> StatusMessage {
    let state = app.node.state().ok();
    let tip = state.as_ref().map(|state| state.tip_message());
    let sync = app.status.sync_status();
    let height = tip.as_ref().map_or(0, |tip| tip.height);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (online, offline) = app.node.members().counts();
    StatusMessage {
        protocol: PROTOCOL_VERSION,
        software: concat!("raclette-peer/", env!("RACLETTE_VERSION")).to_owned(),
        name: app.node.identity().name.clone(),
        address: app.node.identity().address().to_string(),
        epoch: app.status.epoch(),
        network_id: app.node.network().map(|network| network.to_string()),
        tip,
        ledger: ledger_summary(state.as_ref().map_or(&Ledger::default(), |state| &state.ledger)),
        mining: app.miner.is_mining(),
        // Blocks may have come since the history was compared.
        sync: SyncStatus { height, target_height: sync.target_height.max(height), ..sync },
        membership_version: app.node.members().version(),
        tracker: app.status.tracker_status(),
        peers: KnownPeers { online: count(online), offline: count(offline) },
        chaos: app.chaos.as_ref().map(Chaos::state),
        reorganisation_alarm: app.node.alarm(now_ms()).map(alarm_message),
    }
}

fn ledger_summary(ledger: &Ledger) -> LedgerSummary {
    LedgerSummary { count: ledger.len() as u64, bytes: ledger.bytes() as u64, digest: to_hex(ledger.digest()) }
}

/// What a challenge asks with.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Challenge {
    /// 32 random bytes in hex.
    #[param(
        pattern = "^[0-9a-f]{64}$",
        min_length = 64,
        max_length = 64,
        example = "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
    )]
    nonce: String,
}

/// Prove that this peer lives here: sign a number that the caller has chosen.
///
/// The tracker asks this before it believes an address in a registration, and to see whether the peer lives.
#[utoipa::path(get, path = "/challenge", operation_id = "answer_challenge", tag = "network", params(Challenge), responses(
    (status = 200, description = "The proof", body = ChallengeAnswer),
    CommonProblems,
))]
pub(super) async fn answer_challenge(
    State(app): State<App>,
    Query(challenge): Query<Challenge>,
) -> Result<Json<ChallengeAnswer>, Problem> {
    let nonce = from_hex::<32>("nonce", &challenge.nonce).map_err(Problem::parameter)?;
    let (network, epoch) = (app.node.network(), app.status.epoch());
    let key = Arc::clone(&app.node.identity().key);
    elsewhere(move || ChallengeAnswer::signed(network.as_ref(), &nonce, epoch, &key)).await.map(Json)
}
