//! How much of side branches is kept that nobody asked for: a budget of blocks and bytes that fills up again with time.
//!
//! A block that does not win costs its sender little where targets are easy, and this peer disk and memory for ever. What the
//! budget does not allow is not lost: if its branch ever wins, it is fetched as history, headers first.

use std::time::{Duration, Instant};

/// How many blocks may come at once, and how many bytes (sizes as they count towards a block's limit).
const BLOCKS: f64 = 1_024.0;
const BYTES: f64 = 32.0 * 1_048_576.0;
/// In this time an empty budget is full again.
const REFILL: Duration = Duration::from_secs(3_600);

/// What is left.
#[derive(Debug)]
pub(super) struct SideBudget {
    blocks: f64,
    bytes: f64,
    at: Instant,
}

impl SideBudget {
    /// A full budget.
    pub(super) fn new(now: Instant) -> Self {
        Self { blocks: BLOCKS, bytes: BYTES, at: now }
    }

    /// Takes a block of so many bytes out of the budget; false, and nothing is taken, if there is not enough left.
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub(super) fn take(&mut self, size: usize, now: Instant) -> bool {
        let share = now.saturating_duration_since(self.at).as_secs_f64() / REFILL.as_secs_f64();
        self.at = self.at.max(now);
        self.blocks = (self.blocks + share * BLOCKS).min(BLOCKS);
        self.bytes = (self.bytes + share * BYTES).min(BYTES);
        let size = size as f64;
        let is_enough = self.blocks >= 1.0 && self.bytes >= size;
        if is_enough {
            self.blocks -= 1.0;
            self.bytes -= size;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_small_blocks_or_of_large_ones_ends_soon_and_time_helps() {
        let now = Instant::now();
        let taken = |size: usize| {
            let mut budget = SideBudget::new(now);
            let count = (0..100_000).filter(|_| budget.take(size, now)).count();
            (count, budget)
        };
        assert_eq!(taken(0).0, 1_024);
        assert_eq!(taken(4 << 20).0, 8);
        let (_, mut budget) = taken(0);
        assert!(budget.take(0, now + REFILL / 1_024 + Duration::from_millis(1)));
        assert!(!budget.take(0, now + REFILL / 1_024 + Duration::from_millis(1)));
    }
}
