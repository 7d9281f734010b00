//! Receipts: a recipient's signed word that its peer has a transaction with its message.
//!
//! A recipient signs when somebody asks, not when a transaction arrives: signing takes some fifty times as long as verifying.
//! What it has signed lately it remembers, and it signs one at a time, so that nobody keeps it busy. A sender stores what it
//! has verified in its mail.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use raclette_api::{PROTOCOL_VERSION, receipt::Receipt};
use raclette_chain::{
    hash::{NetworkId, TransactionId},
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::{clock::now_ms, planted::bug};
use tokio::sync::Semaphore;

use super::{ItemId, Mark, Node, NodeError, TransactionPlace, command::Command};
use crate::store::{self, mail::Item};

/// How many receipts that were signed are remembered.
const REMEMBERED: usize = 1_000;

/// Receipts that were signed lately.
#[derive(Debug)]
pub(super) struct Receipts {
    signed: Mutex<Signed>,
    turn: Semaphore,
}

#[derive(Debug, Default)]
struct Signed {
    receipts: HashMap<TransactionId, Receipt>,
    /// The oldest first.
    order: VecDeque<TransactionId>,
}

impl Default for Receipts {
    fn default() -> Self {
        Self { signed: Mutex::default(), turn: Semaphore::new(1) }
    }
}

impl Receipts {
    fn get(&self, id: &TransactionId) -> Option<Receipt> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner).receipts.get(id).cloned()
    }

    fn put(&self, id: TransactionId, receipt: Receipt) {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.receipts.insert(id, receipt).is_none() {
            signed.order.push_back(id);
        }
        if signed.order.len() > REMEMBERED
            && let Some(oldest) = signed.order.pop_front()
        {
            signed.receipts.remove(&oldest);
        }
    }
}

impl Item {
    /// The recipient's receipt as it is shown.
    #[must_use]
    pub fn receipt(&self, network: &NetworkId) -> Option<Receipt> {
        let (received, signature) = self.receipt.clone()?;
        Some(Receipt {
            protocol: PROTOCOL_VERSION,
            network_id: network.to_string(),
            transaction: self.transaction.id().to_string(),
            recipient: self.transaction.transaction().recipient.to_string(),
            received,
            signature,
        })
    }
}

impl Node {
    /// The receipt of a transaction: signed here if it is for the owner, and the recipient's if the owner sent it.
    ///
    /// # Errors
    /// There is none, or the file cannot be read.
    pub async fn receipt(&self, id: &TransactionId) -> Result<Receipt, NodeError> {
        let (transaction, _) = self.transaction(id).await?;
        let (owner, state) = (self.identity().address(), self.state()?);
        let network = state.rules.network;
        let is_sent = transaction.sender() == owner;
        if !is_sent && transaction.transaction().recipient != owner {
            return Err(NodeError::NoReceipt { id: *id });
        }
        let item = store::mail::get(self.readers(), &network, id).await?.ok_or(NodeError::NoReceipt { id: *id })?;
        if is_sent {
            return item.receipt(&network).ok_or(NodeError::NoReceipt { id: *id });
        }
        if transaction.transaction().message_length != 0 && self.message(&transaction).await?.is_none() {
            return Err(NodeError::MessageMissing { id: *id });
        }
        let received = Timestamp::new(item.received).unwrap_or(Timestamp::MAX);
        self.sign_receipt(id, received, network).await
    }

    async fn sign_receipt(
        &self,
        id: &TransactionId,
        received: Timestamp,
        network: NetworkId,
    ) -> Result<Receipt, NodeError> {
        if let Some(signed) = self.receipts.get(id) {
            return Ok(signed);
        }
        let _turn = self.receipts.turn.acquire().await.map_err(|_| NodeError::ShuttingDown)?;
        // Whoever waited for the same turn may have had it signed.
        if let Some(signed) = self.receipts.get(id) {
            return Ok(signed);
        }
        let (key, signed_id) = (Arc::clone(&self.identity().key), *id);
        let sign = move || Receipt::signed(&network, &signed_id, received, &key);
        let receipt = tokio::task::spawn_blocking(sign).await.map_err(|_| NodeError::ShuttingDown)?;
        self.receipts.put(*id, receipt.clone());
        Ok(receipt)
    }

    /// What the owner sent or received, if this transaction is of that kind.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn mail_item(&self, transaction: &SignedTransaction) -> Result<Option<Item>, NodeError> {
        let owner = self.identity().address();
        if transaction.sender() != owner && transaction.transaction().recipient != owner {
            return Ok(None);
        }
        let network = self.state()?.rules.network;
        Ok(store::mail::get(self.readers(), &network, &transaction.id()).await?)
    }

    /// Stores a receipt that was verified: the recipient's peer has the transaction, whatever was known before.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn receipted(&self, transaction: &SignedTransaction, receipt: Receipt) -> Result<(), NodeError> {
        let id = transaction.id();
        self.ask(|answer| Command::Receipted(id, Box::new(receipt), answer)).await?;
        let recipient = transaction.transaction().recipient;
        self.propagation().mark(ItemId::Transaction(id), recipient, Mark::Acknowledged, now_ms());
        Ok(())
    }

    /// The recipient's peer does not have a transaction of the owner: its delivery waits in the queue again, unless it waits
    /// there already, or cannot be in a block any more. Whether it is new there.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn deliver_again(&self, transaction: &SignedTransaction) -> Result<bool, NodeError> {
        let state = self.state()?;
        let dropped = matches!(self.place(&state, &transaction.id()).await?, TransactionPlace::Dropped);
        if dropped || bug("lost_rows") {
            return Ok(false);
        }
        let message = self.message(transaction).await?;
        let rows = self.delivery(transaction, message.as_ref(), now_ms());
        Ok(self.change_queue(rows).await?.into_iter().any(|touched| touched > 0))
    }
}
