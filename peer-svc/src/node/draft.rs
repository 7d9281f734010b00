//! What a batch of commands changes, before it is committed: a copy of the state, and the rows to write.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use raclette_api::event::{EventBody, TransactionStep};
use raclette_chain::{
    accounts::Account,
    address::Address,
    block::{Block, Checked},
    genesis::Genesis,
    hash::{BlockHash, MessageDigest, TransactionId},
    ledger::{Added, Removal, Removed},
    message::SealedMessage,
    transaction::SignedTransaction,
};
use raclette_service::{
    events::Entry,
    queue::{self, QueueChange},
};
use sqlx::SqliteConnection;

use super::{
    DELIVERY, Event, RELAYED_TRANSACTION, State,
    checksum::Checksum,
    lives::{Left, overtaken},
    told,
};
use crate::store::{self, StoreError, events::NewEvent, ledger::NewRow, meta};

/// Changes of one batch.
#[derive(Debug)]
pub(super) struct Draft {
    /// The state before the batch.
    before: Option<State>,
    /// The state with the changes.
    pub(super) state: Option<State>,
    /// The owner's address.
    pub(super) owner: Address,
    /// Now, in milliseconds since 1970.
    pub(super) now: u64,
    /// What happened, for this peer's own tasks after the commit.
    pub(super) events: Vec<Event>,
    /// What happened, for everybody, to be stored in the same commit.
    pub(super) told: Vec<Entry>,
    accounts: HashMap<Address, Account>,
    /// Blocks that came, or got on or off the active branch, or turned out invalid.
    blocks: Vec<BlockHash>,
    /// The last word about each pending transaction: to be stored, or to be deleted.
    ledger: HashMap<TransactionId, Option<NewRow>>,
    messages: Vec<(MessageDigest, Arc<SealedMessage>)>,
    mail: Vec<Arc<SignedTransaction>>,
    /// The last word about each of the owner's sequence numbers: what is to be offered again.
    waiting: BTreeMap<u64, Option<Arc<SignedTransaction>>>,
    replaced: Vec<(TransactionId, TransactionId)>,
    /// Transactions that can be in no block any more, or whose number goes to another one.
    void: Vec<TransactionId>,
    /// Transactions that had been pending, and that a block holds now.
    known_to_all: Vec<TransactionId>,
    happened: Vec<NewEvent>,
}

