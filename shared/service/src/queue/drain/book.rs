//! What the drain remembers between two looks at the table: a pure state machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use raclette_chain::{address::Address, time::Timestamp};

use crate::queue::Backoff;

/// Which destinations must not be asked for rows now, and why.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// A request to them is under way.
    in_flight: BTreeSet<Address>,
    /// Attempts failed; they are left alone until a time.
    failing: BTreeMap<Address, Failing>,
    /// Nobody knows where they are.
    absent: BTreeSet<Address>,
}

#[derive(Debug)]
struct Failing {
    in_a_row: u32,
    until: Timestamp,
}

impl Book {
    /// Destinations that got their connection details back, or that asked for no more patience.
    pub(super) fn returned(&mut self, destinations: &BTreeSet<Address>) {
        for destination in destinations {
            self.failing.remove(destination);
        }
    }

    /// Whoever was nowhere to be found may be somewhere by now.
    pub(super) fn look_again(&mut self) {
        self.absent.clear();
    }

    pub(super) fn absent(&mut self, destination: Address) {
        self.absent.insert(destination);
    }

    pub(super) fn started(&mut self, destination: Address) {
        self.in_flight.insert(destination);
    }

    /// The destination answered: with a success, or for this one row with a refusal.
    pub(super) fn answered(&mut self, destination: &Address) {
        self.in_flight.remove(destination);
        self.failing.remove(destination);
    }

    /// An attempt failed in a way that all others to this destination would. Says until when it is left alone: failures
    /// count for the destination as well as for the row, so that a thousand rows don't make a thousand first attempts.
    pub(super) fn failed(
        &mut self,
        destination: Address,
        row_attempts: u32,
        at_least: Option<Duration>,
        now: Timestamp,
        backoff: &Backoff,
        random: f64,
    ) -> Timestamp {
        self.in_flight.remove(&destination);
        let failing = self.failing.entry(destination).or_insert(Failing { in_a_row: 0, until: now });
        failing.in_a_row = failing.in_a_row.saturating_add(1);
        let attempts = failing.in_a_row.max(row_attempts.saturating_add(1));
        let wait = backoff.delay(attempts, random).max(at_least.unwrap_or_default());
        failing.until = now.saturating_add(wait);
        failing.until
    }

    /// How many requests are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Destinations whose rows must be left alone at this time.
    pub(super) fn excluded(&self, now: Timestamp) -> Vec<Address> {
        let held = self.failing.iter().filter(|(_, failing)| failing.until > now).map(|(address, _)| *address);
        let all: BTreeSet<Address> = self.in_flight.iter().chain(&self.absent).copied().chain(held).collect();
        all.into_iter().collect()
    }

    /// When the next failing destination may be tried again.
    pub(super) fn next_release(&self, now: Timestamp) -> Option<Timestamp> {
        self.failing.values().map(|failing| failing.until).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds).unwrap()
    }

    fn address(byte: u8) -> Address {
        Address::from_bytes([byte; 32])
    }

    #[test]
    fn failures_of_a_destination_add_up_over_its_rows_until_it_answers() {
        let mut book = Book::default();
        let backoff = Backoff::default();
        let until: Vec<_> =
            (0..3).map(|_| book.failed(address(1), 0, None, at(0), &backoff, 1.0).milliseconds()).collect();
        assert_eq!(until, [500, 1_000, 2_000]);
        assert_eq!(book.excluded(at(1_999)), [address(1)]);
        assert_eq!(book.excluded(at(2_000)), []);
        assert_eq!(book.next_release(at(0)), Some(at(2_000)));
        book.answered(&address(1));
        assert_eq!(book.failed(address(1), 0, None, at(0), &backoff, 1.0), at(500));
    }

    #[test]
    fn a_row_that_failed_before_a_restart_keeps_its_pace() {
        let mut book = Book::default();
        assert_eq!(book.failed(address(1), 4, None, at(0), &Backoff::default(), 1.0), at(8_000));
    }

    #[test]
    fn a_destination_that_asks_for_patience_gets_it_and_loses_it_when_it_returns() {
        let mut book = Book::default();
        let asked = Some(Duration::from_secs(30));
        assert_eq!(book.failed(address(1), 0, asked, at(0), &Backoff::default(), 0.0), at(30_000));
        book.returned(&BTreeSet::from([address(1)]));
        assert_eq!(book.excluded(at(0)), []);
    }

    #[test]
    fn each_reason_excludes_a_destination() {
        let mut book = Book::default();
        book.started(address(1));
        book.absent(address(2));
        book.failed(address(3), 0, None, at(0), &Backoff::default(), 1.0);
        assert_eq!(book.excluded(at(0)), [address(1), address(2), address(3)]);
        assert_eq!(book.in_flight(), 1);
        book.look_again();
        book.answered(&address(1));
        assert_eq!(book.excluded(at(0)), [address(3)]);
    }
}
