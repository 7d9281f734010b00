//! The owner's side of the node: what is owned, sending, and reading what was sent and received.

use std::{collections::HashMap, sync::Arc};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use raclette_api::{transaction::TransactionMessage, wallet::SendOrder};
use raclette_chain::{
    accounts::Account,
    address::Address,
    amount::Amount,
    hash::{MessageDigest, NetworkId, TransactionId},
    ledger::LedgerError,
    message::{OpenError, Reader, SealedMessage},
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use raclette_service::{
    clock::now_ms,
    crash_point::crash_point,
    planted::bug,
    queue::{QueueChange, QueuedRequest},
};

use super::{Keyed, Node, NodeError, Origin, State, TransactionPlace, command::Offer, opened::Opened};
pub use crate::store::mail::Order;
use crate::store::{
    self,
    mail::{Exchanged, Item},
};

/// How long the relay has to deliver a new transaction to its recipient before the queue tries too, in milliseconds.
const HEAD_START: u64 = 3_000;

/// The kind of queue rows that bring a transaction to its recipient.
pub const DELIVERY: &str = "delivery";
/// The kind of queue rows that bring a transaction to anybody else.
pub const RELAYED_TRANSACTION: &str = "transaction";
/// The kind of queue rows that bring a block to somebody.
pub const RELAYED_BLOCK: &str = "block";

/// What the owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The account after the tip.
    pub account: Account,
    /// What is confirmed and not on its way out.
    pub spendable: Amount,
    /// What pending transactions will bring.
    pub pending_in: Amount,
    /// What pending transactions cost.
    pub pending_out: Amount,
    /// The sequence number of the owner's next transaction.
    pub next_sequence: u64,
}

/// A transaction that the owner sent or received, with its message opened.
#[derive(Debug, Clone)]
pub struct MailItem {
    /// The stored item.
    pub item: Item,
    /// Where the transaction is now.
    pub place: TransactionPlace,
    /// The message; none if there is none, or it has not come yet.
    pub text: Option<Result<Arc<str>, OpenError>>,
    /// Whether it left the ledger and is to be offered again.
    pub waiting: bool,
}

/// What was exchanged with one counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correspondence {
    /// The other side.
    pub counterpart: Address,
    /// How many items there are.
    pub count: u64,
    /// How many of them the owner sent.
    pub sent: u64,
    /// How many of them are in the ledger.
    pub pending: u64,
    /// The number of the newest item.
    pub newest: i64,
    /// When this peer saw the newest item first, in milliseconds since 1970.
    pub last: u64,
}

impl Node {
    /// What an address has, confirmed and pending.
    #[must_use]
    pub fn balance(state: &State, address: &Address) -> Balance {
        let account = state.account(address);
        // What is to be offered again is as good as spent.
        let (pending, waiting) = (state.ledger.outgoing(address), state.waiting_cost(address));
        let pending_out = pending.checked_add(waiting).unwrap_or(Amount::MAX);
        Balance {
            account,
            spendable: account.balance.checked_sub(pending_out).unwrap_or(Amount::ZERO),
            pending_in: state.ledger.incoming(address),
            pending_out,
            next_sequence: state.next_sequence(address),
        }
    }

