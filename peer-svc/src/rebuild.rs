//! Makes a new file of what is sound in a damaged one. Every block and transaction goes through the front door of a new
//! node, as if another peer had sent it: by every rule, signatures included. What is lost is fetched from other peers
//! afterwards, like any history.

use std::{fs, io, path::Path, sync::Arc};

use raclette_chain::{
    address::Address,
    block::{Block, Unchecked},
    time::Timestamp,
};
use raclette_service::{clock::now_ms, queue::QueueChange};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::oneshot;

use crate::{
    node::{BlockOutcome, Identity, Incoming, Members, Node, NodeError, Origin, writer},
    store::{
        self, StoreError, idempotency, ledger, mail, meta, peers,
        salvage::{self, Blocks, Salvage},
        waiting,
    },
};

/// How many transactions are offered at once.
const BATCH: usize = 256;

/// What the new file is called until it is whole.
const UNFINISHED: &str = "rebuilt.sqlite";

/// Makes a new file, and keeps the old one under a name with the time. A rebuild that is interrupted has changed nothing.
///
/// # Errors
/// When the new file cannot be written, or the files cannot be moved.
pub(crate) async fn rebuild(file: &Path, identity: &Identity) -> Result<(), StoreError> {
    if !file.exists() {
        tracing::info!(file = %file.display(), "there is no database to make anew");
        return Ok(());
    }
    let new = file.with_file_name(UNFINISHED);
    remove(&new)?;
    let (found, blocks) = salvage::read(file).await;
    fill(&new, identity, found, blocks).await?;
    // The damaged file keeps its name until the new one takes it in one step; there is always one or the other.
    let aside = file.with_file_name(format!("damaged-{}.sqlite", now_ms()));
    fs::hard_link(file, &aside).or_else(|_| fs::copy(file, &aside).map(drop)).map_err(system)?;
    let log = with_suffix(file, "-wal");
    if log.exists() {
        fs::rename(log, with_suffix(&aside, "-wal")).map_err(system)?;
    }
    remove_one(&with_suffix(file, "-shm"))?;
    fs::rename(&new, file).map_err(system)?;
    tracing::warn!(aside = %aside.display(), "the database has been made anew; the damaged one is kept");
    Ok(())
}

/// Writes all that is sound into a new file, and closes it: there is no write-ahead log any more then.
async fn fill(new: &Path, identity: &Identity, found: Salvage, mut blocks: Option<Blocks>) -> Result<(), StoreError> {
    let (mut connection, readers) = store::open(new).await?;
    take_values(&mut connection, &found, &identity.address()).await?;
    let members = Members::restored(identity.address(), &found.members);
    let (node, ends) = Node::new(identity.clone(), readers.clone(), None, members);
    let (stop, stopped) = oneshot::channel::<()>();
    let writing = tokio::spawn(writer::run(ends, connection, identity.address(), async {
        // A dropped sender means the same.
        let _ = stopped.await;
    }));
    let taken = take_chain(&node, found, blocks.as_mut()).await;
    if let Some(blocks) = blocks {
        blocks.close().await;
    }
    readers.close().await;
    drop(stop);
    writing.await.map_err(|error| system(io::Error::other(error)))??;
    taken.map_err(|error| StoreError::damaged("the new file", &error))
}

fn remove(file: &Path) -> Result<(), StoreError> {
    ["", "-wal", "-shm"].iter().try_for_each(|suffix| remove_one(&with_suffix(file, suffix)))
}

fn remove_one(file: &Path) -> Result<(), StoreError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(system(error)),
        _ => Ok(()),
    }
}

fn system(error: io::Error) -> StoreError {
    sqlx::Error::Io(error).into()
}

fn with_suffix(file: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Takes over what no rule can judge: it is decoded, and that is all that can be said of it.
async fn take_values(connection: &mut SqliteConnection, found: &Salvage, owner: &Address) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    let connection = &mut *transaction;
    for (key, value) in &found.values {
        if [meta::key::TRACKER_KEY, meta::key::EPOCH].contains(&key.as_str()) {
            meta::set(connection, key, value).await?;
        }
    }
    peers::write(connection, &found.members).await?;
    if let Some(network) = found.genesis.as_ref().map(raclette_chain::genesis::Genesis::network) {
        let messages: Vec<_> =
            found.messages.iter().map(|message| (message.digest(&network).0, Arc::new(message.clone()))).collect();
        ledger::insert_messages(connection, &messages).await?;
    }
    for noted in &found.keys {
        // A key that has changed may be another's.
        if idempotency::get(&mut *connection, &noted.key).await?.is_none() {
            idempotency::insert(connection, noted, idempotency::KEPT).await?;
        }
    }
    for transaction in &found.waiting {
        waiting::put(connection, transaction).await?;
    }
    for item in &found.mail {
        mail::insert(connection, std::slice::from_ref(&item.transaction), owner, item.received).await?;
        if let Some(when) = item.delivered {
            mail::delivered(connection, &item.transaction.id(), when).await?;
        }
        if let Some(new) = item.replaced_by {
            mail::replaced(connection, &item.transaction.id(), &new).await?;
        }
    }
    Ok(transaction.commit().await?)
}

async fn take_chain(node: &Node, found: Salvage, blocks: Option<&mut Blocks>) -> Result<(), NodeError> {
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    let requests = found.requests.into_iter().map(|request| QueueChange::put(request, now)).collect();
    node.change_queue(requests).await?;
    let Some(genesis) = found.genesis else {
        tracing::warn!(
            "the genesis block is lost; it will be fetched from the tracker, and the history from other peers"
        );
        return Ok(());
    };
    node.found(genesis).await?;
    // Everybody has these already, or will ask.
    let origin = Origin::Member(node.identity().address());
    let (mut taken, mut refused) = (0, 0);
    if let Some(blocks) = blocks {
        while let Some(block) = blocks.next().await {
            match take_block(node, block, origin).await {
                Ok(BlockOutcome::Accepted | BlockOutcome::Stored | BlockOutcome::Known) => taken += 1,
                Ok(BlockOutcome::Unkept | BlockOutcome::Orphan | BlockOutcome::Later)
                | Err(NodeError::Block(_) | NodeError::KnownInvalid { .. }) => refused += 1,
                Err(error) => return Err(error),
            }
        }
    }
    let mut pending = 0;
    for batch in found.pending.chunks(BATCH) {
        let offers = batch.iter().map(|one| Incoming { transaction: one.clone(), message: None }).collect();
        pending += node.submit(offers, origin).await?.iter().filter(|outcome| outcome.is_ok()).count();
    }
    tracing::info!(blocks = taken, refused, pending, "what is sound has been taken over");
    Ok(())
}

/// A block of any branch: the rules alone decide.
async fn take_block(node: &Node, block: Block<Unchecked>, origin: Origin) -> Result<BlockOutcome, NodeError> {
    let verified = node.verify_block(block).await?;
    node.hand_in(verified, origin).await?.outcome().await
}
