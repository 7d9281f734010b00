//! The one place where pacing and choices get their randomness, so that a simulation can repeat itself.
//!
//! Keys, nonces and everything else that must not be guessed never come from here.

use std::{fmt, sync::Arc};

/// A source of random numbers for pacing and choices. Clones share it.
#[derive(Clone)]
pub struct Dice(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Dice {
    /// The operating system's randomness.
    #[must_use]
    pub fn system() -> Self {
        Self::new(rand::random::<f64>)
    }

    /// Numbers from 0 to 1 from elsewhere.
    pub fn new(roll: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(roll))
    }

    /// A number from 0 to 1.
    #[must_use]
    pub fn roll(&self) -> f64 {
        (self.0)()
    }

    /// One of `count` positions; 0 if there is none.
    #[must_use]
    pub fn pick(&self, count: usize) -> usize {
        let scaled = self.roll() * count as f64;
        (scaled as usize).min(count.saturating_sub(1))
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dice")
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn a_pick_is_always_in_the_list() {
        for roll in [0.0, 0.49, 0.5, 0.999, 1.0] {
            assert!(Dice::new(move || roll).pick(2) < 2);
        }
        assert_eq!(Dice::new(|| 0.5).pick(2), 1);
        assert_eq!(Dice::system().pick(0), 0);
    }
}
