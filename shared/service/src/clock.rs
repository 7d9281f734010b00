//! The one place where the services read the wall clock.
//!
//! Rules take `now` as an argument; this is where that argument comes from. Deadlines and periods use tokio's monotonic
//! clock instead, which does not jump when somebody sets the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time now, in milliseconds since 1 January 1970 UTC.
///
/// A machine whose clock stands before 1970 gets 0: its requests are refused as too old by others, which is the right
/// answer to such a clock.
#[must_use]
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::now_ms;

    #[test]
    fn the_clock_stands_after_the_year_2020() {
        assert!(now_ms() > 1_577_836_800_000);
    }
}
