//! Hashes whose verdict is remembered, so that nothing is verified twice; bounded, the oldest are forgotten.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use raclette_chain::hash::{BlockHash, LeafHash};

/// Leaf hashes whose signature has been verified: never ids, since one id can carry a wrong signature as well as a right
/// one.
pub type VerifiedLeaves = Remembered<LeafHash, 65_536>;

/// Blocks that broke a rule for good and are not stored. Only a verdict that cost its sender work is remembered here, and
/// only about the body that the header commits to.
pub(super) type RefusedBlocks = Remembered<BlockHash, 4_096>;

/// A set in two generations of `GENERATION` each: when the young one is full, the old one is forgotten.
#[derive(Debug)]
pub struct Remembered<T, const GENERATION: usize>(Mutex<Generations<T>>);

#[derive(Debug)]
struct Generations<T> {
    young: HashSet<T>,
    old: HashSet<T>,
}

impl<T, const GENERATION: usize> Default for Remembered<T, GENERATION> {
    fn default() -> Self {
        Self(Mutex::new(Generations { young: HashSet::new(), old: HashSet::new() }))
    }
}

impl<T: Eq + Hash, const GENERATION: usize> Remembered<T, GENERATION> {
    /// Whether this one is remembered.
    #[must_use]
    pub fn contains(&self, one: &T) -> bool {
        let generations = self.lock();
        generations.young.contains(one) || generations.old.contains(one)
    }

    /// Remembers some.
    pub fn insert(&self, some: impl IntoIterator<Item = T>) {
        let mut generations = self.lock();
        generations.young.extend(some);
        if generations.young.len() >= GENERATION {
            generations.old = std::mem::take(&mut generations.young);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<T>> {
        // A set of hashes is right or wrong entry by entry; a panic elsewhere cannot have broken it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
