//! The owner's transactions that left the ledger without a block: offered again, and signed anew where they expired, so that
//! no account is ever stuck.
//!
//! One that is signed anew keeps its sequence number. So it is paid once, whatever became of the old one, and nothing that
//! depends on it has to change: neither the ids of the transactions behind it nor any sealed message, which is bound to
//! sender, recipient, sequence number, amount and fee. What was behind it stays in the ledger, waiting for the gap to be
//! filled, or is offered again after it, in order.

use std::{sync::Arc, time::Duration};

use raclette_chain::{
    amount::Amount,
    hash::{MessageDigest, TransactionId},
    ledger::{LedgerError, is_expired},
    message::SealedMessage,
    rules::TransactionError,
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use raclette_service::{clock::now_ms, queue::QueueChange};

use super::{
    DELIVERY, Event, Node, NodeError, Origin, State,
    command::{Command, Offer},
};

/// How many transactions are offered to the writer at once.
const BATCH: usize = 100;
/// How many pending transactions are shown again at once; the next ones follow when these are confirmed.
const SHOWN: usize = 500;

/// What became of the owner's transactions that were waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tended {
    /// Back in the ledger as they were.
    pub offered: usize,
    /// Signed anew.
    pub signed_anew: usize,
    /// Given up, since they cannot be paid any more.
    pub given_up: usize,
    /// Not taken by the ledger now; they are offered again later.
    pub waiting: usize,
}

