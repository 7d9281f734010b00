//! Transactions on their way into the ledger.

use std::sync::Arc;

use raclette_api::event::TransactionStep;
use raclette_chain::{
    hash::TransactionId,
    ledger::Added,
    message::SealedMessage,
    rules::{Rules, TransactionError, check_message},
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::{clock::now_ms, request_id::RequestId};
use sqlx::SqliteConnection;

use super::{
    Event, Node, NodeError, Origin, State,
    command::{Command, Offer},
    draft::Draft,
    lives::Left,
};
use crate::store::{self, StoreError};

/// What became of a transaction that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// It is pending now, and stored.
    Accepted,
    /// It was pending already.
    Known,
    /// A block of the active branch holds it.
    Confirmed,
}

/// A transaction as it came, before anything about it has been checked.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The transaction.
    pub transaction: SignedTransaction,
    /// Its message, if it came along.
    pub message: Option<SealedMessage>,
}

impl Node {
    /// Takes transactions into the ledger: cheap checks, then the signatures (on blocking threads, bounded), then the
    /// writer. The outcomes are in the order of the transactions, and all that are good are committed when this returns.
    ///
    /// # Errors
    /// The outer error concerns all of them: not ready, shutting down, no storage.
    pub async fn submit(
        &self,
        incoming: Vec<Incoming>,
        origin: Origin,
    ) -> Result<Vec<Result<TransactionOutcome, NodeError>>, NodeError> {
        self.has_room()?;
        let state = self.state()?;
        let offers: Vec<Offer> = incoming
            .into_iter()
            .map(|one| {
                let registered = self.members().is_registered(&one.transaction.sender())
                    || one.transaction.sender() == self.identity().address();
                Offer {
                    transaction: Arc::new(one.transaction),
                    message: one.message.map(Arc::new),
                    origin,
                    registered,
                    deliveries: Vec::new(),
                    replaces: None,
                    keyed: None,
                }
            })
            .collect();
        // One verdict each, by position: the same transaction may come twice, with different messages.
        let mut verdicts = cheap_checks(&offers, &state);
        self.verify(&offers, &mut verdicts, Arc::clone(&state.rules)).await?;
        drop(state);
        let mut good = Vec::with_capacity(offers.len());
        for (offer, verdict) in offers.into_iter().zip(&verdicts) {
            if verdict.is_ok() {
                good.push(offer);
            }
        }
        let mut outcomes = if good.is_empty() { Vec::new() } else { self.offer(good).await? }.into_iter();
        let outcome_of = |verdict: Result<(), NodeError>| match verdict {
            Ok(()) => outcomes.next().unwrap_or(Err(NodeError::ShuttingDown)),
            Err(error) => Err(error),
        };
        Ok(verdicts.into_iter().map(outcome_of).collect())
    }

    /// Hands verified transactions to the writer.
    pub(super) async fn offer(
        &self,
        offers: Vec<Offer>,
    ) -> Result<Vec<Result<TransactionOutcome, NodeError>>, NodeError> {
        self.ask(|answer| Command::Offers(offers, RequestId::current(), answer)).await
    }

