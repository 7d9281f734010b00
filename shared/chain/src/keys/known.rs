//! Public keys that were seen lately. Most transactions come from few senders: their keys are parsed once, and all their
//! transactions in memory share one.
//!
//! This is a memo of a pure function. It changes what [`PublicKey::from_der`] costs, never what it gives.

use std::{
    borrow::Borrow,
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use super::PublicKey;

/// How many keys each of the two generations holds: some two megabytes, if somebody fills it on purpose.
const GENERATION: usize = 512;

static KNOWN: LazyLock<Mutex<Generations>> = LazyLock::new(Mutex::default);

/// The young are kept until there are too many, and then until the next are too many.
#[derive(Default)]
struct Generations {
    young: HashSet<ByDer>,
    old: HashSet<ByDer>,
}

/// A key as an entry that is found by its bytes.
struct ByDer(PublicKey);

/// The key behind these bytes, if it was seen lately.
pub(super) fn find(der: &[u8]) -> Option<PublicKey> {
    let mut known = known();
    if let Some(ByDer(key)) = known.young.get(der) {
        return Some(key.clone());
    }
    let ByDer(key) = known.old.take(der)?;
    known.remember(key.clone());
    Some(key)
}

/// Remembers a key.
pub(super) fn remember(key: &PublicKey) {
    known().remember(key.clone());
}

fn known() -> MutexGuard<'static, Generations> {
    // A set of keys is right entry by entry; a panic elsewhere cannot have broken it.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Generations {
    fn remember(&mut self, key: PublicKey) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(ByDer(key));
    }
}

impl PartialEq for ByDer {
    fn eq(&self, other: &Self) -> bool {
        self.0.der() == other.0.der()
    }
}

impl Eq for ByDer {}

impl Hash for ByDer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.der().hash(state);
    }
}

impl Borrow<[u8]> for ByDer {
    fn borrow(&self) -> &[u8] {
        self.0.der()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ALICE_PEM, key};

    /// A key that nobody has the private half of.
    fn another(number: u64) -> Vec<u8> {
        let mut der = key(ALICE_PEM).public().der().to_vec();
        der[60..68].copy_from_slice(&number.to_be_bytes());
        der
    }

    #[test]
    fn a_key_in_use_is_kept_while_others_come_and_go_and_the_others_are_forgotten() {
        let first = another(u64::MAX);
        PublicKey::from_der(&first).unwrap();
        for number in 0..5 * GENERATION as u64 {
            let der = another(number);
            assert_eq!(PublicKey::from_der(&der).unwrap().der(), der);
            assert!(find(&first).is_some(), "after {number} others");
        }
        assert!(find(&another(0)).is_none());
        let known = known();
        assert!(known.young.len() <= GENERATION && known.old.len() <= GENERATION);
    }

    #[test]
    fn bytes_that_are_no_key_are_refused_each_time() {
        let mut even = another(7);
        let last_of_modulus = even.len() - 6;
        even[last_of_modulus] &= 0xfe;
        for _ in 0..2 {
            assert!(PublicKey::from_der(&even).is_err());
        }
    }
}