impl Node {
    /// Takes out of the ledger what has expired; how many left. It costs nothing if there is nothing.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn expire_ledger(&self) -> Result<usize, NodeError> {
        let state = self.state()?;
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        if state.left_out.is_empty() && !state.ledger.has_expired(state.next_height(), now) {
            return Ok(0);
        }
        self.ask(Command::Expire).await
    }

    /// Offers the owner's transactions again that left the ledger without a block, in order; those that expired are signed
    /// anew.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn offer_waiting(&self) -> Result<Tended, NodeError> {
        let mut tended = Tended::default();
        if self.state()?.waiting.is_empty() {
            return Ok(tended);
        }
        // Nobody may use one of their sequence numbers meanwhile.
        let _turn = self.sending.lock().await;
        let waiting: Vec<_> = self.state()?.waiting.values().cloned().collect();
        for batch in waiting.chunks(BATCH) {
            let state = self.state()?;
            let mut offers = Vec::with_capacity(batch.len());
            for old in batch {
                offers.push(self.renewed(old, &state).await?);
            }
            let news: Vec<_> = offers.iter().map(|offer| Arc::clone(&offer.transaction)).collect();
            let outcomes = self.offer(offers).await?;
            for ((old, new), outcome) in batch.iter().zip(news).zip(outcomes) {
                match outcome {
                    Ok(_) if new.id() == old.id() => tended.offered += 1,
                    Ok(_) => {
                        tended.signed_anew += 1;
                        tracing::info!(old = %old.id(), new = %new.id(), "an expired transaction of the owner is signed anew");
                    }
                    Err(NodeError::Ledger(error)) => self.not_taken(old, &error, &mut tended).await?,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(tended)
    }

    /// The same transaction, to be offered again: as it is, or signed anew if nobody takes it any more as it is.
    async fn renewed(&self, old: &Arc<SignedTransaction>, state: &State) -> Result<Offer, NodeError> {
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        let message = self.message(old).await?.map(Arc::new);
        if is_expired(old.transaction(), state.next_height(), now) {
            let content = Transaction { created: now, valid_until: 0, ..old.transaction().clone() };
            return self.signed_instead(old.id(), content, message, state).await;
        }
        Ok(Offer {
            transaction: Arc::clone(old),
            message,
            origin: Origin::Local,
            registered: true,
            deliveries: Vec::new(),
            replaces: None,
            keyed: None,
        })
    }

    /// Signs a transaction in place of an old one, whose delivery ends and whose mail says so.
    async fn signed_instead(
        &self,
        old: TransactionId,
        content: Transaction,
        message: Option<Arc<SealedMessage>>,
        state: &State,
    ) -> Result<Offer, NodeError> {
        let (key, network) = (Arc::clone(&self.identity().key), state.rules.network);
        let sign = move || content.sign(&key, &network);
        let new = tokio::task::spawn_blocking(sign).await.map_err(|_| NodeError::ShuttingDown)?;
        self.verified.insert([new.leaf()]);
        let mut deliveries = self.delivery(&new, message.as_deref(), now_ms());
        deliveries.push(QueueChange::Supersede {
            destination: new.transaction().recipient,
            kind: DELIVERY.into(),
            subject: old.to_string(),
            version: u64::MAX >> 1,
        });
        Ok(Offer {
            transaction: Arc::new(new),
            message,
            origin: Origin::Local,
            registered: true,
            deliveries,
            replaces: Some(old),
            keyed: None,
        })
    }

    /// What to do with a transaction that the ledger does not take back.
    async fn not_taken(
        &self,
        old: &Arc<SignedTransaction>,
        error: &LedgerError,
        tended: &mut Tended,
    ) -> Result<(), NodeError> {
        let sequence = old.transaction().sequence;
        match error {
            // Another one has its place.
            LedgerError::SequenceUsed { .. } | LedgerError::FeeTooLowToReplace { .. } => {
                self.wait_no_more(sequence).await
            }
            // It expired meanwhile: the next round signs it anew.
            LedgerError::Rule(TransactionError::Expired { .. })
            | LedgerError::FromTheFuture { .. }
            | LedgerError::TooOld { .. }
            | LedgerError::TooEarly { .. }
            | LedgerError::TooMany { .. }
            | LedgerError::FreeForMembersOnly
            | LedgerError::TooManyFree { .. }
            | LedgerError::Full { .. } => {
                tracing::info!(id = %old.id(), %error, "a transaction of the owner has to wait");
                tended.waiting += 1;
                Ok(())
            }
            // There is no money for it: whatever is behind it shall not wait for ever.
            LedgerError::InsufficientFunds { .. } | LedgerError::Rule(_) => {
                tracing::warn!(id = %old.id(), %error, "a transaction of the owner is given up");
                tended.given_up += 1;
                self.wait_no_more(sequence).await?;
                self.fill_gap(old).await
            }
        }
    }

    async fn wait_no_more(&self, sequence: u64) -> Result<(), NodeError> {
        self.ask(|answer| Command::WaitNoMore(sequence, answer)).await
    }

    /// If others of the owner's transactions are behind one that was given up, a transfer of nothing to oneself takes its
    /// place.
    async fn fill_gap(&self, given_up: &SignedTransaction) -> Result<(), NodeError> {
        let (state, owner) = (self.state()?, self.identity().address());
        let content = given_up.transaction();
        let last = state.ledger.of(&owner).last().map(|last| last.transaction().sequence);
        let waits = state.waiting.range(content.sequence + 1..).next().is_some();
        if !waits && last.is_none_or(|last| last < content.sequence) {
            return Ok(());
        }
        let nothing = Transaction {
            recipient: owner,
            amount: Amount::ZERO,
            fee: state.rules.parameters.minimum_fee,
            created: Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX),
            valid_until: 0,
            message_digest: MessageDigest::ZERO,
            message_length: 0,
            ..content.clone()
        };
        let mut offer = self.signed_instead(given_up.id(), nothing, None, &state).await?;
        let id = offer.transaction.id();
        offer.deliveries.retain(|change| matches!(change, QueueChange::Supersede { .. }));
        if let Some(Err(error)) = self.offer(vec![offer]).await?.pop() {
            // The next payment of the owner will fill the gap.
            tracing::warn!(%id, %error, "nothing takes the place of a transaction that was given up");
        }
        Ok(())
    }

    /// Shows the owner's pending transactions again that were made before `made_before`, the first ones first, to everybody
    /// but their recipients: others may have forgotten them. Returns how many.
    ///
    /// # Errors
    /// When their messages cannot be read.
    pub async fn show_pending(&self, made_before: Timestamp) -> Result<usize, NodeError> {
        let state = self.state()?;
        let owner = self.identity().address();
        let pending = state.ledger.of(&owner).filter(|one| one.transaction().created < made_before);
        let shown: Vec<_> = pending.take(SHOWN).cloned().collect();
        let count = shown.len();
        for transaction in shown {
            let message = self.message(&transaction).await?.map(Arc::new);
            // As from the owner itself: the recipient need not be asked first once more, its delivery has a row of its own.
            let origin = Origin::Member(owner);
            // Nobody listening is no failure.
            let _ = self.events.send(Event::Transaction { transaction, message, origin, relay: true, request: None });
        }
        Ok(count)
    }
}

/// How often pending transactions of the owner are shown again.
pub const SHOW_AGAIN: Duration = Duration::from_secs(600);
