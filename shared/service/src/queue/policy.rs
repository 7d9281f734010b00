//! When to try again, and when to give up: pure functions.

use std::time::Duration;

use crate::client::SendError;

/// The longest wait that a destination can ask for with `Retry-After`.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

const TOO_MANY_REQUESTS: u16 = 429;
const FIRST_SERVER_ERROR: u16 = 500;

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again.
    Retry {
        /// The least wait, if the destination asked for one.
        at_least: Option<Duration>,
        /// What shall wait.
        scope: Scope,
    },
    /// Set it aside: the same request can never succeed.
    Dead,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This row: others for the same destination may fare better.
    Row,
    /// The destination: its other rows would fail as well.
    Destination,
}

/// Decides what a failure means.
///
/// Only the destination itself, with a problem code of our own that says that the request is wrong for ever
/// ([`crate::problem::Code::permanent`]), makes a dead letter. A proxy's 404 or 403, or a code of a later version of this
/// program, does not.
#[must_use]
pub fn verdict(error: &SendError) -> Verdict {
    match error {
        SendError::Unreachable { .. } | SendError::Forbidden(_) | SendError::WrongDestination { .. } => {
            Verdict::Retry { at_least: None, scope: Scope::Destination }
        }
        SendError::BadAnswer { .. } | SendError::Unsent { .. } => Verdict::Retry { at_least: None, scope: Scope::Row },
        SendError::Refused { permanent: true, .. } => Verdict::Dead,
        SendError::Refused { status, retry_after, .. } => {
            let busy = *status == TOO_MANY_REQUESTS || *status >= FIRST_SERVER_ERROR || retry_after.is_some();
            let scope = if busy { Scope::Destination } else { Scope::Row };
            Verdict::Retry { at_least: retry_after.map(|wait| wait.min(LONGEST_RETRY_AFTER)), scope }
        }
    }
}

/// Exponential back-off with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait behind the first failure.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
}

impl Default for Backoff {
    /// From half a second to a minute.
    fn default() -> Self {
        Self { base: Duration::from_millis(500), cap: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// How long to wait behind the `attempts`-th failure in a row (from 1): `random` (from 0 to 1) of the longest wait,
    /// which doubles with each failure up to the cap.
    #[must_use]
    pub fn delay(&self, attempts: u32, random: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap).mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, permanent: bool, retry_after: Option<u64>) -> SendError {
        let retry_after = retry_after.map(Duration::from_secs);
        SendError::Refused { status, code: None, detail: String::from("no"), retry_after, permanent }
    }

    #[test]
    fn the_longest_wait_doubles_up_to_the_cap() {
        let backoff = Backoff::default();
        let longest: Vec<_> = (1..=9).map(|attempts| backoff.delay(attempts, 1.0).as_millis()).collect();
        assert_eq!(longest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(backoff.delay(u32::MAX, 1.0), backoff.cap);
        assert_eq!(backoff.delay(0, 1.0), backoff.base);
    }

    #[test]
    fn many_senders_do_not_come_all_at_once_when_a_destination_is_back() {
        const SENDERS: u64 = 20;
        const RUNS: u64 = 500;
        let backoff = Backoff::default();
        // Numbers that repeat themselves: splitmix64.
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        // All of them find it gone at the same moment; it is back after ten minutes.
        let back = Duration::from_secs(600);
        let mut arrivals = [0_u64; 10];
        for _ in 0..RUNS * SENDERS {
            let (mut time, mut attempts) = (Duration::ZERO, 0);
            while time < back {
                attempts += 1;
                time += backoff.delay(attempts, random());
            }
            if let Some(second) = arrivals.get_mut((time - back).as_secs() as usize) {
                *second += 1;
            }
        }
        let (peak, all) = (arrivals.iter().max().unwrap(), arrivals.iter().sum::<u64>());
        assert!(peak * 10 <= 3 * all, "arrivals in each of the first ten seconds: {arrivals:?}");
        assert!(all > 0);
    }

    #[test]
    fn jitter_is_full() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(3, 0.0), Duration::ZERO);
        assert_eq!(backoff.delay(3, 0.5), Duration::from_secs(1));
    }

    #[test]
    fn only_a_permanent_refusal_makes_a_dead_letter() {
        assert_eq!(verdict(&refused(403, true, None)), Verdict::Dead);
        let row = Verdict::Retry { at_least: None, scope: Scope::Row };
        assert_eq!(verdict(&refused(403, false, None)), row);
        assert_eq!(verdict(&refused(404, false, None)), row);
        assert_eq!(verdict(&SendError::BadAnswer { reason: String::from("it is not JSON") }), row);
    }

    #[test]
    fn what_any_other_row_would_meet_too_is_about_the_destination() {
        let destination = Verdict::Retry { at_least: None, scope: Scope::Destination };
        assert_eq!(verdict(&SendError::Unreachable { reason: String::from("connection refused") }), destination);
        assert_eq!(verdict(&SendError::WrongDestination { expected: String::from("rac1x"), seen: None }), destination);
        assert_eq!(verdict(&refused(429, false, None)), destination);
        assert_eq!(verdict(&refused(503, false, None)), destination);
    }

    #[test]
    fn retry_after_is_honoured_up_to_ten_minutes() {
        let at_least = |seconds| verdict(&refused(503, false, Some(seconds)));
        let wait = |seconds| Verdict::Retry { at_least: Some(Duration::from_secs(seconds)), scope: Scope::Destination };
        assert_eq!(at_least(7), wait(7));
        assert_eq!(at_least(86_400), wait(600));
    }
}