impl Draft {
    pub(super) fn new(state: Option<State>, owner: Address, now: u64) -> Self {
        Self {
            before: state.clone(),
            state,
            owner,
            now,
            events: Vec::new(),
            told: Vec::new(),
            accounts: HashMap::new(),
            blocks: Vec::new(),
            ledger: HashMap::new(),
            messages: Vec::new(),
            mail: Vec::new(),
            waiting: BTreeMap::new(),
            replaced: Vec::new(),
            void: Vec::new(),
            known_to_all: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// Tells what happened.
    pub(super) fn tell(&mut self, body: &EventBody) {
        self.told.push(Entry::new(self.now, body));
    }

    /// Tells what happened before all that was told since there were `place` entries.
    pub(super) fn tell_at(&mut self, place: usize, body: &EventBody) {
        self.told.insert(place, Entry::new(self.now, body));
    }

    /// Changes the queue, and tells what that means for a delivery. Returns how many rows it touched.
    pub(super) async fn queue(
        &mut self,
        connection: &mut SqliteConnection,
        change: &QueueChange,
    ) -> Result<u64, StoreError> {
        let (touched, event) = change.apply_and_tell(connection).await?;
        if let Some(event) = event {
            self.tell(&EventBody::Delivery(event));
        }
        Ok(touched)
    }

    /// Notes accounts to be written.
    pub(super) fn accounts(&mut self, changed: impl IntoIterator<Item = (Address, Account)>) {
        self.accounts.extend(changed);
    }

    /// Notes blocks that stand otherwise in the index now.
    pub(super) fn blocks(&mut self, changed: impl IntoIterator<Item = BlockHash>) {
        self.blocks.extend(changed);
    }

    /// Notes a transaction that is now pending, new or again.
    pub(super) fn pending(&mut self, transaction: &Arc<SignedTransaction>, step: TransactionStep, unrelayed: bool) {
        self.tell(&told::transaction(transaction, step, None));
        let row = NewRow { transaction: Arc::clone(transaction), received: self.now, unrelayed };
        self.ledger.insert(transaction.id(), Some(row));
    }

    /// Notes a transaction that is no longer pending, and why.
    pub(super) fn not_pending(&mut self, transaction: &SignedTransaction, step: TransactionStep) {
        self.tell(&told::transaction(transaction, step, None));
        self.ledger.insert(transaction.id(), None);
    }

    /// Notes the transactions that a block of the active branch holds now.
    pub(super) fn confirmed(&mut self, block: &Block<Checked>) {
        // In a block the same addresses come again and again, and to write one takes a microsecond.
        let mut written = HashMap::new();
        let mut write = |address: Address| written.entry(address).or_insert_with(|| address.to_string()).clone();
        for transaction in block.transactions() {
            let height = Some(block.header().height);
            self.tell(&told::transaction_between(transaction, TransactionStep::Confirmed, height, &mut write));
        }
    }

    /// Notes that nobody has to be told of a transaction any more, since the block that holds it is told.
    pub(super) fn no_longer_news(&mut self, id: TransactionId) {
        self.known_to_all.push(id);
    }

    /// Notes that a transaction has no place in the ledger: what a losing block held, and another branch has overtaken.
    pub(super) fn leaves_ledger(&mut self, id: TransactionId) {
        self.ledger.insert(id, None);
    }

    /// Notes that a transaction is over: it is offered to nobody any more, its recipient included.
    pub(super) fn void(&mut self, id: TransactionId) {
        self.void.push(id);
    }

    /// Notes what had to leave the ledger for a newcomer.
    pub(super) fn made_way(&mut self, state: &mut State, added: &Added, newcomer: TransactionId) {
        if let Added::Accepted { replaced, evicted } = added {
            if let Some(gone) = replaced {
                self.not_pending(gone, TransactionStep::Replaced);
                self.void(gone.id());
                self.gone(gone, Left::Replaced(newcomer));
            }
            for gone in evicted {
                self.not_pending(gone, TransactionStep::Evicted);
                self.gone(gone, Left::Evicted(Some(newcomer)));
                self.wait(state, gone);
            }
        }
    }

    /// Notes a transaction that left the ledger; `winner` is the confirmed one that has its sequence number, if it is known.
    pub(super) fn left(&mut self, state: &mut State, removed: &Removed, winner: Option<TransactionId>) {
        let (step, offered_again) = match removed.why {
            // Another one has its number, or the money is gone: there is nothing to be offered again.
            Removal::Used | Removal::Unpaid => (TransactionStep::Dropped, false),
            Removal::TooOld | Removal::PastLastHeight => (TransactionStep::Expired, true),
            Removal::TooEarly => (TransactionStep::Evicted, true),
        };
        self.not_pending(&removed.transaction, step);
        // Another one has its number, or will have it, or its time is over; what is only too old may be signed anew.
        if matches!(removed.why, Removal::Used | Removal::Unpaid | Removal::PastLastHeight) {
            self.void(removed.transaction.id());
        }
        self.note_why(state, removed, winner);
        if offered_again {
            self.wait(state, &removed.transaction);
        }
    }

    /// Notes that a transaction is to be offered again, if it is the owner's.
    pub(super) fn wait(&mut self, state: &mut State, transaction: &Arc<SignedTransaction>) {
        if transaction.sender() == self.owner {
            let sequence = transaction.transaction().sequence;
            Arc::make_mut(&mut state.waiting).insert(sequence, Arc::clone(transaction));
            self.waiting.insert(sequence, Some(Arc::clone(transaction)));
        }
    }

    /// Notes that none with this sequence number is to be offered again.
    pub(super) fn wait_no_more(&mut self, state: &mut State, sequence: u64) {
        if state.waiting.contains_key(&sequence) {
            Arc::make_mut(&mut state.waiting).remove(&sequence);
            self.waiting.insert(sequence, None);
        }
    }

    /// Notes that the owner's sequence numbers below `next` are used.
    pub(super) fn wait_no_more_below(&mut self, state: &mut State, next: u64) {
        let used: Vec<u64> = state.waiting.range(..next).map(|(sequence, _)| *sequence).collect();
        for sequence in used {
            self.wait_no_more(state, sequence);
        }
    }

    /// Notes that a transaction was signed in place of another one.
    pub(super) fn replaced(&mut self, old: TransactionId, new: TransactionId) {
        self.replaced.push((old, new));
    }

    /// Notes what keeps a transaction out that is not, or no longer, pending.
    pub(super) fn gone(&mut self, transaction: &Arc<SignedTransaction>, why: Left<'_>) {
        self.happened.push((why.event(transaction, self.now), Some(Arc::clone(transaction))));
    }

    fn note_why(&mut self, state: &State, removed: &Removed, winner: Option<TransactionId>) {
        let transaction = &removed.transaction;
        match removed.why {
            Removal::Used | Removal::Unpaid => {
                let sender = transaction.sender();
                let (account, outgoing) = (state.account(&sender), state.ledger.outgoing(&sender));
                self.gone(transaction, Left::Refused(&overtaken(transaction, &account, outgoing), winner));
            }
            Removal::TooOld | Removal::PastLastHeight => {
                self.gone(transaction, Left::Expired { next_height: state.next_height() });
            }
            Removal::TooEarly => self.gone(transaction, Left::Evicted(None)),
        }
    }

    /// Notes what happened to transactions when branches changed.
    pub(super) fn happened(&mut self, events: impl IntoIterator<Item = NewEvent>) {
        self.happened.extend(events);
    }

    /// Notes a message to be stored.
    pub(super) fn message(&mut self, digest: MessageDigest, message: &Arc<SealedMessage>) {
        self.messages.push((digest, Arc::clone(message)));
    }

    /// Whether the owner sent or receives a transaction.
    pub(super) fn concerns_owner(&self, transaction: &SignedTransaction) -> bool {
        transaction.sender() == self.owner || transaction.transaction().recipient == self.owner
    }

    /// Notes a transaction for the owner's mail, if it concerns the owner.
    pub(super) fn mail(&mut self, transaction: &Arc<SignedTransaction>) {
        let is_sent = transaction.sender() == self.owner;
        let is_received = transaction.transaction().recipient == self.owner;
        if is_sent || is_received {
            self.mail.push(Arc::clone(transaction));
        }
        if is_received && !is_sent {
            self.events.push(Event::Received { transaction: Arc::clone(transaction) });
        }
    }

    /// Writes the rows: many to a statement.
    pub(super) async fn write(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        self.write_checksum(connection).await?;
        if !self.accounts.is_empty() {
            let changed = self.accounts.iter().map(|(address, account)| (*address, *account));
            store::accounts::write(connection, changed).await?;
        }
        // Before the ledger's rows go: since when a transaction was pending is read from them.
        store::events::insert(connection, &self.happened).await?;
        let mut gone = Vec::new();
        let mut rows = Vec::new();
        for (id, row) in &self.ledger {
            // A row that comes back after a reorganisation replaces the one that was there.
            gone.push(*id);
            rows.extend(row.clone());
        }
        if rows.len() < gone.len() {
            store::ledger::delete(connection, &gone).await?;
        }
        if rows.len() < gone.len() || !self.known_to_all.is_empty() {
            self.settle(connection).await?;
        }
        rows.sort_by_key(|row| (row.transaction.sender(), row.transaction.transaction().sequence));
        store::ledger::insert(connection, &rows).await?;
        store::ledger::insert_messages(connection, &self.messages).await?;
        let mail = std::mem::take(&mut self.mail);
        let mut new = store::mail::insert(connection, &mail, &self.owner, self.now).await?;
        for transaction in mail {
            if new.remove(&transaction.id()) && transaction.sender() != self.owner {
                self.tell(&told::message(&transaction));
            }
        }
        for (old, new) in &self.replaced {
            store::mail::replaced(connection, old, new).await?;
        }
        for (sequence, transaction) in &self.waiting {
            match transaction {
                Some(transaction) => store::waiting::put(connection, transaction).await?,
                None => store::waiting::delete(connection, *sequence).await?,
            }
        }
        Ok(())
    }

    /// Nobody has to be told any more of what is no longer pending; and its recipient need not get what can no longer be in a
    /// block.
    async fn settle(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        // Mostly nothing waits, and a block settles a thousand.
        if queue::sql::has_any(connection, RELAYED_TRANSACTION).await? {
            let left = self.ledger.iter().filter(|(_, row)| row.is_none()).map(|(id, _)| id);
            let subjects = left.chain(&self.known_to_all).map(TransactionId::to_string).collect();
            QueueChange::Settle { kind: RELAYED_TRANSACTION.to_owned(), subjects }.apply(connection).await?;
        }
        let subjects = self.void.iter().map(TransactionId::to_string).collect();
        QueueChange::Settle { kind: DELIVERY.to_owned(), subjects }.apply(connection).await?;
        Ok(())
    }

    /// Brings the checksum in step with accounts and blocks.
    async fn write_checksum(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let Some(after) = self.state.as_mut().filter(|_| !self.blocks.is_empty()) else { return Ok(()) };
        self.blocks.sort_unstable();
        self.blocks.dedup();
        let before = self.before.take().unwrap_or_else(|| State::new(Genesis::clone(&after.genesis)));
        after.checksum = Checksum::after(&before, after, self.accounts.keys(), self.blocks.iter());
        meta::set(connection, meta::key::CHECKSUM, &after.checksum.to_string()).await
    }
}
