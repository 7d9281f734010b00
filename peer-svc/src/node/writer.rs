//! The one writer: it takes all commands that wait, checks each against the state with what came before it in the batch,
//! commits once, publishes the new state, and answers.
//!
//! If the commit fails, the draft is dropped: nothing has changed, and everybody in the batch is told. `command` says what it is
//! asked to do, and `execute` what each of that does.

use std::{future::Future, sync::Arc, time::Duration};

use raclette_chain::address::Address;
use raclette_service::{
    clock::now_ms,
    crash_point::crash_point,
    events::{Appended, Log},
};
use sqlx::SqliteConnection;

use super::{
    NodeError, Storage, WriterEnds,
    command::{Command, Reply, refuse_all},
    draft::Draft,
    execute::execute,
    storage::try_room,
};
use crate::store::{self, StoreError, tidying::Tidying};

/// How many commands share a commit at most.
const BATCH: usize = 256;

/// How long nobody must have asked for anything before the file is tidied.
const PAUSE: Duration = Duration::from_millis(20);

/// How often a full disk is tried again.
const TRY_ROOM: Duration = Duration::from_secs(1);

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
