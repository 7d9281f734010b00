//! How quick a round is: when each member is probed, how long it may take to answer, and how the tracker's own slowness
//! stretches that.

use std::time::Duration;

/// Probes are spread over this part of the interval, so that they neither leave nor come back all at once. The verdict and
/// its one notice wait for the last of them: over the whole interval would tell everybody an interval later.
const SPREAD: u32 = 4;
/// A probe may take this part of the interval, within the bounds below.
const PATIENCE: u32 = 12;
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_millis(2_500);
/// When the tracker's own tasks wake up so late, it is slow itself.
const LATE: Duration = Duration::from_secs(1);
/// The most that timeouts are stretched by.
const MOST_STRETCHED: u32 = 8;

/// The times of a tracker's rounds.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    interval: Duration,
    stretch: u32,
}

impl Pace {
    /// Rounds begin at this interval.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, stretch: 1 }
    }

    /// How long after the beginning of a round a member is probed; `random` from 0 to 1.
    #[must_use]
    pub fn offset(&self, random: f64) -> Duration {
        (self.interval / SPREAD).mul_f64(random.clamp(0.0, 1.0))
    }

    /// How long a member may take to answer a probe.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        (self.interval / PATIENCE).clamp(SHORTEST, LONGEST) * self.stretch
    }

    /// How long after a failed probe it is tried once more in the same round.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.timeout() / 3
    }

    /// How long another member may take to look for itself and to say what it found.
    #[must_use]
    pub fn question_timeout(&self) -> Duration {
        self.timeout() + self.pause()
    }

    /// Notes by how much the tracker's own tasks woke up too late in a round. While it is slow, it is more patient with
    /// others from round to round; afterwards step by step less.
    pub fn observe(&mut self, lateness: Duration) {
        self.stretch = match lateness > LATE {
            true => (self.stretch * 2).min(MOST_STRETCHED),
            false => (self.stretch - 1).max(1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_follow_the_interval_within_bounds() {
        let timeout = |milliseconds| Pace::new(Duration::from_millis(milliseconds)).timeout().as_millis();
        assert_eq!([150, 1_000, 12_000, 30_000, 3_600_000].map(timeout), [500, 500, 1_000, 2_500, 2_500]);
    }

    #[test]
    fn the_whole_round_of_a_member_that_hangs_leaves_room_for_the_promise() {
        // Death is known within 3.3 intervals and 8 s: three rounds, and what the third takes.
        for seconds in [1, 30, 60] {
            let interval = Duration::from_secs(seconds);
            let pace = Pace::new(interval);
            let round = pace.offset(1.0) + 2 * pace.timeout() + pace.pause() + pace.question_timeout();
            assert!(round <= interval.mul_f64(0.3) + Duration::from_secs(8), "{seconds} s: {round:?}");
        }
    }

    #[test]
    fn a_slow_tracker_is_more_patient_with_others() {
        let mut pace = Pace::new(Duration::from_secs(30));
        pace.observe(Duration::from_millis(999));
        assert_eq!(pace.timeout(), LONGEST);
        for expected in [2, 4, 8, 8] {
            pace.observe(Duration::from_millis(1_500));
            assert_eq!(pace.timeout(), LONGEST * expected);
        }
        for expected in [7, 6, 5, 4, 3, 2, 1, 1] {
            pace.observe(Duration::ZERO);
            assert_eq!(pace.timeout(), LONGEST * expected);
        }
    }
}
