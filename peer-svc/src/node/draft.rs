//! What a batch of commands changes, before it is committed: a copy of the state, and the rows to write.

use std::{collections::HashMap, sync::Arc};

use raclette_chain::{
    accounts::Account,
    address::Address,
    hash::{MessageDigest, TransactionId},
    message::SealedMessage,
    transaction::SignedTransaction,
};
use sqlx::SqliteConnection;

use super::{Event, State};
use crate::store::{self, StoreError, ledger::NewRow};

/// Changes of one batch.
#[derive(Debug)]
pub(super) struct Draft {
    /// The state with the changes.
    pub(super) state: Option<State>,
    /// The owner's address.
    pub(super) owner: Address,
    /// Now, in milliseconds since 1970.
    pub(super) now: u64,
    /// What happened, to be published after the commit.
    pub(super) events: Vec<Event>,
    accounts: HashMap<Address, Account>,
    /// The last word about each pending transaction: to be stored, or to be deleted.
    ledger: HashMap<TransactionId, Option<NewRow>>,
    messages: Vec<(MessageDigest, Arc<SealedMessage>)>,
    mail: Vec<Arc<SignedTransaction>>,
}

impl Draft {
    pub(super) fn new(state: Option<State>, owner: Address, now: u64) -> Self {
        Self {
            state,
            owner,
            now,
            events: Vec::new(),
            accounts: HashMap::new(),
            ledger: HashMap::new(),
            messages: Vec::new(),
            mail: Vec::new(),
        }
    }

    /// Notes accounts to be written.
    pub(super) fn accounts(&mut self, changed: impl IntoIterator<Item = (Address, Account)>) {
        self.accounts.extend(changed);
    }

    /// Notes a transaction that is now pending.
    pub(super) fn pending(&mut self, transaction: &Arc<SignedTransaction>, unrelayed: bool) {
        let row = NewRow { transaction: Arc::clone(transaction), received: self.now, unrelayed };
        self.ledger.insert(transaction.id(), Some(row));
    }

    /// Notes a transaction that is no longer pending.
    pub(super) fn not_pending(&mut self, id: TransactionId) {
        self.ledger.insert(id, None);
    }

    /// Notes a message to be stored.
    pub(super) fn message(&mut self, digest: MessageDigest, message: &Arc<SealedMessage>) {
        self.messages.push((digest, Arc::clone(message)));
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
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        if !self.accounts.is_empty() {
            let changed = self.accounts.iter().map(|(address, account)| (*address, *account));
            store::accounts::write(connection, changed).await?;
        }
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
        rows.sort_by_key(|row| (row.transaction.sender(), row.transaction.transaction().sequence));
        store::ledger::insert(connection, &rows).await?;
        store::ledger::insert_messages(connection, &self.messages).await?;
        for transaction in &self.mail {
            let sent = transaction.sender() == self.owner;
            store::mail::insert(connection, transaction, sent, self.now).await?;
        }
        Ok(())
    }
}
