//! Self-preservation: when so many members fail at once that the fault is rather the tracker's own.
//!
//! The share is not enough: three of five members may really be dead. What decides is whether anybody who still answers the
//! tracker can confirm it by looking for itself. A tracker that is cut off hears from nobody, and so reports nobody.

use crate::planted::bug;

/// From how many members failing at once the tracker doubts itself, whatever their share.
const DOUBT_FROM: usize = 3;
/// From which share of the online members on, in percent, if they are at least [`DOUBT_FROM`].
const DOUBT_PERCENT: usize = 55;

/// The tracker's doubt in its own connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Caution {
    active: bool,
    /// The operator says that the connection is fine; until a round in which there is nothing to doubt.
    overridden: bool,
}

/// What a round did to the tracker's trust in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// It began to doubt.
    Began,
    /// It trusts itself again.
    Ended,
}

impl Caution {
    pub(super) fn is_active(self) -> bool {
        self.active
    }

    /// Whether so many of those that are online are silent that the tracker must doubt itself.
    pub(super) fn is_widespread(silent: usize, online: usize) -> bool {
        silent >= DOUBT_FROM.max((online * DOUBT_PERCENT).div_ceil(100)) && !bug("no_self_preservation")
    }

    /// A round is over: so many of `online` members were silent without anybody confirming it.
    pub(super) fn round(&mut self, unconfirmed: usize, online: usize) -> Turn {
        let widespread = Self::is_widespread(unconfirmed, online);
        let before = self.active;
        self.active = widespread && !self.overridden;
        self.overridden &= widespread;
        match (before, self.active) {
            (false, true) => Turn::Began,
            (true, false) => Turn::Ended,
            (true, true) | (false, false) => Turn::None,
        }
    }

    /// The operator knows better. Whether there was anything to override.
    pub(super) fn override_now(&mut self) -> bool {
        let was_active = std::mem::take(&mut self.active);
        self.overridden |= was_active;
        was_active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_three_and_more_than_half_are_widespread() {
        for (online, least) in [(1, 3), (3, 3), (5, 3), (6, 4), (10, 6), (20, 11), (100, 55)] {
            assert!(Caution::is_widespread(least, online), "{least} of {online}");
            assert!(!Caution::is_widespread(least - 1, online), "{} of {online}", least - 1);
        }
    }

    #[test]
    fn doubt_lasts_until_a_round_gives_no_reason() {
        let mut caution = Caution::default();
        assert_eq!(caution.round(4, 4), Turn::Began);
        assert_eq!(caution.round(3, 4), Turn::None);
        assert!(caution.is_active());
        assert_eq!(caution.round(0, 4), Turn::Ended);
        assert_eq!(caution.round(0, 4), Turn::None);
    }

    #[test]
    fn an_override_holds_until_the_trouble_is_over() {
        let mut caution = Caution::default();
        assert!(!caution.override_now(), "there is nothing to override");
        caution.round(4, 4);
        assert!(caution.override_now());
        assert_eq!(caution.round(4, 4), Turn::None);
        assert!(!caution.is_active());
        caution.round(0, 4);
        assert_eq!(caution.round(4, 4), Turn::Began, "another time is another matter");
    }
}
