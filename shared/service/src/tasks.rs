//! Background tasks that are watched over, and stop when they are told to.
//!
//! A periodic task is a reconciler: `activate` takes no input, looks at what there is to do, and does it. A wake-up only
//! makes the next round come sooner, so that one that is lost costs a period and never the work. Tests call what
//! `activate` calls, without any task.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::panic;

/// How long a task rests after a panic, so that a fault that stays doesn't fill the log.
const REST: Duration = Duration::from_secs(1);

/// The background tasks of one service. Clones speak of the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Asks the tasks to stop.
    stop: CancellationToken,
    /// Ends what did not stop.
    kill: CancellationToken,
    tracker: TaskTracker,
    panics: Mutex<BTreeMap<&'static str, u64>>,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Completes when the tasks are to stop: for whatever waits for long inside a task or a handler.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// Calls `activate` at once and then again and again: when `wake` is notified (use `notify_one`, whose wake-ups are
    /// not lost while a round is under way), and after each `period` at the latest.
    ///
    /// A panic is logged and counted, and the next round comes after 1 s. On [`Tasks::shutdown`] a round under way may
    /// finish; no new one begins.
    pub fn spawn_periodic<F, R>(&self, name: &'static str, period: Duration, wake: Arc<Notify>, mut activate: F)
    where
        F: FnMut() -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let tasks = self.clone();
        self.spawn(name, async move {
            while !tasks.0.stop.is_cancelled() {
                let round = AssertUnwindSafe(async { activate().await }).catch_unwind().await;
                let pause = match round {
                    Ok(()) => period,
                    Err(panic) => {
                        tasks.note_panic(name, panic::message(&*panic));
                        tokio::select! {
                            () = tasks.0.stop.cancelled() => return,
                            () = sleep(REST) => continue,
                        }
                    }
                };
                tokio::select! {
                    () = tasks.0.stop.cancelled() => return,
                    () = wake.notified() => {}
                    () = sleep(pause) => {}
                }
            }
        });
    }

    /// Runs a future to its end, in the background. It should watch [`Tasks::stopping`]; a panic in it is logged and
    /// counted.
    pub fn spawn<R>(&self, name: &'static str, future: R)
    where
        R: Future<Output = ()> + Send + 'static,
    {
        let tasks = self.clone();
        let watched = async move {
            tokio::select! {
                () = tasks.0.kill.cancelled() => tracing::warn!("did not stop in time, and was ended"),
                outcome = AssertUnwindSafe(future).catch_unwind() => if let Err(panic) = outcome {
                    tasks.note_panic(name, panic::message(&*panic));
                },
            }
        };
        self.0.tracker.spawn(watched.instrument(tracing::info_span!("task", name)));
    }

    /// How often each task has panicked; those that never did are not listed.
    #[must_use]
    pub fn panics(&self) -> BTreeMap<&'static str, u64> {
        self.0.panics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks all tasks to stop, waits for them, and ends those that still run after the deadline.
    pub async fn shutdown(&self, deadline: Duration) {
        self.0.stop.cancel();
        self.0.tracker.close();
        if timeout(deadline, self.0.tracker.wait()).await.is_err() {
            self.0.kill.cancel();
            self.0.tracker.wait().await;
        }
    }

    fn note_panic(&self, name: &'static str, message: &str) {
        tracing::error!(task = name, message, "a task panicked");
        *self.0.panics.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_insert(0) += 1;
    }
}

/// Completes when the process is asked to stop: SIGTERM, or Ctrl-C (SIGINT).
///
/// # Errors
/// The system lets no handler be installed. This is told at the first call, so call it before the service starts.
pub fn shutdown_signal() -> std::io::Result<impl Future<Output = ()> + Send + use<>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("Ctrl-C: stopping"),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::SeqCst},
        },
        time::Duration,
    };

    use tokio::{sync::Notify, time::Instant};

    use super::Tasks;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Counts its rounds, and tells each.
    #[derive(Clone, Default)]
    struct Rounds {
        count: Arc<AtomicU32>,
        told: Arc<Notify>,
    }

    impl Rounds {
        fn next(&self) -> u32 {
            let count = self.count.fetch_add(1, SeqCst) + 1;
            self.told.notify_one();
            count
        }

        async fn reach(&self, count: u32) {
            while self.count.load(SeqCst) < count {
                self.told.notified().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_runs_at_once_and_each_period_and_when_woken() {
        let (tasks, rounds, wake) = (Tasks::new(), Rounds::default(), Arc::new(Notify::new()));
        let counted = rounds.clone();
        let started = Instant::now();
        tasks.spawn_periodic("count", HOUR, wake.clone(), move || {
            counted.next();
            async {}
        });
        rounds.reach(1).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        rounds.reach(2).await;
        assert!(started.elapsed() >= HOUR);
        let before = Instant::now();
        wake.notify_one();
        rounds.reach(3).await;
        assert_eq!(before.elapsed(), Duration::ZERO);
        tasks.shutdown(HOUR).await;
        assert_eq!(rounds.count.load(SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_task_is_counted_and_goes_on_after_a_second() {
        let (tasks, rounds) = (Tasks::new(), Rounds::default());
        let counted = rounds.clone();
        let started = Instant::now();
        tasks.spawn_periodic("fragile", HOUR, Arc::default(), move || {
            let round = counted.next();
            async move { assert!(round > 2, "round {round} goes wrong") }
        });
        rounds.reach(3).await;
        assert!(started.elapsed() >= Duration::from_secs(2) && started.elapsed() < HOUR);
        assert_eq!(tasks.panics().into_iter().collect::<Vec<_>>(), [("fragile", 2)]);
        tasks.shutdown(HOUR).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_under_way_may_finish_and_what_hangs_is_ended() {
        let (tasks, rounds) = (Tasks::new(), Rounds::default());
        let counted = rounds.clone();
        tasks.spawn_periodic("slow", HOUR, Arc::default(), move || {
            let counted = counted.clone();
            async move {
                counted.next();
                tokio::time::sleep(Duration::from_secs(3)).await;
                counted.next();
            }
        });
        tasks.spawn("hangs", pending());
        rounds.reach(1).await;
        let started = Instant::now();
        tasks.shutdown(Duration::from_secs(4)).await;
        assert_eq!(rounds.count.load(SeqCst), 2);
        assert_eq!(started.elapsed().as_secs(), 4);
    }
}
