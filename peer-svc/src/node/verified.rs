//! Which signatures have been verified, so that a block of known transactions verifies none twice.

use std::{collections::HashSet, sync::Mutex};

use raclette_chain::hash::LeafHash;

/// How many leaves each of the two generations holds.
const GENERATION: usize = 65_536;

/// Leaf hashes whose signature has been verified: never ids, since one id can carry a wrong signature as well as a right
/// one. The oldest are forgotten, a generation at a time.
#[derive(Debug, Default)]
pub struct VerifiedLeaves(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<LeafHash>,
    old: HashSet<LeafHash>,
}

impl VerifiedLeaves {
    /// Whether this leaf's signature has been verified.
    #[must_use]
    pub fn contains(&self, leaf: &LeafHash) -> bool {
        let generations = self.lock();
        generations.young.contains(leaf) || generations.old.contains(leaf)
    }

    /// Remembers leaves whose signatures have been verified.
    pub fn insert(&self, leaves: impl IntoIterator<Item = LeafHash>) {
        let mut generations = self.lock();
        generations.young.extend(leaves);
        if generations.young.len() >= GENERATION {
            generations.old = std::mem::take(&mut generations.young);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // A set of hashes is right or wrong entry by entry; a panic elsewhere cannot have broken it.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
