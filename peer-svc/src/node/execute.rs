//! What each command does to the draft of a batch.

use raclette_api::{
    event::{EventBody, GenesisEvent},
    membership::PeerRecord,
    receipt::Receipt,
};
use raclette_chain::{
    genesis::Genesis,
    hash::{BlockHash, TransactionId},
};
use raclette_service::queue::QueueChange;
use sqlx::SqliteConnection;

use super::{
    DELIVERY, Event, KeyChange, NodeError, State, accept,
    command::{Answer, Command, Reply},
    draft::Draft,
    mempool, told,
};
use crate::store::{self, StoreError, idempotency, meta};

/// Executes one command. The second value tells of failures of the store, which fail the whole batch; a command that is
/// refused answers so and leaves the draft as it was.
pub(super) async fn execute(
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
