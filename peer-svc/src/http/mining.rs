//! Mining on command.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{AppendHeaders, IntoResponse, Response},
};
use raclette_api::mining::{MineRequest, MiningJob, MiningOutcome, MiningState, MiningWinner};
use raclette_chain::target::CompactTarget;
use raclette_service::{
    extract::{IdempotencyKey, Json, Path, PreferWait},
    problem::{Code, CommonProblems, Problem},
};

use super::{
    App,
    answers::MineProblems,
    idempotency::{self, Asked},
    read::OptionalJson,
};
use crate::{
    miner::{Job, JobState, Order, Outcome},
    node::{Noted, Turn},
};

/// How long a cancelled job may take to end before the answer shows it as it is.
const ENDING: Duration = Duration::from_secs(2);

/// Mine one block, from what is in the ledger; an empty ledger will do.
///
/// The search runs by itself: follow it at `Location`. With `Prefer: wait=30` the answer waits for its outcome, and is 200
/// with the finished job if there is one by then. A peer runs one job at a time.
///
/// With an `Idempotency-Key` it can be repeated by whoever got no answer: it gets the same job, as it is then. Keys of what was
/// refused are free again; the last 100,000 are remembered.
#[utoipa::path(post, path = "/mine", operation_id = "start_mining", tag = "owner", params(PreferWait, IdempotencyKey),
    request_body(content = Option<MineRequest>, description = "How to mine; may be absent as a whole"),
    responses(
        (status = 202, description = "The search goes on", body = MiningJob, headers(
            ("Location" = String, description = "Where to follow it"),
            ("Preference-Applied" = String, description = "`wait=N`, if that was asked for"),
            ("Idempotency-Replayed" = bool, description = "`true`: the job was started by an earlier request"),
        )),
        (status = 200, description = "The search has ended", body = MiningJob, headers(
            ("Location" = String, description = "Where to see it again"),
            ("Preference-Applied" = String, description = "`wait=N`"),
            ("Idempotency-Replayed" = bool, description = "`true`: the job was started by an earlier request"),
        )),
        CommonProblems,
        MineProblems,
    ),
)]
pub(super) async fn start_mining(
    State(app): State<App>,
    wait: PreferWait,
    key: IdempotencyKey,
    OptionalJson(request): OptionalJson<MineRequest>,
) -> Result<Response, Problem> {
    request.check()?;
    match idempotency::asked(&app, key, "/mine", &request).await? {
        Asked::First(turn) => start_first(&app, order(request), turn, wait).await,
        Asked::Again(noted) => started_again(&app, &noted, wait).await,
    }
}

async fn start_first(app: &App, order: Order, turn: Option<Turn>, wait: PreferWait) -> Result<Response, Problem> {
    let job = app.miner.new_job()?;
    let keyed = turn.as_ref().map(Turn::keyed);
    if let Some(keyed) = keyed {
        // Before it begins: after a crash it is not started a second time.
        let json = serde_json::to_string(&job_message(app, &job)).map_err(Problem::internal)?;
        app.node.note_key(keyed, job.id().to_owned(), json).await?;
    }
    if let Err(error) = app.miner.start(&job, order) {
        if let Some(keyed) = keyed {
            app.node.forget_key(keyed).await;
        }
        return Err(error.into());
    }
    let key = keyed.map(|keyed| keyed.key().to_owned());
    // Whoever repeats the request may wait for the same job.
    drop(turn);
    Ok(wait_for(app, &job, wait, key.as_deref()).await.into_response())
}

/// The job that an earlier request started. Of one that is not remembered any more, what was last seen.
async fn started_again(app: &App, noted: &Noted, wait: PreferWait) -> Result<Response, Problem> {
    let replayed = AppendHeaders(idempotency::replayed(true));
    if let Some(job) = app.miner.job(&noted.subject) {
        return Ok((replayed, wait_for(app, &job, wait, Some(&noted.key)).await).into_response());
    }
    let seen = noted.answer.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let seen: MiningJob = seen.ok_or_else(|| idempotency::unreadable(noted))?;
    let job = if seen.state == MiningState::Done { seen } else { interrupted(seen) };
    Ok((replayed, located(StatusCode::OK, job)).into_response())
}

/// A job of which it is not known how it ended.
fn interrupted(seen: MiningJob) -> MiningJob {
    let reason = "the peer has stopped since this job began; GET /chain shows whether it had found a block";
    MiningJob {
        state: MiningState::Done,
        outcome: Some(MiningOutcome::Failed),
        reason: Some(reason.to_owned()),
        ..seen
    }
}

