//! Reorganisations: what lost, to what, and what became of its transactions; and the alarm for deep ones.

use std::{collections::HashMap, sync::Arc};

use raclette_chain::{
    address::Address,
    block::{Block, Checked},
    hash::{BlockHash, TransactionId},
    index::Path,
    ledger::LedgerError,
    transaction::SignedTransaction,
};
use sqlx::SqliteConnection;

use super::{Node, NodeError, State, draft::Draft, lives::reason};
use crate::store::{
    self, StoreError,
    events::{Event, Kind, LostBlock, NewEvent},
    reorgs::Reorg,
};

/// A reorganisation that takes off more blocks than this raises an alarm.
pub(super) const ALARM_DEPTH: u32 = 6;

/// For how long the alarm is shown, in milliseconds: a day.
const ALARM_PERIOD: u64 = 24 * 3_600_000;

/// A deep reorganisation, for whoever looks at how the peer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// Its number in the journal.
    pub reorg: i64,
    /// When it happened, in milliseconds since 1970.
    pub time: u64,
    /// How many blocks were taken off.
    pub depth: u32,
}

impl Alarm {
    /// What an alarm about this reorganisation in the journal would say.
    #[must_use]
    pub fn of(id: i64, reorg: &Reorg) -> Self {
        Self { reorg: id, time: reorg.time, depth: depth(reorg.lost.len()) }
    }

    /// Whether it is deep enough for an alarm.
    #[must_use]
    pub fn is_deep(&self) -> bool {
        self.depth > ALARM_DEPTH
    }
}

fn depth(blocks: usize) -> u32 {
    u32::try_from(blocks).unwrap_or(u32::MAX)
}

/// How many transactions of the winning branch are looked at to tell what took whose place: a bound for the memory.
const MOST_WINNERS: usize = 100_000;

/// A reorganisation in the making. Nothing is noted of a branch that only grows.
#[derive(Debug)]
pub(super) struct Reorganisation {
    reorg: Reorg,
    events: Vec<NewEvent>,
    /// When each block that lost had become active.
    connected: HashMap<BlockHash, Option<u64>>,
    /// Since when transactions of the blocks that lost had been pending before.
    since: HashMap<TransactionId, u64>,
    /// Transactions of the winning branch, by sender and sequence number.
    winners: HashMap<(Address, u64), TransactionId>,
}

impl Reorganisation {
    /// The way from the tip to another, at `now` (milliseconds since 1970).
    pub(super) fn new(state: &State, path: &Path, now: u64) -> Self {
        let tip = state.tip();
        let height = tip.header.height.saturating_sub(depth(path.disconnect.len()));
        let ancestor = state.index.at(height).map_or(tip.hash, |entry| entry.hash);
        let lost: Vec<_> = path.disconnect.iter().rev().copied().collect();
        // Most often a branch only grows: then there is nothing to note.
        let won = if lost.is_empty() { Vec::new() } else { path.connect.clone() };
        let reorg = Reorg { time: now, ancestor, height, lost, won, returned: 0, moved: 0, refused: 0 };
        Self { reorg, events: Vec::new(), connected: HashMap::new(), since: HashMap::new(), winners: HashMap::new() }
    }

