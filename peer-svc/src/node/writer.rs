//! The one writer: it takes all commands that wait, checks each against the state with what came before it in the batch,
//! commits once, publishes the new state, and answers.
//!
//! If the commit fails, the draft is dropped: nothing has changed, and everybody in the batch is told.

use std::{future::Future, sync::Arc, time::Duration};

use raclette_api::{
    event::{EventBody, GenesisEvent},
    membership::PeerRecord,
    receipt::Receipt,
};
use raclette_chain::{
    address::Address,
    genesis::Genesis,
    hash::{BlockHash, MessageDigest, TransactionId},
    message::SealedMessage,
    transaction::SignedTransaction,
};
use raclette_service::{
    clock::now_ms,
    crash_point::crash_point,
    events::{Appended, Log},
    queue::QueueChange,
    request_id::RequestId,
};
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use super::{
    BlockOutcome, DELIVERY, Event, KeyChange, Keyed, NodeError, Origin, State, Storage, TransactionOutcome,
    VerifiedBlock, WriterEnds, accept, draft::Draft, mempool, storage::try_room, told,
};
use crate::store::{self, StoreError, idempotency, meta, tidying::Tidying};

/// How many commands share a commit at most.
const BATCH: usize = 256;

/// How long nobody must have asked for anything before the file is tidied.
const PAUSE: Duration = Duration::from_millis(20);

/// How often a full disk is tried again.
const TRY_ROOM: Duration = Duration::from_secs(1);

/// Where the outcome of a command goes.
type Answer<T> = oneshot::Sender<Result<T, NodeError>>;

/// A transaction whose signature has been verified.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The transaction.
    pub transaction: Arc<SignedTransaction>,
    /// Its message, if it came along.
    pub message: Option<Arc<SealedMessage>>,
    /// Where it came from.
    pub origin: Origin,
    /// Whether the sender's key is registered.
    pub registered: bool,
    /// Requests that must be in the queue as soon as the transaction is in the ledger.
    pub deliveries: Vec<QueueChange>,
    /// The owner's transaction in whose place this one was signed.
    pub replaces: Option<TransactionId>,
    /// The owner's request that it comes of, if that carries a key: noted in the same commit.
    pub keyed: Option<Keyed>,
}