    /// Verifies messages, and the signatures that were not verified before, of those that nothing speaks against yet.
    async fn verify(
        &self,
        offers: &[Offer],
        verdicts: &mut [Result<(), NodeError>],
        rules: Arc<Rules>,
    ) -> Result<(), NodeError> {
        let mut open = Vec::new();
        for (position, offer) in offers.iter().enumerate().filter(|(position, _)| verdicts[*position].is_ok()) {
            let known = self.verified.contains(&offer.transaction.leaf());
            // A signature says nothing about the message that happens to come along this time.
            if !known || offer.message.is_some() {
                open.push((position, Arc::clone(&offer.transaction), offer.message.clone(), known));
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let judge = move |(position, transaction, message, known): (_, Arc<SignedTransaction>, Option<Arc<_>>, _)| {
            let message_fits = message.map_or(Ok(()), |message| check_message(&transaction, &message, &rules));
            let verdict = message_fits.and_then(|()| {
                if known { Ok(()) } else { transaction.verify(&rules.network).map_err(TransactionError::Signature) }
            });
            (position, transaction.leaf(), verdict)
        };
        let judged = self.verifier.map(open, judge).await.ok_or(NodeError::ShuttingDown)?;
        self.verified.insert(judged.iter().filter(|(_, _, verdict)| verdict.is_ok()).map(|(_, leaf, _)| *leaf));
        for (position, _, verdict) in judged {
            verdicts[position] = verdict.map_err(NodeError::from);
        }
        Ok(())
    }

    /// Takes a message that came without its transaction, if it is the one the transaction commits to.
    ///
    /// # Errors
    /// When it is another, or cannot be stored.
    pub async fn submit_message(
        &self,
        transaction: &SignedTransaction,
        message: SealedMessage,
    ) -> Result<(), NodeError> {
        let rules = Arc::clone(&self.state()?.rules);
        check_message(transaction, &message, &rules)?;
        let digest = transaction.transaction().message_digest;
        self.ask(|answer| Command::Message(digest, Arc::new(message), answer)).await
    }
}

/// What can be said against transactions without any arithmetic on big numbers.
fn cheap_checks(offers: &[Offer], state: &State) -> Vec<Result<(), NodeError>> {
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    let check = |offer: &Offer| {
        let account = state.account(&offer.transaction.sender());
        state.ledger.check_early(&offer.transaction, &account, &state.context(now, offer.registered))
    };
    offers.iter().map(|offer| check(offer).map_err(NodeError::from)).collect()
}

/// Adds offers to the ledger of a draft. A message is kept even if its transaction is known: it may have come alone.
pub(super) async fn add_all(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    offers: Vec<Offer>,
    request: Option<&RequestId>,
) -> Result<Vec<Result<TransactionOutcome, NodeError>>, StoreError> {
    let mut outcomes = Vec::with_capacity(offers.len());
    for offer in offers {
        outcomes.push(add(connection, draft, offer, request).await?);
    }
    Ok(outcomes)
}

async fn add(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    offer: Offer,
    request: Option<&RequestId>,
) -> Result<Result<TransactionOutcome, NodeError>, StoreError> {
    let Some(mut state) = draft.state.take() else {
        return Ok(Err(NodeError::NotReady { waiting_for: "the network's genesis block" }));
    };
    let result = add_to(connection, draft, &mut state, offer, request).await;
    draft.state = Some(state);
    result
}

async fn add_to(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    state: &mut super::State,
    offer: Offer,
    request: Option<&RequestId>,
) -> Result<Result<TransactionOutcome, NodeError>, StoreError> {
    let id = offer.transaction.id();
    // Whoever took the key may have gone away before this commit, and another request come in its place.
    if let Some(keyed) = &offer.keyed
        && store::idempotency::get(&mut *connection, keyed.key()).await?.is_some()
    {
        return Ok(Err(NodeError::KeyInUse { key: keyed.key().to_owned() }));
    }
    let account = state.account(&offer.transaction.sender());
    let digest = offer.transaction.transaction().message_digest;
    // Only a sequence number that is used can belong to a confirmed transaction: no look-up for the others.
    if offer.transaction.transaction().sequence < account.next_sequence && is_confirmed(connection, &id).await? {
        if let Some(message) = &offer.message {
            draft.message(digest, message);
        }
        return Ok(Ok(TransactionOutcome::Confirmed));
    }
    let now = Timestamp::new(draft.now).unwrap_or(Timestamp::MAX);
    let context = super::state::state_context(&state.rules, &state.index, now, offer.registered);
    let added = match state.ledger.add(Arc::clone(&offer.transaction), &account, &context) {
        Ok(added) => added,
        Err(error) => {
            // Its owner may ask later what became of it; strangers' are not remembered. What is offered again and again has
            // its reason from when it left.
            let is_offered_again = state.waiting.contains_key(&offer.transaction.transaction().sequence);
            if offer.transaction.sender() == draft.owner && !is_offered_again {
                draft.gone(&offer.transaction, Left::Refused(&error, None));
            }
            return Ok(Err(error.into()));
        }
    };
    if let Some(message) = &offer.message {
        draft.message(digest, message);
    }
    if offer.transaction.sender() == draft.owner {
        draft.wait_no_more(state, offer.transaction.transaction().sequence);
    }
    if added == Added::Known {
        return Ok(Ok(TransactionOutcome::Known));
    }
    draft.made_way(state, &added, id);
    if let Some(old) = offer.replaces {
        draft.replaced(old, id);
    }
    // The recipient passes on what it got; everybody passes on what came from outside of the network.
    let is_recipient = offer.transaction.transaction().recipient == draft.owner;
    let relay = is_recipient || offer.origin == Origin::Local;
    draft.pending(&offer.transaction, TransactionStep::Accepted, relay);
    draft.mail(&offer.transaction);
    for change in &offer.deliveries {
        draft.queue(connection, change).await?;
    }
    if !offer.deliveries.is_empty() {
        // The drain has to know when the row is due, or it sleeps until its next sweep.
        draft.events.push(Event::Queued);
    }
    if let Some(keyed) = &offer.keyed {
        let noted = keyed.noted(id.to_string(), None);
        store::idempotency::insert(connection, &noted, store::idempotency::KEPT).await?;
    }
    draft.events.push(Event::Transaction {
        transaction: offer.transaction,
        message: offer.message,
        origin: offer.origin,
        relay,
        request: request.cloned(),
    });
    Ok(Ok(TransactionOutcome::Accepted))
}

/// Takes out of the ledger of a draft what has expired, and deletes the rows of what was not taken again at start.
pub(super) fn expire(draft: &mut Draft) -> usize {
    let Some(mut state) = draft.state.take() else { return 0 };
    let now = Timestamp::new(draft.now).unwrap_or(Timestamp::MAX);
    let left_out = std::mem::take(&mut state.left_out);
    for transaction in left_out.iter() {
        draft.not_pending(transaction, TransactionStep::Dropped);
        if transaction.transaction().sequence >= state.account(&transaction.sender()).next_sequence {
            draft.wait(&mut state, transaction);
        }
    }
    let expired = state.ledger.expire(state.next_height(), now);
    for removed in &expired {
        draft.left(&mut state, removed, None);
    }
    draft.state = Some(state);
    left_out.len() + expired.len()
}

async fn is_confirmed(connection: &mut SqliteConnection, id: &TransactionId) -> Result<bool, StoreError> {
    Ok(store::places::position(connection, id).await?.is_some())
}
