//! Sending one batch to one member, and the queue rows for what could not be sent.

use std::{collections::HashSet, sync::Arc, time::Duration};

use raclette_api::{
    block::{BlockMessage, BlockStatus},
    mining::MiningComplete,
    transaction::{SubmitProblem, TransactionMessage},
};
use raclette_chain::{
    block::{Block, Checked},
    hash::LeafHash,
    time::Timestamp,
};
use raclette_service::{
    client::SendError,
    clock::now_ms,
    crash_point::crash_point,
    problem::Code,
    queue::{QueueChange, QueuedRequest},
    request_id::{self, RequestId},
};
use tracing::Instrument as _;

use super::lanes::{Batch, Item};
use crate::{
    net::Net,
    node::{Neighbour, Node, RELAYED_BLOCK, RELAYED_TRANSACTION},
};

/// A batch that has been tried.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) batch: Batch,
    /// Why it was not delivered; none if it was, or can never be.
    pub(super) failed: Option<SendError>,
    /// Why the member does not take the items, in their order; empty if it takes them all.
    pub(super) refused: Vec<Option<Refusal>>,
}

/// Why a member does not take an item.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// What it says.
    pub(super) why: String,
    /// Whether it never will: then the item counts as delivered, since the member has judged it.
    pub(super) for_ever: bool,
}

/// Sends a batch, under the id of the request that it comes of. An answer that refuses for ever counts as delivered: the member
/// has judged it.
pub(super) async fn send(net: Net, node: Arc<Node>, batch: Batch) -> Sent {
    let request = batch.request();
    let span = tracing::info_span!("relay", id = request.as_ref().map(RequestId::as_str));
    request_id::within(request, try_once(net, node, batch)).instrument(span).await
}

async fn try_once(net: Net, node: Arc<Node>, batch: Batch) -> Sent {
    crash_point("relay_sending", "begun");
    let result = match batch.items.first() {
        Some(Item::Block { block, .. }) => {
            send_block(&net, &node, &batch.destination, block).await.map(|()| Vec::new())
        }
        Some(Item::Transaction { .. }) | None => send_transactions(&net, &batch).await,
    };
    crash_point("relay_sent", "answered");
    match result {
        Ok(refused) => {
            tracing::debug!(peer = batch.destination.name, items = %names(&batch), "delivered");
            Sent { batch, failed: None, refused }
        }
        Err(error) if error.permanent() => {
            tracing::warn!(peer = batch.destination.name, %error, "a member refuses for ever");
            let refusal = Refusal { why: error.to_string(), for_ever: true };
            let refused = vec![Some(refusal); batch.items.len()];
            Sent { batch, failed: None, refused }
        }
        Err(error) => {
            tracing::info!(peer = batch.destination.name, items = %names(&batch), %error, "not delivered");
            Sent { batch, failed: Some(error), refused: Vec::new() }
        }
    }
}

/// What a batch holds, for a line of the log.
fn names(batch: &Batch) -> String {
    match batch.items.as_slice() {
        [only] => only.id().to_string(),
        many => format!("{} transactions", many.len()),
    }
}

/// Sends transactions; why the member does not take each of them, if it does not.
async fn send_transactions(net: &Net, batch: &Batch) -> Result<Vec<Option<Refusal>>, SendError> {
    let messages: Vec<TransactionMessage> = batch
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Transaction { transaction, message, .. } => {
                Some(TransactionMessage::new(transaction, message.as_deref()))
            }
            Item::Block { .. } => None,
        })
        .collect();
    let answer = net.transactions(&batch.destination, &messages).await?;
    for problem in answer.results.iter().filter_map(|result| result.problem.as_ref()) {
        tracing::debug!(peer = batch.destination.name, code = problem.code, "a member does not take a transaction");
    }
    let refusal = |problem: SubmitProblem| Refusal {
        for_ever: problem.code.parse().is_ok_and(Code::permanent),
        why: format!("{}: {}", problem.code, problem.detail),
    };
    Ok(answer.results.into_iter().map(|result| result.problem.map(refusal)).collect())
}

