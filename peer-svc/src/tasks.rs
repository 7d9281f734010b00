//! What a peer does by itself.
//!
//! - [`membership`]: registers with the tracker, and keeps in touch with it.
//! - [`probe`]: looks for other members on the tracker's behalf.
//! - [`relay`]: brings new transactions and blocks to the other members.
//! - [`queue`]: keeps trying what could not be delivered.
//! - [`receipts`]: has recipients confirm what the owner sent, and delivers it again to whoever lacks it.
//! - [`sync`]: compares chain and ledger with others, and fetches what is missing.
//! - [`later`]: accepts blocks from the near future when their time comes.
//! - [`mail`]: fetches messages whose transactions came alone, and tells of new ones in the log.
//! - [`wallet`]: lets expired transactions go, and offers the owner's own again, signed anew if need be.

pub mod later;
pub mod mail;
pub mod membership;
pub mod probe;
pub mod queue;
pub mod receipts;
pub mod relay;
pub mod sync;
pub mod wallet;

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a task rests after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Calls `activate` again and again until `stopping`: after `period`, or as soon as `wake` rings.
///
/// `activate` takes no input, so that the ordinary way and the way after a crash are one; it answers after how long it
/// wants to be called again at the latest. A panic in it is caught and logged, and the task goes on.
pub async fn run_periodically<F: Future<Output = Duration>>(
    name: &'static str,
    wake: &Notify,
    stopping: CancellationToken,
    mut activate: impl FnMut() -> F,
) {
    loop {
        let pause = tokio::select! {
            () = stopping.cancelled() => return,
            result = AssertUnwindSafe(activate()).catch_unwind() => result.unwrap_or_else(|_| {
                tracing::error!(task = name, "a task panicked; it starts again in a second");
                AFTER_PANIC
            }),
        };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