    /// When it happens, in milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.reorg.time
    }

    /// Reads what the rows of a block say that is about to be taken off.
    pub(super) async fn loses(
        &mut self,
        connection: &mut SqliteConnection,
        hash: &BlockHash,
        height: u32,
    ) -> Result<(), StoreError> {
        let connected = store::blocks::connected(&mut *connection, hash).await?;
        self.connected.insert(*hash, connected);
        self.since.extend(store::places::pending_since(connection, height).await?);
        Ok(())
    }

    /// Looks at a block of the winning branch.
    pub(super) fn wins(&mut self, block: &Block<Checked>) {
        if self.winners.len() < MOST_WINNERS {
            let all = block.transactions().iter();
            self.winners.extend(all.map(|one| ((one.sender(), one.transaction().sequence), one.id())));
        }
    }

    /// The transaction of the winning branch that has this one's sequence number, if one was looked at.
    pub(super) fn winner(&self, transaction: &SignedTransaction) -> Option<TransactionId> {
        self.winners.get(&(transaction.sender(), transaction.transaction().sequence)).copied()
    }

    /// A transaction of a block that lost goes back into the ledger.
    pub(super) fn returns(&mut self, block: &Block<Checked>, transaction: &SignedTransaction) {
        self.reorg.returned += 1;
        let event = self.event(block, transaction, Kind::Returned);
        self.push(event, None);
    }

    /// A transaction of a block that lost does not go back: the winning branch holds it too, or something keeps it out.
    pub(super) fn stays_out(
        &mut self,
        block: &Block<Checked>,
        transaction: &Arc<SignedTransaction>,
        error: &LedgerError,
    ) {
        let winner = self.winner(transaction);
        if winner == Some(transaction.id()) {
            self.reorg.moved += 1;
            let event = self.event(block, transaction, Kind::Moved);
            return self.push(event, None);
        }
        self.reorg.refused += 1;
        let refused = self.event(block, transaction, Kind::Refused);
        let event = Event { other: winner, reason: Some(reason(error)), ..refused };
        self.push(event, Some(Arc::clone(transaction)));
    }

    fn event(&self, block: &Block<Checked>, transaction: &SignedTransaction, kind: Kind) -> Event {
        let (id, hash) = (transaction.id(), block.hash());
        let connected = self.connected.get(&hash).copied().flatten();
        let lost = Some(LostBlock { hash, connected, since: self.since.get(&id).copied() });
        Event { id, time: self.now(), kind, lost, since: None, other: None, reason: None, reorg: None }
    }

    fn push(&mut self, event: Event, transaction: Option<Arc<SignedTransaction>>) {
        // More are not kept anyway.
        if self.events.len() < usize::try_from(store::events::KEPT).unwrap_or(usize::MAX) {
            self.events.push((event, transaction));
        }
    }

    /// Writes it into the journal, and raises the alarm if it is deep.
    pub(super) async fn note(mut self, connection: &mut SqliteConnection, draft: &mut Draft) -> Result<(), StoreError> {
        if self.reorg.lost.is_empty() {
            return Ok(());
        }
        let id = store::reorgs::insert(connection, &self.reorg).await?;
        for (event, _) in &mut self.events {
            event.reorg = Some(id);
        }
        draft.happened(self.events);
        let alarm = Alarm::of(id, &self.reorg);
        if alarm.is_deep() {
            tracing::warn!(
                depth = alarm.depth,
                reorg = id,
                "a deep reorganisation: blocks that seemed settled were replaced; see GET /reorgs"
            );
            if let Some(state) = draft.state.as_mut() {
                state.alarm = Some(alarm);
            }
        }
        Ok(())
    }
}

/// A reorganisation as the journal shows it.
#[derive(Debug, Clone)]
pub struct ReorgEntry {
    /// Its number.
    pub id: i64,
    /// What lost to what.
    pub reorg: Reorg,
    /// The first transactions that went back into the ledger.
    pub returned: Vec<Event>,
    /// The first that the winning branch holds too.
    pub moved: Vec<Event>,
    /// The first that something keeps out.
    pub refused: Vec<Event>,
}

impl Node {
    /// The journal of reorganisations, newest first, those older than number `before`; of each the first `transactions` of
    /// each kind.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn reorgs(&self, before: i64, limit: u32, transactions: u32) -> Result<Vec<ReorgEntry>, NodeError> {
        let mut entries = Vec::new();
        for (id, reorg) in store::reorgs::page(&self.readers, before, limit).await? {
            let of = |kind| store::events::of_reorg(&self.readers, id, kind, transactions);
            let (returned, moved, refused) =
                (of(Kind::Returned).await?, of(Kind::Moved).await?, of(Kind::Refused).await?);
            entries.push(ReorgEntry { id, reorg, returned, moved, refused });
        }
        Ok(entries)
    }

    /// How many reorganisations this peer has ever been through.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn reorgs_ever(&self) -> Result<u64, NodeError> {
        Ok(store::reorgs::total(&self.readers).await?)
    }

    /// The newest deep reorganisation, if it happened less than a day before `now` (milliseconds since 1970).
    #[must_use]
    pub fn alarm(&self, now: u64) -> Option<Alarm> {
        let alarm = self.state.borrow().as_ref()?.alarm?;
        (now.saturating_sub(alarm.time) < ALARM_PERIOD).then_some(alarm)
    }
}
