//! The pending transactions, in the plainest way: a map, and everything counted anew each time. The bounds in number and bytes
//! are never reached here; they have tests of their own.

use std::collections::BTreeMap;

use raclette_chain::hash::TransactionId;

use super::{
    books::Books,
    pool::{Kind, OWNER, PEOPLE, Paper, STRANGER},
};

/// Pending transactions by sender and sequence number, and the owner's that wait to be offered again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    pub(crate) papers: BTreeMap<(usize, u64), Paper>,
    pub(crate) waiting: BTreeMap<u64, Paper>,
}

impl Pending {
    pub(crate) fn contains(&self, id: &TransactionId) -> bool {
        self.papers.values().any(|paper| paper.signed.id() == *id)
    }

    fn cost_of(&self, sender: usize) -> u64 {
        self.papers.values().filter(|paper| paper.sender == sender).map(Paper::cost).sum()
    }

    /// What is said of a transaction that is submitted; it is pending then if it was accepted.
    pub(crate) fn submit(&mut self, paper: &Paper, books: &Books, next_height: u32, confirmed: bool) -> &'static str {
        let is_used = paper.sequence < books.next[paper.sender];
        let is_known = self.contains(&paper.signed.id());
        let is_member = paper.sender != STRANGER;
        // Cheap checks first, so that no signature is verified for what is refused anyway.
        if !is_known && !is_used {
            if let Err(code) = alone(paper, next_height, is_member) {
                return code;
            }
            if paper.cost() > books.units[paper.sender] {
                return "insufficient_funds";
            }
        }
        if paper.kind == Kind::Forged {
            return "bad_signature";
        }
        if is_used && confirmed {
            return "confirmed";
        }
        match self.add(paper, books, next_height, is_member) {
            Ok(is_new) => {
                if paper.sender == OWNER {
                    self.waiting.remove(&paper.sequence);
                }
                if is_new { "accepted" } else { "known" }
            }
            Err(code) => code,
        }
    }

    /// Adds a transaction; false if it was there.
    fn add(&mut self, paper: &Paper, books: &Books, next_height: u32, is_member: bool) -> Result<bool, &'static str> {
        if self.contains(&paper.signed.id()) {
            return Ok(false);
        }
        alone(paper, next_height, is_member)?;
        if paper.sequence < books.next[paper.sender] {
            return Err("wrong_sequence");
        }
        let place = (paper.sender, paper.sequence);
        let replaced = self.papers.get(&place);
        if replaced.is_some_and(|replaced| paper.fee <= replaced.fee) {
            return Err("fee_too_low_to_replace");
        }
        let others = self.cost_of(paper.sender) - replaced.map_or(0, Paper::cost);
        if others + paper.cost() > books.units[paper.sender] {
            return Err("insufficient_funds");
        }
        self.papers.insert(place, paper.clone());
        Ok(true)
    }

    /// Follows the chain to another tip. `losing` is what its blocks had confirmed, in order; how many of these came back.
    pub(crate) fn follow(&mut self, connected: &[Paper], losing: &[Paper], books: &Books, next_height: u32) -> usize {
        self.papers.retain(|_, paper| !connected.iter().any(|other| other.signed.id() == paper.signed.id()));
        for person in 0..PEOPLE {
            self.papers.retain(|(sender, sequence), _| *sender != person || *sequence >= books.next[person]);
            while self.cost_of(person) > books.units[person] {
                let last = self.papers.keys().filter(|(sender, _)| *sender == person).max().copied().unwrap();
                self.papers.remove(&last);
            }
        }
        let mut returned = 0;
        for paper in losing {
            if paper.sequence < books.next[paper.sender] {
                continue;
            }
            // Somebody has taken it once: whoever sent it counts as a member.
            match self.add(paper, books, next_height, true) {
                Ok(is_new) => returned += usize::from(is_new),
                Err("insufficient_funds") => {}
                Err(_) => self.wait(paper),
            }
        }
        let has_expired = |paper: &Paper| paper.valid_until != 0 && paper.valid_until < next_height;
        for (_, paper) in self.papers.extract_if(.., |_, paper| has_expired(paper)).collect::<Vec<_>>() {
            self.wait(&paper);
        }
        self.waiting.retain(|sequence, _| *sequence >= books.next[OWNER]);
        returned
    }

    fn wait(&mut self, paper: &Paper) {
        if paper.sender == OWNER {
            self.waiting.insert(paper.sequence, paper.clone());
        }
    }
}

/// What can be said of a transaction without any other.
fn alone(paper: &Paper, next_height: u32, is_member: bool) -> Result<(), &'static str> {
    if paper.valid_until != 0 && paper.valid_until < next_height {
        Err("expired")
    } else if let Some(code) = paper.kind.refused_for_its_time() {
        Err(code)
    } else if paper.fee == 0 && !is_member {
        Err("free_for_members_only")
    } else {
        Ok(())
    }
}