    /// Seals, signs and stores a transaction of the owner, with the row that brings it to its recipient in the same commit,
    /// and, if the request carries a key, with what came of it.
    ///
    /// # Errors
    /// When the recipient is unknown, the money is not there, or it cannot be stored.
    pub async fn send(&self, order: SendOrder, keyed: Option<&Keyed>) -> Result<Arc<SignedTransaction>, NodeError> {
        // From here until the ledger has it, nobody else may use the same sequence number.
        let _turn = self.sending.lock().await;
        self.has_room()?;
        let state = self.state()?;
        let recipient = self.recipient(&order.to)?;
        let owner = self.identity().address();
        let balance = Self::balance(&state, &owner);
        let fee = order.fee.unwrap_or(state.rules.parameters.minimum_fee);
        let needed = order.amount.checked_add(fee).unwrap_or(Amount::MAX);
        let Balance { account, pending_in, pending_out, .. } = balance;
        let no_funds =
            |confirmed, pending_out| NodeError::InsufficientFunds { needed, confirmed, pending_out, pending_in };
        if needed > balance.spendable {
            return Err(no_funds(account.balance, pending_out));
        }
        let created = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        let unsigned = Transaction {
            sender: self.identity().key.public().clone(),
            recipient,
            amount: order.amount,
            fee,
            sequence: balance.next_sequence,
            created,
            valid_until: 0,
            message_digest: MessageDigest::ZERO,
            message_length: 0,
        };
        let (transaction, message) = self.seal_and_sign(unsigned, order.message, &state).await?;
        let transaction = Arc::new(transaction);
        self.verified.insert([transaction.leaf()]);
        let deliveries = self.delivery(&transaction, message.as_deref(), now_ms());
        let offer = Offer {
            transaction: Arc::clone(&transaction),
            message,
            origin: Origin::Local,
            registered: true,
            deliveries,
            replaces: None,
            keyed: keyed.cloned(),
        };
        crash_point("send_signed", "signed");
        if bug("early_acknowledgement") && transaction.transaction().created.milliseconds().is_multiple_of(5) {
            return Ok(transaction);
        }
        let mut outcomes = self.offer(vec![offer]).await?;
        crash_point("send_stored", "stored");
        match outcomes.pop().unwrap_or(Err(NodeError::ShuttingDown)) {
            Ok(_) => Ok(transaction),
            Err(NodeError::Ledger(LedgerError::InsufficientFunds { confirmed, pending, .. })) => {
                Err(no_funds(confirmed, pending))
            }
            Err(error) => Err(error),
        }
    }

    /// Seals the message and signs, away from the async threads.
    async fn seal_and_sign(
        &self,
        mut transaction: Transaction,
        text: Option<String>,
        state: &State,
    ) -> Result<(SignedTransaction, Option<Arc<SealedMessage>>), NodeError> {
        let network = state.rules.network;
        let message = match text {
            Some(text) => {
                let sealed = self.seal(text, &transaction, network).await?;
                (transaction.message_digest, transaction.message_length) = sealed.digest(&network);
                Some(Arc::new(sealed))
            }
            None => None,
        };
        let key = Arc::clone(&self.identity().key);
        let signing = tokio::task::spawn_blocking(move || transaction.sign(&key, &network));
        Ok((signing.await.map_err(|_| NodeError::ShuttingDown)?, message))
    }

    /// Seals a text for recipient and sender of a transaction, away from the async threads.
    pub(super) async fn seal(
        &self,
        text: String,
        transaction: &Transaction,
        network: NetworkId,
    ) -> Result<SealedMessage, NodeError> {
        let recipient = self.known_key(&transaction.recipient);
        let recipient =
            recipient.ok_or_else(|| NodeError::RecipientKeyUnknown { address: transaction.recipient.to_string() })?;
        let (sender, binding) = (transaction.sender.clone(), transaction.binding(network));
        let sealing = move || SealedMessage::seal(&text, &recipient, &sender, &binding);
        Ok(tokio::task::spawn_blocking(sealing).await.map_err(|_| NodeError::ShuttingDown)??)
    }

    /// The row that keeps bringing a transaction to its recipient until its peer has acknowledged it.
    pub(super) fn delivery(
        &self,
        transaction: &SignedTransaction,
        message: Option<&SealedMessage>,
        now: u64,
    ) -> Vec<QueueChange> {
        let recipient = transaction.transaction().recipient;
        let Some(record) = self.members().get(&recipient) else {
            return Vec::new();
        };
        let Ok(body) = serde_json::to_vec(&TransactionMessage::new(transaction, message)) else {
            return Vec::new();
        };
        let url = self.members().neighbour(&recipient).map(|neighbour| neighbour.url).unwrap_or_default();
        let request = QueuedRequest {
            destination: recipient,
            destination_name: record.name,
            url,
            path: String::from("/tx"),
            kind: String::from(DELIVERY),
            subject: transaction.id().to_string(),
            version: 1,
            body,
            expires_at: None,
        };
        let now = Timestamp::new(now).unwrap_or(Timestamp::MAX);
        let next_at = now.saturating_add(std::time::Duration::from_millis(HEAD_START));
        vec![QueueChange::Put { request: Box::new(request), now, next_at, error: None }]
    }

