//! The word of another miner that it has found a block.

use std::time::Instant;

use axum::extract::State;
use raclette_api::mining::{MiningComplete, MiningCompleteAnswer};
use raclette_chain::{header::Header, rules::check_header, time::Timestamp};
use raclette_service::{
    clock::now_ms,
    extract::Json,
    problem::{CommonProblems, Problem},
};

use super::{App, answers::SignedProblems};
use crate::{miner::Verdict, node::State as Chain};

/// Take a member's word that it has found a block.
///
/// If the header is right and would win, this peer's own mining pauses until the block comes, for at most five seconds. A
/// member whose block never comes is not believed for ten minutes.
#[utoipa::path(post, path = "/mining-complete", operation_id = "take_mining_complete", tag = "network", responses(
    (status = 200, description = "What this peer makes of it", body = MiningCompleteAnswer),
    CommonProblems,
    SignedProblems,
))]
pub(super) async fn take_mining_complete(
    State(app): State<App>,
    Json(message): Json<MiningComplete>,
) -> Result<Json<MiningCompleteAnswer>, Problem> {
    let state = app.node.state()?;
    // Work is cheaper to check than a signature, and costs more to forge.
    let (header, _) = message.check(&state.rules.network)?;
    if let Err(reason) = fits(&header, &state) {
        return Ok(Json(not_believed(reason)));
    }
    let (header, key) = message.verify(&state.rules.network)?;
    if !app.node.members().is_registered(&key.address()) {
        return Ok(Json(not_believed(String::from("the miner is not a member that is known here"))));
    }
    let verdict = app.miner.race().claim(&header, key.address(), &state, true, Instant::now());
    Ok(Json(answer(verdict, app.miner.is_mining())))
}

/// Whether a header is right on top of a block that is known here.
fn fits(header: &Header, state: &Chain) -> Result<(), String> {
    let parent = state.index.parent(&header.previous);
    let parent = parent.ok_or_else(|| String::from("the block before it is not known here"))?;
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    check_header(header, &parent, &state.rules, now).map_err(|error| error.to_string())
}

fn not_believed(reason: String) -> MiningCompleteAnswer {
    MiningCompleteAnswer { accepted: false, paused: false, reason: Some(reason) }
}

fn answer(verdict: Verdict, mining: bool) -> MiningCompleteAnswer {
    let believed =
        |reason: &str| MiningCompleteAnswer { accepted: true, paused: false, reason: Some(reason.to_owned()) };
    match verdict {
        Verdict::Paused if mining => MiningCompleteAnswer { accepted: true, paused: true, reason: None },
        Verdict::Paused => believed("this peer is not mining"),
        Verdict::Known => believed("the block is here already"),
        Verdict::Irrelevant => not_believed(String::from("the block would not win over the tip")),
        Verdict::Distrusted => not_believed(String::from("a block of this miner never came, not long ago")),
    }
}
