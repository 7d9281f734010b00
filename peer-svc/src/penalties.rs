//! A book of penalties: whoever did what no honest peer does is left out for some time, longer each time. A pure state
//! machine; `now` is an argument.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// How long penalties last, and how many are kept in mind.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The first penalty; each further one is twice as long.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
    /// How many entries the book has at most. The one that ends first makes room.
    pub entries: usize,
}

/// A penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Penalty {
    /// When it ends.
    pub until: Instant,
    /// How long it is in all.
    pub length: Duration,
    /// How many there have been, this one counted.
    pub count: u32,
}

/// Penalties by whatever names the culprit.
#[derive(Debug)]
pub struct Penalties<K> {
    terms: Terms,
    entries: HashMap<K, Penalty>,
}

impl<K: Hash + Eq + Clone> Penalties<K> {
    /// An empty book.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self { terms, entries: HashMap::new() }
    }

    /// Notes an offence and returns the penalty for it. An offence during a penalty does not make it longer: it is only what
    /// was on its way already.
    pub fn punish(&mut self, culprit: K, now: Instant) -> Penalty {
        self.forget(now);
        let before = self.entries.get(&culprit).copied();
        if let Some(penalty) = before.filter(|penalty| penalty.until > now) {
            return penalty;
        }
        let count = before.map_or(1, |penalty| penalty.count.saturating_add(1));
        let doubled = 2_u32.saturating_pow(count - 1);
        let length = self.terms.first.saturating_mul(doubled).min(self.terms.longest);
        if before.is_none() && self.entries.len() >= self.terms.entries {
            let first_to_end = self.entries.iter().min_by_key(|(_, penalty)| penalty.until).map(|(key, _)| key.clone());
            if let Some(key) = first_to_end {
                self.entries.remove(&key);
            }
        }
        let penalty = Penalty { until: now + length, length, count };
        self.entries.insert(culprit, penalty);
        penalty
    }

    /// The penalty that somebody serves now.
    #[must_use]
    pub fn serving(&self, culprit: &K, now: Instant) -> Option<Penalty> {
        self.entries.get(culprit).copied().filter(|penalty| penalty.until > now)
    }

    /// Everybody who serves a penalty now.
    pub fn all(&self, now: Instant) -> impl Iterator<Item = (&K, &Penalty)> {
        self.entries.iter().filter(move |(_, penalty)| penalty.until > now)
    }

    /// Forgives somebody everything; whether there was anything to forgive.
    pub fn lift(&mut self, culprit: &K) -> bool {
        self.entries.remove(culprit).is_some()
    }

    /// An offence is remembered for as long again as its penalty was, and at least as long as the longest one.
    fn forget(&mut self, now: Instant) {
        let longest = self.terms.longest;
        self.entries.retain(|_, penalty| penalty.until + longest > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const TERMS: Terms = Terms { first: MINUTE, longest: Duration::from_secs(300), entries: 2 };

    #[test]
    fn each_penalty_is_twice_as_long_up_to_the_longest() {
        let mut book = Penalties::new(TERMS);
        let mut now = Instant::now();
        for minutes in [1, 2, 4, 5, 5] {
            let penalty = book.punish("mallory", now);
            assert_eq!(penalty.length, minutes * MINUTE);
            assert_eq!(book.punish("mallory", now + MINUTE / 2), penalty, "not longer for what was on its way");
            assert!(book.serving(&"mallory", penalty.until - Duration::from_millis(1)).is_some());
            now = penalty.until;
            assert!(book.serving(&"mallory", now).is_none());
        }
        assert_eq!(book.punish("mallory", now + 2 * TERMS.longest).length, MINUTE, "in the end it is forgotten");
    }

    #[test]
    fn nobody_else_is_touched_and_a_penalty_can_be_lifted() {
        let (mut book, now) = (Penalties::new(TERMS), Instant::now());
        book.punish("mallory", now);
        assert!(book.serving(&"alice", now).is_none());
        assert!(book.lift(&"mallory") && !book.lift(&"mallory"));
        assert!(book.serving(&"mallory", now).is_none());
    }

    #[test]
    fn a_full_book_forgets_who_is_free_first() {
        let (mut book, now) = (Penalties::new(TERMS), Instant::now());
        for (second, culprit) in ["one", "two", "three"].into_iter().enumerate() {
            book.punish(culprit, now + Duration::from_secs(second as u64));
        }
        let mut serving: Vec<_> = book.all(now + Duration::from_secs(3)).map(|(culprit, _)| *culprit).collect();
        serving.sort_unstable();
        assert_eq!(serving, ["three", "two"]);
    }
}
