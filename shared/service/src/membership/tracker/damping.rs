//! Damping of a flapping member: news that it went are held back for a while, news that it is back never.
//!
//! Without it, a member that fails and answers every few rounds would have everybody told twice a minute.

use std::time::Duration;

use raclette_chain::time::Timestamp;

/// Within this time a member may change so often without being called flapping.
const WINDOW: Duration = Duration::from_secs(600);
/// How many changes within [`WINDOW`] are nothing unusual.
const USUAL_CHANGES: usize = 3;
/// The first hold-down; each further one is twice as long as the one before.
const FIRST_HOLD: Duration = Duration::from_secs(60);
/// The longest hold-down.
const LONGEST_HOLD: Duration = Duration::from_secs(15 * 60);

/// What is remembered of a member's changes. Not stored: a restart of the tracker forgives.
#[derive(Debug, Clone, Default)]
pub(super) struct Damping {
    /// When others were told of a change, within the last [`WINDOW`].
    told: Vec<Timestamp>,
    /// Until when nobody is told that it is offline.
    held_until: Option<Timestamp>,
    /// How many hold-downs there were in a row.
    holds: u32,
}

impl Damping {
    /// Notes that the others are told of a change.
    pub(super) fn told(&mut self, now: Timestamp) {
        self.forget(now);
        self.told.push(now);
        self.held_until = None;
    }

    /// Whether the member changes more often than is usual.
    pub(super) fn is_flapping(&self, now: Timestamp) -> bool {
        self.told.iter().filter(|told| told.saturating_add(WINDOW) > now).count() > USUAL_CHANGES
    }

    /// Whether others may be told now that the member is offline. If it is flapping, a hold-down begins: it must fail for as
    /// long as that.
    pub(super) fn lets_go(&mut self, now: Timestamp) -> bool {
        if let Some(until) = self.held_until {
            return now >= until;
        }
        if !self.is_flapping(now) {
            self.holds = 0;
            return true;
        }
        let hold = FIRST_HOLD.saturating_mul(1 << self.holds.min(16)).min(LONGEST_HOLD);
        self.holds = self.holds.saturating_add(1);
        self.held_until = Some(now.saturating_add(hold));
        false
    }

    /// The member gave a sign of life: a hold-down under way has served its purpose.
    pub(super) fn alive(&mut self) {
        self.held_until = None;
    }

    fn forget(&mut self, now: Timestamp) {
        self.told.retain(|told| told.saturating_add(WINDOW) > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::new(1_000_000 + seconds * 1_000).unwrap()
    }

    fn flapping() -> Damping {
        let mut damping = Damping::default();
        for second in [0, 10, 20, 30] {
            damping.told(at(second));
        }
        damping
    }

    #[test]
    fn three_changes_in_ten_minutes_are_nothing_unusual() {
        let mut damping = Damping::default();
        for second in [0, 10, 20] {
            damping.told(at(second));
            assert!(damping.lets_go(at(second)));
        }
        damping.told(at(30));
        assert!(!damping.lets_go(at(40)));
        let mut slow = Damping::default();
        for second in [0, 300, 600, 900, 1_200] {
            slow.told(at(second));
            assert!(slow.lets_go(at(second)), "{second}");
        }
    }

    #[test]
    fn a_member_that_stays_away_is_let_go_when_the_hold_down_ends() {
        let mut damping = flapping();
        assert!(!damping.lets_go(at(40)));
        assert!(!damping.lets_go(at(99)));
        assert!(damping.lets_go(at(100)));
    }

    #[test]
    fn each_hold_down_is_twice_as_long_up_to_a_quarter_of_an_hour() {
        let mut damping = flapping();
        let mut lengths = Vec::new();
        for round in 0..6_u64 {
            let now = at(40 + round);
            damping.lets_go(now);
            lengths.push((damping.held_until.unwrap().milliseconds() - now.milliseconds()) / 60_000);
            damping.alive();
        }
        assert_eq!(lengths, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn quiet_times_are_forgiving() {
        let mut damping = flapping();
        damping.lets_go(at(40));
        damping.alive();
        assert!(damping.lets_go(at(40 + 600)));
        assert_eq!(damping.holds, 0);
    }
}
