//! A bounded place for work that keeps a processor busy, such as verifying signatures.
//!
//! A thread that has begun takes what waits until nothing does. So one request alone costs a thread's wake-up, and many at
//! once cost hardly more than the work itself.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::join_all;
use tokio::sync::oneshot;

/// What is fewer is not worth a second thread.
const LEAST_SHARE: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

/// Does work on as many threads as there are processors, so that the API keeps its share of them.
#[derive(Debug, Clone)]
pub(super) struct Verifier(Arc<Shared>);

struct Shared {
    most: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    /// Threads that take what waits.
    running: usize,
}

impl Verifier {
    /// A place for one thread on each processor.
    pub(super) fn new() -> Self {
        let most = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self(Arc::new(Shared { most, queue: Mutex::default() }))
    }

    /// Does the work away from the threads that answer requests; none if it panicked, or the process is ending.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let one_more = self.0.queue().push(
            Box::new(move || {
                // Whoever asked may have gone away.
                drop(answer.send(work()));
            }),
            self.0.most,
        );
        if one_more {
            let shared = Arc::clone(&self.0);
            tokio::task::spawn_blocking(move || shared.work());
        }
        answered.await.ok()
    }

    /// Does the same with all of these, on all threads; the outcomes in the same order. None as for [`Verifier::run`].
    pub(super) async fn map<T, R>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> R + Clone + Send + 'static,
    ) -> Option<Vec<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let share = items.len().div_ceil(self.0.most).max(LEAST_SHARE);
        let mut items = items.into_iter();
        let parts = std::iter::from_fn(|| {
            let part: Vec<T> = items.by_ref().take(share).collect();
            (!part.is_empty()).then_some(part)
        });
        let parts = parts.map(|part| {
            let work = work.clone();
            self.run(move || part.into_iter().map(work).collect::<Vec<R>>())
        });
        let parts = join_all(parts.collect::<Vec<_>>()).await;
        Some(parts.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
    }
}

impl Queue {
    /// Puts work at the end; whether another thread is to begin.
    fn push(&mut self, work: Work, most: usize) -> bool {
        self.waiting.push_back(work);
        let one_more = self.running < most;
        self.running += usize::from(one_more);
        one_more
    }

    /// The next piece of work; when there is none, the thread that asked is taken off.
    fn next(&mut self) -> Option<Work> {
        let next = self.waiting.pop_front();
        self.running -= usize::from(next.is_none());
        next
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let next = self.queue().next();
            let Some(work) = next else { return };
            // Whoever asked is told by the end of its channel; the others' work goes on.
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!("a verification panicked");
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that can panic happens under the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn all_work_is_done_and_never_more_at_a_time_than_there_are_threads() {
        let verifier = Verifier::new();
        let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut running = tokio::task::JoinSet::new();
        for number in 0..200 {
            let (verifier, now, peak) = (verifier.clone(), Arc::clone(&now), Arc::clone(&peak));
            running.spawn(async move {
                let work = move || {
                    peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    number
                };
                verifier.run(work).await
            });
        }
        let mut done: Vec<_> = running.join_all().await.into_iter().map(Option::unwrap).collect();
        done.sort_unstable();
        assert_eq!(done, (0..200).collect::<Vec<_>>());
        assert!(peak.load(Ordering::SeqCst) <= verifier.0.most);
    }

    #[tokio::test]
    async fn a_panic_is_told_and_does_not_stop_what_comes_after() {
        let verifier = Verifier::new();
        for _ in 0..2 * verifier.0.most {
            assert_eq!(verifier.run(|| panic!("on purpose")).await, None::<()>);
        }
        assert_eq!(verifier.run(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn outcomes_come_in_the_order_of_the_items() {
        let verifier = Verifier::new();
        for count in [0, 1, 15, 16, 17, 1_000] {
            let doubled = verifier.map((0..count).collect(), |number| 2 * number).await.unwrap();
            assert_eq!(doubled, (0..count).map(|number| 2 * number).collect::<Vec<_>>());
        }
    }
}