/// Something to be written.
#[derive(Debug)]
pub enum Command {
    /// This peer belongs to the network that begins with this genesis block.
    Found(Box<Genesis>, Answer<()>),
    /// Transactions for the ledger, and the request that they came with; each gets an outcome of its own.
    Offers(Vec<Offer>, Option<RequestId>, Answer<Vec<Result<TransactionOutcome, NodeError>>>),
    /// A block whose body and signatures have been verified, and the request that it came with.
    Block(Box<VerifiedBlock>, Origin, Option<RequestId>, Answer<BlockOutcome>),
    /// What has been sent to everybody, and what has to wait in the queue for somebody.
    Relayed {
        /// Transactions that nobody has to be sent any more.
        transactions: Vec<TransactionId>,
        /// Blocks that nobody has to be sent any more.
        blocks: Vec<BlockHash>,
        /// Changes of the queue in the same commit.
        queue: Vec<QueueChange>,
        /// Told when it is committed.
        answer: Answer<()>,
    },
    /// Changes of the queue; the number of rows that each changed.
    Queue(Vec<QueueChange>, Answer<Vec<u64>>),
    /// The recipient's peer has a transaction of the owner.
    Delivered(TransactionId, Vec<QueueChange>, Answer<()>),
    /// The recipient's receipt of a transaction of the owner, verified.
    Receipted(TransactionId, Box<Receipt>, Answer<()>),
    /// A message that came without its transaction.
    Message(MessageDigest, Arc<SealedMessage>, Answer<()>),
    /// Takes out of the ledger what has expired; how many left.
    Expire(Answer<usize>),
    /// The owner's transaction with this sequence number is not offered again.
    WaitNoMore(u64, Answer<()>),
    /// What is known of members now, and what that changes in the queue.
    Members(Vec<PeerRecord>, Vec<QueueChange>, Answer<()>),
    /// What is known about the key of a request.
    Key(KeyChange, Answer<()>),
    /// A single value.
    Meta(&'static str, String, Answer<()>),
    /// An event of which nothing else is stored.
    Tell(Box<EventBody>, Answer<()>),
}

/// Writes until all senders of commands are gone, or `stop` completes; then brings the file into order.
///
/// # Errors
/// When the file cannot be brought into order. Failures before that are told to whoever asked.
pub async fn run(
    ends: WriterEnds,
    mut connection: SqliteConnection,
    owner: Address,
    stop: impl Future<Output = ()>,
) -> Result<(), StoreError> {
    let WriterEnds { mut commands, state, storage, events, feed } = ends;
    let mut log = Log::open(&mut connection, &feed).await?;
    let mut tidying = Tidying::take_over(&mut connection).await?;
    tokio::pin!(stop);
    let mut stopping = false;
    loop {
        let first = tokio::select! {
            command = commands.recv() => command,
            () = &mut stop, if !stopping => {
                // What was sent before the end is still written; what comes later is refused.
                stopping = true;
                commands.close();
                continue;
            }
            () = tokio::time::sleep(TRY_ROOM), if *storage.borrow() == Storage::Full && !stopping => {
                match try_room(&mut connection).await {
                    Ok(()) => {
                        tracing::info!("there is room on the disk again");
                        storage.send_replace(Storage::Working);
                    }
                    Err(error) => tracing::debug!(%error, "there is still no room on the disk"),
                }
                continue;
            }
            () = tokio::time::sleep(PAUSE), if tidying.is_due() && !stopping => {
                tell_untidy(tidying.pause(&mut connection).await);
                continue;
            }
        };
        let Some(first) = first else { break };
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(command) = commands.try_recv()
        {
            batch.push(command);
        }
        let current = state.borrow().clone();
        let draft = Draft::new(current.as_deref().cloned(), owner, now_ms());
        match commit(&mut connection, &log, draft, batch).await {
            Ok((draft, appended, replies)) => {
                // A few bytes may fit on a full disk; whether there is room is tried above.
                storage.send_if_modified(|storage| {
                    let failed = matches!(storage, Storage::Failed(_));
                    if failed {
                        *storage = Storage::Working;
                    }
                    failed
                });
                crash_point("commit", "committed");
                if let Some(new) = draft.state {
                    state.send_replace(Some(Arc::new(new)));
                }
                log.publish(appended);
                for event in draft.events {
                    // Nobody listening is no failure.
                    let _ = events.send(event);
                }
                crash_point("commit", "published");
                for reply in replies {
                    reply.deliver();
                }
                crash_point("commit", "answered");
                tell_untidy(tidying.committed(&mut connection).await);
            }
            Err((error, replies)) => {
                tracing::error!(%error, "nothing of a batch could be stored");
                storage.send_if_modified(|storage| {
                    // Full it stays until there is room, however else writing fails meanwhile.
                    let changed = *storage != Storage::Full;
                    if changed {
                        *storage = Storage::after(&error);
                    }
                    changed
                });
                for reply in replies {
                    reply.fail(&error);
                }
            }
        }
    }
    store::close(connection).await
}

/// Tidying is not what anybody waits for: it is tried again later.
fn tell_untidy(outcome: Result<(), StoreError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "the file could not be tidied");
    }
}

/// Gives an answer, or the failure of the whole batch in its place.
type Deliver = Box<dyn FnOnce(Option<&NodeError>) + Send>;

/// An answer that waits for the commit.
struct Reply {
    deliver: Deliver,
}

impl Reply {
    fn new<T: Send + 'static>(answer: Answer<T>, outcome: Result<T, NodeError>) -> Self {
        // Whoever asked may have gone away meanwhile; what was done stays done.
        let deliver = move |failure: Option<&NodeError>| {
            let _ = answer.send(failure.cloned().map_or(outcome, Err));
        };
        Self { deliver: Box::new(deliver) }
    }

    fn deliver(self) {
        (self.deliver)(None);
    }

    fn fail(self, error: &NodeError) {
        (self.deliver)(Some(error));
    }
}

async fn commit(
    connection: &mut SqliteConnection,
    log: &Log,
    draft: Draft,
    batch: Vec<Command>,
) -> Result<(Draft, Appended, Vec<Reply>), (NodeError, Vec<Reply>)> {
    if let Err(error) = store::begin(connection).await {
        return Err((error.into(), refuse_all(batch)));
    }
    crash_point("commit", "begun");
    let outcome = write_and_commit(connection, log, draft, batch).await;
    if outcome.is_err() {
        store::roll_back(connection).await;
    }
    outcome
}