    /// Whether the recipient's peer has acknowledged a transaction of the owner.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn is_delivered(&self, id: &TransactionId) -> Result<bool, NodeError> {
        let network = self.state()?.rules.network;
        let item = store::mail::get(&self.readers, &network, id).await?;
        Ok(item.is_some_and(|item| item.delivered.is_some()))
    }

    /// What the owner sent and received, newest first, with messages opened.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn mail(&self, before: i64, limit: u32) -> Result<Vec<MailItem>, NodeError> {
        let state = self.state()?;
        let items = store::mail::page(&self.readers, &state.rules.network, before, limit).await?;
        self.opened(items, &state).await
    }

    /// What was exchanged with each counterpart whose newest item is older than item `before`, the newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn conversations(&self, before: i64, limit: u32) -> Result<Vec<Correspondence>, NodeError> {
        let state = self.state()?;
        let exchanged = store::mail::conversations(&self.readers, before, limit).await?;
        let owner = self.identity().address();
        // A full ledger takes some milliseconds.
        let counting = tokio::task::spawn_blocking(move || pending_with(&state, &owner));
        let pending = counting.await.map_err(|_| NodeError::ShuttingDown)?;
        let with_pending = |Exchanged { counterpart, count, sent, newest, last }| {
            let pending = pending.get(&counterpart).copied().unwrap_or(0);
            Correspondence { counterpart, count, sent, pending, newest, last }
        };
        Ok(exchanged.into_iter().map(with_pending).collect())
    }

    /// What was exchanged with one counterpart behind item `cursor`, with messages opened.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn conversation(
        &self,
        counterpart: &Address,
        order: Order,
        cursor: Option<i64>,
        limit: u32,
    ) -> Result<Vec<MailItem>, NodeError> {
        let state = self.state()?;
        let cursor = cursor.unwrap_or(match order {
            Order::NewestFirst => i64::MAX,
            Order::OldestFirst => 0,
        });
        let network = &state.rules.network;
        let items = store::mail::conversation(&self.readers, network, counterpart, order, cursor, limit).await?;
        self.opened(items, &state).await
    }

    /// Opens as many messages at a time as there are processors: each keeps one busy for some milliseconds.
    async fn opened(&self, items: Vec<Item>, state: &State) -> Result<Vec<MailItem>, NodeError> {
        let at_once = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let opening = items.into_iter().map(|item| self.opened_one(item, state));
        stream::iter(opening).buffered(at_once).try_collect().await
    }

    async fn opened_one(&self, item: Item, state: &State) -> Result<MailItem, NodeError> {
        let place = self.place(state, &item.transaction.id()).await?;
        let text = self.text(&item).await?;
        let sequence = item.transaction.transaction().sequence;
        let waiting = state.waiting.get(&sequence).is_some_and(|one| one.id() == item.transaction.id());
        Ok(MailItem { item, place, text, waiting })
    }

    /// The text of a message of the owner, opened away from the async threads; none if there is none, or it has not come yet.
    async fn text(&self, item: &Item) -> Result<Option<Opened>, NodeError> {
        let digest = item.transaction.transaction().message_digest;
        let reader = if item.sent { Reader::Sender } else { Reader::Recipient };
        if let Some(known) = self.texts.get(digest, reader) {
            return Ok(Some(known));
        }
        let Some(message) = self.message(&item.transaction).await? else { return Ok(None) };
        let key = Arc::clone(&self.identity().key);
        let opening = tokio::task::spawn_blocking(move || message.open(&key, reader).map(Arc::from));
        let opened = opening.await.map_err(|_| NodeError::ShuttingDown)?;
        self.texts.put(digest, reader, opened.clone());
        Ok(Some(opened))
    }
}

/// How many transactions of each counterpart's are in the ledger, from the owner or to the owner.
fn pending_with(state: &State, owner: &Address) -> HashMap<Address, u64> {
    let mut pending = HashMap::new();
    for transaction in state.ledger.iter() {
        let (sender, recipient) = (transaction.sender(), transaction.transaction().recipient);
        let counterpart = match (sender == *owner, recipient == *owner) {
            (true, _) => recipient,
            (false, true) => sender,
            (false, false) => continue,
        };
        *pending.entry(counterpart).or_default() += 1;
    }
    pending
}
