//! Places at which a test can have the process end as if the power had gone: nothing is flushed, closed or told.
//!
//! `RACLETTE_CRASH_AT=PLACE:N` ends it when the N-th of the points at that place is passed; without it, and in every build
//! without debug assertions, a point does nothing.

/// Passes the point `step` of a `place` such as `commit` or `reorganisation`.
#[inline]
pub fn crash_point(place: &str, step: &str) {
    #[cfg(debug_assertions)]
    armed::pass(place, step);
    #[cfg(not(debug_assertions))]
    let _ = (place, step);
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    /// What the environment asks for, and how many points are still to be passed before it happens.
    static ARMED: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let text = std::env::var("RACLETTE_CRASH_AT").ok()?;
        let (place, count) = text.split_once(':')?;
        Some((place.to_owned(), AtomicU32::new(count.parse().ok()?)))
    });

    pub(super) fn pass(place: &str, step: &str) {
        let Some((armed, left)) = &*ARMED else { return };
        if armed == place && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::error!(place, step, "the crash point is reached");
            std::process::abort();
        }
    }
}