/// Writes a batch in the transaction that has begun, and commits it.
async fn write_and_commit(
    connection: &mut SqliteConnection,
    log: &Log,
    mut draft: Draft,
    batch: Vec<Command>,
) -> Result<(Draft, Appended, Vec<Reply>), (NodeError, Vec<Reply>)> {
    let mut replies = Vec::with_capacity(batch.len());
    let mut commands = batch.into_iter();
    while let Some(command) = commands.next() {
        match execute(connection, &mut draft, command).await {
            (reply, Ok(())) => replies.push(reply),
            (reply, Err(error)) => {
                replies.push(reply);
                replies.extend(refuse_all(commands.collect()));
                return Err((error.into(), replies));
            }
        }
    }
    crash_point("commit", "executed");
    let appended = match draft.write(connection).await {
        Ok(()) => log.append(connection, std::mem::take(&mut draft.told)).await.map_err(StoreError::from),
        Err(error) => Err(error),
    };
    let appended = match appended {
        Ok(appended) => appended,
        Err(error) => return Err((error.into(), replies)),
    };
    crash_point("commit", "written");
    match store::commit(connection).await {
        Ok(()) => Ok((draft, appended, replies)),
        Err(error) => Err((error.into(), replies)),
    }
}

/// Replies for commands that were not executed; the failure of the batch is delivered to them.
fn refuse_all(batch: Vec<Command>) -> Vec<Reply> {
    batch
        .into_iter()
        .map(|command| match command {
            Command::Found(_, answer)
            | Command::Relayed { answer, .. }
            | Command::Delivered(_, _, answer)
            | Command::Receipted(_, _, answer)
            | Command::Message(_, _, answer)
            | Command::WaitNoMore(_, answer)
            | Command::Members(_, _, answer)
            | Command::Key(_, answer)
            | Command::Meta(_, _, answer)
            | Command::Tell(_, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Offers(_, _, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Block(_, _, _, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Expire(answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
            Command::Queue(_, answer) => Reply::new(answer, Err(NodeError::ShuttingDown)),
        })
        .collect()
}

/// Executes one command. The second value tells of failures of the store, which fail the whole batch; a command that is
/// refused answers so and leaves the draft as it was.
async fn execute(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    command: Command,
) -> (Reply, Result<(), StoreError>) {
    match command {
        Command::Found(genesis, answer) => {
            let result = found(connection, draft, *genesis).await;
            split(answer, result)
        }
        Command::Offers(offers, request, answer) => {
            let result = mempool::add_all(connection, draft, offers, request.as_ref()).await;
            split(answer, result.map(Ok))
        }
        Command::Block(block, origin, request, answer) => {
            let result = accept::accept_block(connection, draft, *block, origin, request).await;
            split(answer, result)
        }
        Command::Relayed { transactions, blocks, queue, answer } => {
            let result = relayed(connection, draft, &transactions, &blocks, &queue).await;
            split(answer, result.map(Ok))
        }
        Command::Queue(changes, answer) => {
            let result = change_queue(connection, draft, &changes).await;
            split(answer, result.map(Ok))
        }
        Command::Delivered(id, changes, answer) => {
            let result = delivered(connection, draft, id, &changes).await;
            split(answer, result.map(Ok))
        }
        Command::Receipted(id, receipt, answer) => {
            let result = receipted(connection, draft, id, &receipt).await;
            split(answer, result.map(Ok))
        }
        Command::Message(digest, message, answer) => {
            draft.message(digest, &message);
            split(answer, Ok(Ok(())))
        }
        Command::Expire(answer) => {
            let left = mempool::expire(draft);
            split(answer, Ok(Ok(left)))
        }
        Command::WaitNoMore(sequence, answer) => {
            if let Some(mut state) = draft.state.take() {
                draft.wait_no_more(&mut state, sequence);
                draft.state = Some(state);
            }
            split(answer, Ok(Ok(())))
        }
        Command::Members(records, queue, answer) => {
            let result = members(connection, draft, &records, &queue).await;
            split(answer, result.map(Ok))
        }
        Command::Key(change, answer) => {
            let result = change_key(connection, change).await;
            split(answer, result)
        }
        Command::Meta(key, value, answer) => {
            let result = meta::set(connection, key, &value).await;
            split(answer, result.map(Ok))
        }
        Command::Tell(body, answer) => {
            draft.tell(&body);
            split(answer, Ok(Ok(())))
        }
    }
}

/// Separates what the asker is told from what fails the batch.
fn split<T: Send + 'static>(
    answer: Answer<T>,
    result: Result<Result<T, NodeError>, StoreError>,
) -> (Reply, Result<(), StoreError>) {
    match result {
        Ok(outcome) => (Reply::new(answer, outcome), Ok(())),
        Err(error) => (Reply::new(answer, Err(NodeError::ShuttingDown)), Err(error)),
    }
}

async fn found(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    genesis: Genesis,
) -> Result<Result<(), NodeError>, StoreError> {
    if let Some(state) = &draft.state {
        let (ours, theirs) = (state.rules.network, genesis.network());
        return Ok(if ours == theirs {
            Ok(())
        } else {
            Err(NodeError::OtherNetwork { ours: ours.to_string(), theirs: theirs.to_string() })
        });
    }
    let message = raclette_api::network::GenesisMessage::from(&genesis);
    let json = serde_json::to_string(&message)
        .map_err(|error| StoreError::Damaged { what: "the genesis block".into(), reason: error.to_string() })?;
    meta::set(connection, meta::key::GENESIS, &json).await?;
    draft.tell(&EventBody::Genesis(GenesisEvent { network_id: genesis.network().to_string() }));
    let state = State::new(genesis);
    meta::set(connection, meta::key::CHECKSUM, &state.checksum.to_string()).await?;
    draft.state = Some(state);
    Ok(Ok(()))
}

async fn relayed(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    transactions: &[TransactionId],
    blocks: &[BlockHash],
    queue: &[QueueChange],
) -> Result<(), StoreError> {
    // The ledger rows of this very batch are only written at its end; a mark cannot be older than its row, though, since
    // a transaction is relayed after its commit.
    store::ledger::relayed(connection, transactions).await?;
    store::blocks::relayed(connection, blocks).await?;
    change_queue(connection, draft, queue).await?;
    Ok(())
}

async fn delivered(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    id: TransactionId,
    changes: &[QueueChange],
) -> Result<(), StoreError> {
    store::mail::delivered(connection, &id, draft.now).await?;
    draft.events.push(Event::Delivered { id });
    change_queue(connection, draft, changes).await?;
    Ok(())
}

async fn receipted(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    id: TransactionId,
    receipt: &Receipt,
) -> Result<(), StoreError> {
    let first = store::mail::receipted(connection, &id, receipt.received, &receipt.signature, draft.now).await?;
    let settled = QueueChange::Settle { kind: DELIVERY.to_owned(), subjects: vec![id.to_string()] };
    draft.queue(connection, &settled).await?;
    if first {
        draft.events.push(Event::Delivered { id });
    }
    Ok(())
}

async fn members(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    records: &[PeerRecord],
    queue: &[QueueChange],
) -> Result<(), StoreError> {
    store::peers::write(connection, records).await?;
    for record in records {
        draft.tell(&told::member(record));
    }
    change_queue(connection, draft, queue).await?;
    Ok(())
}

async fn change_key(connection: &mut SqliteConnection, change: KeyChange) -> Result<Result<(), NodeError>, StoreError> {
    match change {
        KeyChange::Note(noted) => {
            if idempotency::get(&mut *connection, &noted.key).await?.is_some() {
                return Ok(Err(NodeError::KeyInUse { key: noted.key }));
            }
            idempotency::insert(connection, &noted, idempotency::KEPT).await?;
        }
        KeyChange::Answered { key, answer } => idempotency::answered(connection, &key, &answer).await?,
        KeyChange::Forget { key } => idempotency::forget(connection, &key).await?,
    }
    Ok(Ok(()))
}

async fn change_queue(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    changes: &[QueueChange],
) -> Result<Vec<u64>, StoreError> {
    let mut counts = Vec::with_capacity(changes.len());
    for change in changes {
        counts.push(draft.queue(connection, change).await?);
    }
    if changes
        .iter()
        .any(|change| matches!(change, QueueChange::Put { .. } | QueueChange::Wake { .. } | QueueChange::Retry { .. }))
    {
        draft.events.push(Event::Queued);
    }
    Ok(counts)
}