/// Answers with a job, after waiting as the caller prefers.
async fn wait_for(app: &App, job: &Job, wait: PreferWait, key: Option<&str>) -> impl IntoResponse + use<> {
    app.wait(wait, job.done()).await;
    let status = if job.is_running() { StatusCode::ACCEPTED } else { StatusCode::OK };
    let message = job_message(app, job);
    if let (StatusCode::OK, Some(key), Ok(json)) = (status, key, serde_json::to_string(&message)) {
        app.node.answered(key, json).await;
    }
    (AppendHeaders(wait.applied()), located(status, message))
}

fn located(status: StatusCode, job: MiningJob) -> impl IntoResponse + use<> {
    (status, [(LOCATION, format!("/mine/{}", job.id))], Json(job))
}

fn order(request: MineRequest) -> Order {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Order { threads: request.threads.map(number), max_transactions: request.max_transactions.map(number) }
}

/// Show a mining job. The last 100 are remembered until the peer stops.
///
/// With `Prefer: wait=30` the answer waits until the job has ended; one that has is shown at once.
#[utoipa::path(get, path = "/mine/{id}", operation_id = "get_mining_job", tag = "owner",
    params(("id" = String, Path, description = "The job's id", max_length = 64), PreferWait),
    responses(
        (status = 200, description = "The job as it is now", body = MiningJob, headers(
            ("Preference-Applied" = String, description = "`wait=N`, if that was asked for"),
        )),
        CommonProblems,
    ),
)]
pub(super) async fn get_mining_job(
    State(app): State<App>,
    Path(id): Path<String>,
    wait: PreferWait,
) -> Result<impl IntoResponse, Problem> {
    let job = find(&app, &id)?;
    app.wait(wait, job.done()).await;
    Ok((AppendHeaders(wait.applied()), Json(job_message(&app, &job))))
}

/// Cancel a mining job; one that has ended stays as it is.
#[utoipa::path(delete, path = "/mine/{id}", operation_id = "cancel_mining_job", tag = "owner",
    params(("id" = String, Path, description = "The job's id", max_length = 64)),
    responses((status = 200, description = "The job as it is now", body = MiningJob), CommonProblems),
)]
pub(super) async fn cancel_mining_job(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<MiningJob>, Problem> {
    let job = find(&app, &id)?;
    job.cancel();
    app.wait_for(ENDING, job.done()).await;
    Ok(Json(job_message(&app, &job)))
}

fn find(app: &App, id: &str) -> Result<Arc<Job>, Problem> {
    app.miner
        .job(id)
        .ok_or_else(|| Problem::new(Code::UnknownJob, "No job with this id was started since the peer started."))
}

fn job_message(app: &App, job: &Job) -> MiningJob {
    let template = job.template();
    let bare = MiningJob {
        id: job.id().to_owned(),
        state: MiningState::Done,
        outcome: None,
        attempts: job.attempts(),
        rate: job.rate(),
        started: job.started_ms(),
        height: template.height,
        target: template.target.to_string(),
        expected_attempts: expected_attempts(template.target),
        block: None,
        winner: None,
        reason: None,
    };
    match job.state() {
        JobState::Searching => MiningJob { state: MiningState::Searching, ..bare },
        JobState::Paused => {
            let reason = Some(String::from("another member says that it has found this block"));
            MiningJob { state: MiningState::Paused, reason, ..bare }
        }
        JobState::Done(Outcome::Mined { block }) => {
            MiningJob { outcome: Some(MiningOutcome::Mined), block: Some(block.to_string()), ..bare }
        }
        JobState::Done(Outcome::LostRace { winner, block }) => {
            let (address, name) = (winner.to_string(), app.name_of(&winner));
            let winner = Some(MiningWinner { address, name, block: block.to_string() });
            MiningJob { outcome: Some(MiningOutcome::LostRace), winner, ..bare }
        }
        JobState::Done(Outcome::Cancelled) => MiningJob { outcome: Some(MiningOutcome::Cancelled), ..bare },
        JobState::Done(Outcome::Failed { reason }) => {
            MiningJob { outcome: Some(MiningOutcome::Failed), reason: Some(reason), ..bare }
        }
    }
}

/// How many attempts a block with this target takes on average, as a number for people.
fn expected_attempts(target: CompactTarget) -> f64 {
    let work = target.expand().map_or([0; 32], |target| target.work().bytes());
    work.iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use raclette_chain::target::Target;

    #[test]
    fn the_expected_attempts_are_the_work_of_the_target() {
        assert!((expected_attempts(Target::of_bits(0).compact()) - 1.0).abs() < f64::EPSILON);
        let four_million = expected_attempts(Target::of_bits(22).compact());
        assert!((four_million / 4_194_304.0 - 1.0).abs() < 0.001, "{four_million}");
        assert!(expected_attempts(CompactTarget::from_bits(0)).abs() < f64::EPSILON, "it is no target");
    }
}