/// First the word that the block has been found, if it is ours, then the block: compact, and with what the member lacks.
async fn send_block(net: &Net, node: &Node, peer: &Neighbour, block: &Arc<Block<Checked>>) -> Result<(), SendError> {
    let Some(network) = node.network() else { return Ok(()) };
    if let Some(message) = mining_complete(node, block) {
        match net.mining_complete(peer, &message).await {
            Ok(_) => {}
            // The word only pauses others' mining; whoever does not take it judges the block all the same.
            Err(error @ SendError::Refused { .. }) => {
                tracing::info!(peer = peer.name, %error, "a member does not pause")
            }
            Err(error) => return Err(error),
        }
    }
    let compact = BlockMessage::compact(block.as_ref(), &network);
    let answer = net.send_block(peer, &compact).await?;
    if answer.status != BlockStatus::Missing {
        return Ok(());
    }
    let missing: HashSet<LeafHash> = answer.missing().unwrap_or_default().into_iter().collect();
    let lacking = block
        .transactions()
        .iter()
        .filter(|transaction| missing.contains(&transaction.leaf()))
        .map(|transaction| TransactionMessage::new(transaction, None))
        .collect();
    let answer = net.send_block(peer, &BlockMessage { transactions: lacking, ..compact }).await?;
    if answer.status == BlockStatus::Missing {
        net.send_block(peer, &BlockMessage::full(block.as_ref(), &network)).await?;
    }
    Ok(())
}

/// The word that this peer has found a block; none if the block is another's.
fn mining_complete(node: &Node, block: &Block<Checked>) -> Option<MiningComplete> {
    let identity = node.identity();
    let network = node.network()?;
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    (block.reward().miner == identity.address())
        .then(|| MiningComplete::signed(block.header(), &network, now, &identity.key))
}

/// How long a row may wait that comparing would make superfluous: what others tell of, and transactions of others.
const EXPIRY: Duration = Duration::from_secs(24 * 3_600);

/// The rows that keep trying to bring an item to a member. Nothing of this peer's own is given up: its transactions have a row
/// for their recipient from the beginning, and its newest block waits until a newer one takes its place.
pub(super) fn queue_rows(node: &Node, item: &Item, destination: &Neighbour, error: &str) -> Vec<QueueChange> {
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    let expiry = now.saturating_add(EXPIRY);
    let put = |request: QueuedRequest| QueueChange::Put {
        request: Box::new(request),
        now,
        next_at: now,
        error: Some(error.to_owned()),
    };
    let row = |path: &str, kind: &str, subject: String, version: u64, body: Option<Vec<u8>>| {
        body.map(|body| QueuedRequest {
            destination: destination.address,
            destination_name: destination.name.clone(),
            url: destination.url.clone(),
            path: path.to_owned(),
            kind: kind.to_owned(),
            subject,
            version,
            body,
            expires_at: Some(expiry),
        })
    };
    match item {
        Item::Transaction { transaction, message, .. } => {
            let body = serde_json::to_vec(&TransactionMessage::new(transaction, message.as_deref())).ok();
            row("/tx", RELAYED_TRANSACTION, transaction.id().to_string(), 1, body).map(put).into_iter().collect()
        }
        Item::Block { block, .. } => {
            let Some(network) = node.network() else { return Vec::new() };
            let height = u64::from(block.header().height);
            let word = mining_complete(node, block);
            let expires_at = if word.is_some() { None } else { Some(expiry) };
            let word = word.and_then(|message| serde_json::to_vec(&message).ok());
            let word = row("/mining-complete", "mining_complete", String::from("latest"), height, word);
            let body = serde_json::to_vec(&BlockMessage::full(block.as_ref(), &network)).ok();
            let body = row("/block", RELAYED_BLOCK, block.hash().to_string(), height, body);
            // Whoever gets the newest block asks for those before it.
            let older = QueueChange::Outdate {
                destination: destination.address,
                kind: RELAYED_BLOCK.to_owned(),
                before: height,
            };
            let rows = word.into_iter().chain(body).map(|request| put(QueuedRequest { expires_at, ..request }));
            std::iter::once(older).chain(rows).collect()
        }
    }
}
