//! The one place where the services read the wall clock.
//!
//! Rules take `now` as an argument; this is where that argument comes from. Deadlines and periods use tokio's monotonic
//! clock instead, which does not jump when somebody sets the time. What runs in a simulation as well takes a [`Clock`].

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use raclette_chain::time::Timestamp;

/// The time now, in milliseconds since 1 January 1970 UTC.
///
/// A machine whose clock stands before 1970 gets 0: its requests are refused as too old by others, which is the right
/// answer to such a clock.
#[must_use]
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// A clock to be read. Clones are the same clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's wall clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|| Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX))
    }

    /// Another clock.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, now_ms};

    #[test]
    fn the_clock_stands_after_the_year_2020() {
        assert!(now_ms() > 1_577_836_800_000);
        assert!(Clock::system().now().milliseconds() > 1_577_836_800_000);
    }
}
