//! The search over a range of nonces: exact, whatever the backend.

use crate::{
    HEADER_LEN,
    backend::{Backend, Engine},
    template::Template,
};

/// How many nonces share their upper half.
const STRETCH: u64 = 1 << 32;

/// A nonce that meets the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The nonce, which belongs in the last eight bytes of the header, big-endian.
    pub nonce: u64,
    /// The hash of the header with this nonce. It does not exceed the target.
    pub hash: [u8; 32],
}

/// A header prepared for trying nonces. The nonce in the header that it was made from does not matter.
///
/// It is small, and shared between threads as it is: each runs a range of its own.
#[derive(Debug, Clone)]
pub struct Search {
    template: Template,
    target: [u8; 32],
    engine: Engine,
}

impl Search {
    /// Prepares a search with the fastest backend of this processor.
    ///
    /// `target` is a 256-bit big-endian number, the highest hash that is accepted. It is what the compact form inside the
    /// header stands for; that the two agree is the caller's business.
    #[must_use]
    pub fn new(header: &[u8; HEADER_LEN], target: &[u8; 32]) -> Self {
        let engine = Engine::detect(Backend::best()).unwrap_or(Engine::Portable);
        Self::with_engine(header, target, engine)
    }

    /// Prepares a search with this backend, or none if this processor lacks it. Otherwise as [`Search::new`].
    #[must_use]
    pub fn with_backend(header: &[u8; HEADER_LEN], target: &[u8; 32], backend: Backend) -> Option<Self> {
        Engine::detect(backend).map(|engine| Self::with_engine(header, target, engine))
    }

    fn with_engine(header: &[u8; HEADER_LEN], target: &[u8; 32], engine: Engine) -> Self {
        Self { template: Template::new(header), target: *target, engine }
    }

    /// Tries `attempts` nonces: `start`, `start + 1` and so on, with 0 after `u64::MAX`. Returns the first that meets the
    /// target, or none if none of them does.
    ///
    /// All of them are tried before this returns without a find. Ask for as many as take the time after which the caller
    /// wants to look up: a million take between 5 and 200 ms on one core, by processor.
    #[must_use]
    pub fn run(&self, start: u64, attempts: u64) -> Option<Found> {
        let mut nonce = start;
        let mut left = attempts;
        while left > 0 {
            let count = left.min(STRETCH - nonce % STRETCH);
            if let Some(found) = self.run_stretch(nonce, count) {
                return Some(found);
            }
            nonce = nonce.wrapping_add(count);
            left -= count;
        }
        None
    }

    /// Tries `count` nonces from `start` on, which share their upper half.
    ///
    /// The engine looks at the top word of each hash only. What it lets through is hashed again and compared in full.
    /// That is rare, or else every second candidate is good: the top word exceeds the target's in all other cases.
    fn run_stretch(&self, start: u64, count: u64) -> Option<Found> {
        let stretch = self.template.stretch(start, &self.target);
        let mut skipped = 0;
        while let Some(more) = self.engine.first_candidate(&stretch, skipped, count) {
            let nonce = start + more;
            let hash = self.template.hash(nonce);
            if hash <= self.target {
                return Some(Found { nonce, hash });
            }
            skipped = more + 1;
        }
        None
    }
}
