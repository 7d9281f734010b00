//! The drain: sends what is due, for as long as the service lives.
//!
//! A reconciler: it takes no orders, it looks at the table. It looks when the bell of its [`QueueHandle`] rings, when a
//! request has ended, when the next row is due, and now and then in any case. It starts no tasks of its own; all requests
//! under way live in one set, and a slow one holds up nobody but the rows for the same destination.

mod book;
#[cfg(test)]
mod tests;

use std::{fmt, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use raclette_chain::{address::Address, time::Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::book::Book;
use super::{Backoff, Destination, QueueChange, QueueHandle, QueuedRequest, Row, Scope, Transport, Verdict, verdict};
use crate::{client::SendError, clock::Clock, crash_point::crash_point, dice::Dice, planted::bug};

/// How long a table that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The table, as the drain sees it; each service has its own way to write.
pub trait QueueStore: Send + Sync {
    /// Why the table could not be read or written.
    type Error: fmt::Display + Send;

    /// See [`super::sql::due`].
    fn due(
        &self,
        now: Timestamp,
        limit: u32,
        excluding: &[Address],
    ) -> impl Future<Output = Result<Vec<Row>, Self::Error>> + Send;

    /// See [`super::sql::next_due`].
    fn next_due(&self, excluding: &[Address]) -> impl Future<Output = Result<Option<Timestamp>, Self::Error>> + Send;

    /// Writes these changes in one transaction.
    fn change(&self, changes: Vec<QueueChange>) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Who is where.
pub trait Directory: Send + Sync {
    /// The connection details of the service with this key; none while it is offline or unknown.
    fn find(&self, address: &Address) -> Option<Destination>;
}

/// The drain's limits.
#[derive(Debug, Clone)]
pub struct DrainOptions {
    /// How many requests may be under way at once; there is never more than one for each destination.
    pub parallel: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The pace of repeated attempts.
    pub backoff: Backoff,
    /// How often the table is looked at and swept even if nothing happens.
    pub period: Duration,
    /// How many rows that may expire are kept for each destination.
    pub most_expiring: u32,
    /// How long requests under way may go on when the service stops.
    pub grace: Duration,
    /// The clock that says what is due.
    pub clock: Clock,
    /// The randomness of the pace.
    pub dice: Dice,
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self {
            parallel: 32,
            timeout: Duration::from_secs(15),
            backoff: Backoff::default(),
            period: Duration::from_secs(30),
            most_expiring: 10_000,
            grace: Duration::from_secs(2),
            clock: Clock::system(),
            dice: Dice::system(),
        }
    }
}

/// Sends what waits in the table until it has arrived.
#[derive(Debug)]
pub struct Drain<S, D, T> {
    store: S,
    directory: D,
    transport: T,
    handle: QueueHandle,
    options: DrainOptions,
}

/// How one attempt ended.
struct Outcome {
    row: Row,
    result: Result<(), Failure>,
}

/// Why an attempt failed.
enum Failure {
    /// The request did not arrive, or was refused.
    Unsent(SendError),
    /// A fault of our own program, which must not take the other rows with it.
    Panicked,
}

/// What became of attempts, until it is written down.
#[derive(Default)]
struct Ended {
    changes: Vec<QueueChange>,
    /// Writing them has failed, and is tried again then.
    try_again_at: Option<Instant>,
}

type InFlight<'a> = FuturesUnordered<BoxFuture<'a, Outcome>>;

impl<S: QueueStore, D: Directory, T: Transport> Drain<S, D, T> {
    /// A drain over this table, ringing with this handle.
    pub fn new(store: S, directory: D, transport: T, handle: QueueHandle, options: DrainOptions) -> Self {
        Self { store, directory, transport, handle, options }
    }

    /// Sends until `shutdown`; requests under way then get a short while to end.
    ///
    /// While the table cannot be written, nothing is sent: nobody would know of it. Neither a table that cannot be read nor a
    /// panic ends the drain: both are logged, and it starts again after a second with an empty memory. What was under way at
    /// that moment is due again.
    pub async fn run(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            match AssertUnwindSafe(self.work(shutdown)).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the queue's table failed; the drain tries again in a second")
                }
                Err(_) => {
                    self.handle.count_panic();
                    tracing::error!("the drain panicked; it starts again in a second");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    async fn work(&self, shutdown: &CancellationToken) -> Result<(), S::Error> {
        let mut book = Book::default();
        let mut in_flight = InFlight::new();
        let mut ended = Ended::default();
        let mut sweep = tokio::time::interval(self.options.period);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // As long as it is not written down what became of a request, its row looks as if it had never been sent.
            let wait = if ended.changes.is_empty() {
                self.start_due(&mut book, &mut in_flight).await?;
                self.wait(&book).await?
            } else {
                ended.try_again_at.map_or(PAUSE, |at| at.saturating_duration_since(Instant::now()))
            };
            tokio::select! {
                // In this order, so that a simulation can repeat itself.
                biased;
                () = shutdown.cancelled() => break,
                Some(outcome) = in_flight.next(), if !in_flight.is_empty() => {
                    self.settle(outcome, &mut book, &mut in_flight, &mut ended);
                    self.write(&mut ended).await;
                }
                () = self.handle.rung() => {
                    book.returned(&self.handle.take_returned());
                    book.look_again();
                }
                () = tokio::time::sleep(wait) => self.write(&mut ended).await,
                _ = sweep.tick() => {
                    book.look_again();
                    let most = self.options.most_expiring;
                    let sweep = vec![QueueChange::Expire { now: self.now() }, QueueChange::Trim { most }];
                    // It comes round again.
                    if let Err(error) = self.store.change(sweep).await {
                        tracing::warn!(%error, "the queue's table cannot be swept");
                    }
                }
            }
        }
        let finish = async {
            while let Some(outcome) = in_flight.next().await {
                self.settle(outcome, &mut book, &mut in_flight, &mut ended);
                self.write(&mut ended).await;
            }
        };
        // Whoever takes longer than the grace is asked again after the next start.
        let _ = tokio::time::timeout(self.options.grace, finish).await;
        self.write(&mut ended).await;
        Ok(())
    }

    /// Writes down how attempts ended. What cannot be written is kept.
    async fn write(&self, ended: &mut Ended) {
        if ended.changes.is_empty() {
            return;
        }
        crash_point("queue_sent", "answered");
        match self.store.change(ended.changes.clone()).await {
            Ok(()) => {
                if std::mem::take(ended).try_again_at.is_some() {
                    tracing::info!("the queue's table can be written again");
                }
            }
            Err(error) => {
                if ended.try_again_at.replace(Instant::now() + PAUSE).is_none() {
                    tracing::error!(%error, "the queue's table cannot be written: nothing is sent until it can");
                }
            }
        }
    }

    /// Starts a request for every destination that has a row due, as far as the limits allow.
    async fn start_due<'a>(&'a self, book: &mut Book, in_flight: &mut InFlight<'a>) -> Result<(), S::Error> {
        loop {
            let free = self.options.parallel.saturating_sub(book.in_flight());
            if free == 0 {
                return Ok(());
            }
            let now = self.now();
            let limit = u32::try_from(free).unwrap_or(u32::MAX);
            let rows = self.store.due(now, limit, &book.excluded(now)).await?;
            if rows.is_empty() {
                return Ok(());
            }
            // Every row puts its destination into the book, so that the next look sees other destinations.
            for row in rows {
                match self.directory.find(&row.request.destination) {
                    Some(destination) => {
                        book.started(row.request.destination);
                        in_flight.push(self.attempt(destination, row).boxed());
                    }
                    None => book.absent(row.request.destination),
                }
            }
        }
    }

    /// How long nothing can become due.
    async fn wait(&self, book: &Book) -> Result<Duration, S::Error> {
        if book.in_flight() >= self.options.parallel {
            return Ok(self.options.period);
        }
        let now = self.now();
        let next_row = self.store.next_due(&book.excluded(now)).await?;
        let next = next_row.into_iter().chain(book.next_release(now)).min();
        let wait = next.map_or(self.options.period, |next| {
            Duration::from_millis(next.milliseconds().saturating_sub(now.milliseconds()))
        });
        Ok(wait.min(self.options.period))
    }

    /// One attempt. Its panic is its own: the other rows go on.
    async fn attempt(&self, destination: Destination, row: Row) -> Outcome {
        crash_point("queue_sending", "begun");
        let _sending = self.handle.sending(row.id);
        let sending = AssertUnwindSafe(self.transport.send(&destination, &row.request)).catch_unwind();
        let result = match tokio::time::timeout(self.options.timeout, sending).await {
            Ok(Ok(result)) => result.map_err(Failure::Unsent),
            Ok(Err(_)) => {
                self.handle.count_panic();
                Err(Failure::Panicked)
            }
            Err(_) => {
                let reason = format!("no answer within {:?}", self.options.timeout);
                Err(Failure::Unsent(SendError::Unreachable { reason }))
            }
        };
        Outcome { row, result }
    }

    /// Notes how this attempt ended, together with all others that have ended by now.
    fn settle(&self, first: Outcome, book: &mut Book, in_flight: &mut InFlight<'_>, ended: &mut Ended) {
        ended.changes.push(self.judge(first, book));
        while let Some(Some(outcome)) = in_flight.next().now_or_never() {
            ended.changes.push(self.judge(outcome, book));
        }
    }

    fn judge(&self, outcome: Outcome, book: &mut Book) -> QueueChange {
        let Outcome { row: Row { id, request, attempts, .. }, result } = outcome;
        let QueuedRequest { destination, destination_name, kind, subject, version, .. } = request;
        let (error, verdict) = match result {
            Ok(()) => {
                book.answered(&destination);
                self.handle.count_delivered();
                tracing::info!(destination = destination_name, kind, subject, version, attempts, "delivered");
                return QueueChange::Finish { id, version };
            }
            Err(Failure::Unsent(error)) => (error.to_string(), verdict(&error)),
            Err(Failure::Panicked) => {
                let verdict = Verdict::Retry { at_least: None, scope: Scope::Row };
                (String::from("the attempt panicked; the log says where"), verdict)
            }
        };
        match verdict {
            Verdict::Dead => {
                book.answered(&destination);
                self.handle.count_buried();
                tracing::warn!(destination = destination_name, kind, subject, version, error, "refused for good");
                QueueChange::Bury { id, version, error }
            }
            Verdict::Retry { .. } if bug("lost_rows") => {
                book.answered(&destination);
                QueueChange::Discard { id }
            }
            Verdict::Retry { at_least, scope } => {
                self.handle.count_failed();
                let random = self.options.dice.roll();
                let backoff = &self.options.backoff;
                let next_at = match scope {
                    Scope::Destination => book.failed(destination, attempts, at_least, self.now(), backoff, random),
                    Scope::Row => {
                        book.answered(&destination);
                        self.now().saturating_add(backoff.delay(attempts.saturating_add(1), random))
                    }
                };
                tracing::debug!(destination = destination_name, kind, subject, version, error, "postponed");
                QueueChange::Postpone { id, version, error, next_at }
            }
        }
    }
}

impl<D: Directory> Directory for Arc<D> {
    fn find(&self, address: &Address) -> Option<Destination> {
        self.as_ref().find(address)
    }
}
