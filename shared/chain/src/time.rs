//! Points in time, as the chain writes them.

use std::{fmt, time::Duration};

use crate::amount::MAX_SAFE_INTEGER;

/// Milliseconds since 1970-01-01T00:00:00Z, at most 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// A number that no time can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time {found} is above {}", MAX_SAFE_INTEGER)]
pub struct TimestampError {
    /// What was asked for, in milliseconds.
    pub found: u64,
}

impl Timestamp {
    /// The latest time there is.
    pub const MAX: Self = Self(MAX_SAFE_INTEGER);

    /// The time `milliseconds` after the start of 1970 (UTC).
    ///
    /// # Errors
    /// When the number is above 2^53 - 1.
    pub const fn new(milliseconds: u64) -> Result<Self, TimestampError> {
        if milliseconds > MAX_SAFE_INTEGER {
            Err(TimestampError { found: milliseconds })
        } else {
            Ok(Self(milliseconds))
        }
    }

    /// Milliseconds since the start of 1970 (UTC).
    #[must_use]
    pub const fn milliseconds(self) -> u64 {
        self.0
    }

    /// This much later, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(MAX_SAFE_INTEGER);
        Self(self.0.saturating_add(milliseconds).min(MAX_SAFE_INTEGER))
    }

    /// This much earlier, at least 0.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(MAX_SAFE_INTEGER)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u64> for Timestamp {
    type Error = TimestampError;

    fn try_from(milliseconds: u64) -> Result<Self, Self::Error> {
        Self::new(milliseconds)
    }
}
