//! Blocks: taking them in, and showing one.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use raclette_api::{
    block::{BlockAnswer, BlockMessage, BlockStatus},
    encoding::hash,
};
use raclette_chain::{
    block::Block,
    hash::{BlockHash, LeafHash},
    header::Header,
    index::Entry,
    message::SealedMessage,
    rules::check_work,
    transaction::SignedTransaction,
};
use raclette_service::{
    answer::{ETag, IfNoneMatch, Keep},
    extract::{Json, Path},
    problem::{Code, CommonProblems, Problem},
};

use super::{
    App,
    answers::SignedProblems,
    bans::{Culprit, Source},
    compact::{Rebuilt, rebuild},
    elsewhere,
    error::{body_missing, parameter},
    read::Sender,
};
use crate::node::{BlockOutcome, NodeError, Origin, State as Chain};

/// Take a block, whole or compact.
///
/// A compact one names its transactions by `leaves`; those that this peer's ledger lacks are named in the answer, and the
/// sender repeats the request with them. A block that breaks a rule is refused with the rule's name in `rule`.
#[utoipa::path(post, path = "/block", operation_id = "submit_block", tag = "network", params(Sender), responses(
    (status = 200, description = "What became of it", body = BlockAnswer),
    CommonProblems,
    SignedProblems,
))]
pub(super) async fn submit_block(
    State(app): State<App>,
    Sender(origin): Sender,
    Source(source): Source,
    Json(message): Json<BlockMessage>,
) -> Result<Json<BlockAnswer>, Problem> {
    let header = message.header()?;
    let state = app.node.state()?;
    // The header's work comes before everything that costs this peer something.
    let verdict = app.node.judge_header(&header, origin, &state);
    let verdict = verdict.inspect_err(|_| cut_off_without_work(&app, source, &header, &state))?;
    let (status, missing) = match verdict {
        Some(outcome) => (status_of(outcome), None),
        None => take(&app, origin, message, state).await?,
    };
    if status == BlockStatus::Orphan {
        app.status.sync.notify_one();
    }
    let missing = missing.map(|leaves| leaves.iter().map(LeafHash::to_string).collect());
    Ok(Json(BlockAnswer { status, hash: header.hash().to_string(), missing }))
}

/// Cuts off whoever sent a header that has cost nothing: no honest peer sends one whose hash does not meet the target that it
/// must have, whatever else is wrong with it.
fn cut_off_without_work(app: &App, source: Option<Culprit>, header: &Header, state: &Chain) {
    let parent = state.index.parent(&header.previous);
    if check_work(header, parent.as_ref(), &state.rules.parameters).is_err() {
        app.bans().punish(source);
    }
}

async fn take(
    app: &App,
    origin: Origin,
    message: BlockMessage,
    state: Arc<Chain>,
) -> Result<(BlockStatus, Option<Vec<LeafHash>>), Problem> {
    let rebuilt = elsewhere(move || rebuild(&message, &state.ledger, &state.rules.network)).await??;
    match rebuilt {
        Rebuilt::Missing(leaves) => Ok((BlockStatus::Missing, Some(leaves))),
        Rebuilt::Whole { block, messages } => Ok((submit(app, origin, block, messages).await?, None)),
    }
}

async fn submit(
    app: &App,
    origin: Origin,
    block: Block,
    messages: Vec<(SignedTransaction, SealedMessage)>,
) -> Result<BlockStatus, NodeError> {
    let status = status_of(app.node.submit_block(block, origin).await?);
    for (transaction, message) in messages {
        // The block is as good without its messages, and the right ones can be fetched alone.
        if let Err(error) = app.node.submit_message(&transaction, message).await {
            tracing::info!(id = %transaction.id(), %error, "a message that came with a block is not kept");
        }
    }
    Ok(status)
}

fn status_of(outcome: BlockOutcome) -> BlockStatus {
    match outcome {
        BlockOutcome::Accepted => BlockStatus::Accepted,
        BlockOutcome::Stored => BlockStatus::Stored,
        BlockOutcome::Unkept => BlockStatus::Unkept,
        BlockOutcome::Known => BlockStatus::Known,
        BlockOutcome::Orphan => BlockStatus::Orphan,
        BlockOutcome::Later => BlockStatus::Later,
    }
}

/// Show a block, by its hash or by its height on the active branch; 0 is the genesis block.
///
/// By its hash it is found on every branch. The sealed messages of its transactions are not in it.
#[utoipa::path(get, path = "/block/{id}", operation_id = "get_block", tag = "network",
    params(("id" = String, Path, description = "64 hex digits: a hash; fewer decimal digits: a height",
        pattern = "^([0-9a-f]{64}|[0-9]{1,10})$", min_length = 1, max_length = 64, example = "0"), IfNoneMatch),
    responses(
        (status = 200, description = "The block", body = BlockMessage),
        IfNoneMatch,
        CommonProblems,
    ),
)]
pub(super) async fn get_block(
    State(app): State<App>,
    known: IfNoneMatch,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let state = app.node.state()?;
    let Some(entry) = find(&state, &id)? else {
        return Err(unknown_block(&id));
    };
    let keep = if id.len() == 64 && entry.state_hash.is_some() { Keep::Forever } else { Keep::Revalidate };
    let tag = ETag::of([entry.hash.to_string(), u8::from(entry.state_hash.is_some()).to_string()]);
    known.unless_known(tag, keep, async { block_message(&app, &state, entry).await.map(Json) }).await
}

pub(super) fn unknown_block(id: &str) -> Problem {
    Problem::new(Code::UnknownBlock, format!("No block {id} is known here."))
}

/// The block with this hash, or of this height on the active branch.
pub(super) fn find<'a>(state: &'a Chain, id: &str) -> Result<Option<&'a Entry>, Problem> {
    if id.len() == 64 {
        let hash: BlockHash = hash("id", id).map_err(Problem::parameter)?;
        return Ok(state.index.get(&hash));
    }
    let is_number = (1..=10).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let height = id.parse::<u32>().ok();
    match height {
        _ if !is_number => Err(parameter("id", "a hash (64 lower-case hex digits) or a height", id)),
        Some(height) => Ok(state.index.at(height)),
        // A number above 2^32 - 1: no block will ever have this height.
        None => Ok(None),
    }
}

/// A stored block as it is shown: without messages, with its place in the chain.
pub(super) async fn block_message(app: &App, state: &Chain, entry: &Entry) -> Result<BlockMessage, Problem> {
    let bare = if entry.header.height == 0 {
        BlockMessage::genesis(&state.genesis)
    } else {
        let block = app.node.block(&entry.hash).await?.ok_or_else(|| body_missing(&entry.hash))?;
        let network = state.rules.network;
        elsewhere(move || BlockMessage::full(&block, &network)).await?
    };
    let state_hash = entry.state_hash.map(|hash| hash.to_string());
    Ok(BlockMessage { work: Some(entry.work.to_string()), state_hash, ..bare })
}
