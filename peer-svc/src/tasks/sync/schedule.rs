//! Which blocks are asked for when, and from whom: a pure state machine.
//!
//! Blocks have positions, counted from the first that is wanted. A range of them is asked for at a time; several ranges are
//! in flight, from several members. How far ahead of what has been stored already is bounded in blocks and in bytes, but
//! the first range that is missing may always be asked for. A member that does not answer in time loses its range to
//! another one and rests, longer each time; one that lacks the blocks, or fails again and again, is not asked any more.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Names a range that was asked for.
pub(super) type Ticket = u64;
/// Names a member, by its place in the list of those that may be asked.
pub(super) type Source = usize;

/// How much may be in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Ranges in flight over all.
    pub(super) ranges: usize,
    /// Ranges in flight from one member.
    pub(super) ranges_each: usize,
    /// Blocks in a range.
    pub(super) range_blocks: u64,
    /// About how many bytes a range should have; the member ends a page there.
    pub(super) range_bytes: usize,
    /// How many blocks ahead of what is stored may be asked for.
    pub(super) ahead_blocks: u64,
    /// How many bytes may have arrived without being stored.
    pub(super) held_bytes: usize,
    /// How long a range may take; it doubles with each time that the range failed.
    pub(super) patience: Duration,
    /// The longest patience, and the longest rest.
    pub(super) longest: Duration,
    /// After so many failures in a row a member is not asked any more.
    pub(super) failures: u32,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// So many more blocks are wanted.
    Wanted(u64),
    /// The first blocks of a range have come, perhaps all of them, with so many bytes.
    Arrived { ticket: Ticket, blocks: u64, bytes: usize },
    /// The member failed to answer, or answered nonsense.
    Failed(Ticket),
    /// The member has not got these blocks.
    Lacking(Ticket),
    /// All blocks up to this position, and so many bytes, have been stored.
    Stored { until: u64, bytes: usize },
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Ask a member for a range.
    Ask { ticket: Ticket, source: Source, from: u64, count: u64 },
    /// Do not wait for this range any more.
    Abandon(Ticket),
    /// Nobody is left who could be asked.
    GiveUp,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    source: Source,
    from: u64,
    count: u64,
    failures: u32,
    deadline: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    flights: usize,
    failures: u32,
    rests_until: Option<Instant>,
    gone: bool,
}

/// The blocks that came back without having come: how many, and how often that happened.
#[derive(Debug, Clone, Copy)]
struct Gap {
    count: u64,
    failures: u32,
}

/// The schedule.
#[derive(Debug)]
pub(super) struct Schedule {
    bounds: Bounds,
    members: Vec<Member>,
    flights: BTreeMap<Ticket, Flight>,
    gaps: BTreeMap<u64, Gap>,
    /// Behind the last that is wanted, behind the last that was asked for, behind the last that is stored.
    end: u64,
    asked: u64,
    stored: u64,
    held_bytes: usize,
    /// Bytes a block, as far as is known.
    block_bytes: Option<usize>,
    next_ticket: Ticket,
}

impl Schedule {
    /// Nothing is wanted yet; so many members may be asked.
    pub(super) fn new(bounds: Bounds, members: usize) -> Self {
        let member = Member { flights: 0, failures: 0, rests_until: None, gone: false };
        Self {
            bounds,
            members: vec![member; members],
            flights: BTreeMap::new(),
            gaps: BTreeMap::new(),
            end: 0,
            asked: 0,
            stored: 0,
            held_bytes: 0,
            block_bytes: None,
            next_ticket: 0,
        }
    }

    /// How many wanted blocks have not been asked for yet.
    pub(super) fn unasked(&self) -> u64 {
        self.end - self.asked
    }

    /// Whether everything that is wanted is stored.
    pub(super) fn is_done(&self) -> bool {
        self.stored == self.end
    }

    /// When [`Event::Tick`] is due at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let flights = self.flights.values().map(|flight| flight.deadline);
        let rests = self.members.iter().filter(|member| !member.gone).filter_map(|member| member.rests_until);
        flights.chain(rests).min()
    }

    /// Takes notice of an event.
    pub(super) fn step(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Wanted(count) => self.end += count,
            Event::Arrived { ticket, blocks, bytes } => self.arrived(ticket, blocks, bytes),
            Event::Failed(ticket) => self.failed(now, ticket),
            Event::Lacking(ticket) => {
                if let Some(flight) = self.land(ticket) {
                    self.members[flight.source].gone = true;
                    self.put_back(flight.from, flight.count, flight.failures);
                }
            }
            Event::Stored { until, bytes } => {
                self.stored = self.stored.max(until);
                self.held_bytes = self.held_bytes.saturating_sub(bytes);
            }
            Event::Tick => {}
        }
        for member in &mut self.members {
            member.rests_until = member.rests_until.filter(|until| *until > now);
        }
        let late: Vec<_> =
            self.flights.iter().filter(|(_, flight)| flight.deadline <= now).map(|(id, _)| *id).collect();
        for ticket in late {
            self.failed(now, ticket);
            effects.push(Effect::Abandon(ticket));
        }
        self.ask(now, &mut effects);
        if self.flights.is_empty() && !self.has_nothing_to_ask() && self.members.iter().all(|member| member.gone) {
            effects.push(Effect::GiveUp);
        }
        effects
    }

    fn has_nothing_to_ask(&self) -> bool {
        self.gaps.is_empty() && self.asked == self.end
    }

    fn arrived(&mut self, ticket: Ticket, blocks: u64, bytes: usize) {
        let Some(flight) = self.land(ticket) else { return };
        let member = &mut self.members[flight.source];
        (member.failures, member.rests_until) = (0, None);
        self.held_bytes += bytes;
        if let Some(found) = usize::try_from(blocks).ok().and_then(|blocks| bytes.checked_div(blocks)) {
            // Half of what was thought before, half of what is seen now.
            self.block_bytes = Some(self.block_bytes.map_or(found, |before| before.midpoint(found)).max(1));
        }
        if blocks < flight.count {
            self.put_back(flight.from + blocks, flight.count - blocks, 0);
        }
    }

    fn failed(&mut self, now: Instant, ticket: Ticket) {
        let Some(flight) = self.land(ticket) else { return };
        let member = &mut self.members[flight.source];
        // Several ranges that fail at the same time are one failure.
        if member.rests_until.is_none() {
            member.failures += 1;
            member.gone |= member.failures >= self.bounds.failures;
            member.rests_until = Some(now + doubled(self.bounds.patience, member.failures - 1, self.bounds.longest));
        }
        self.put_back(flight.from, flight.count, flight.failures + 1);
    }

    fn land(&mut self, ticket: Ticket) -> Option<Flight> {
        let flight = self.flights.remove(&ticket)?;
        self.members[flight.source].flights -= 1;
        Some(flight)
    }

    fn put_back(&mut self, from: u64, count: u64, failures: u32) {
        self.gaps.insert(from, Gap { count, failures });
    }

    /// Asks for as much as the bounds allow.
    fn ask(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        while self.flights.len() < self.bounds.ranges {
            let Some(source) = self.idlest() else { return };
            let Some((from, gap)) = self.next_range() else { return };
            // What waits to be stored waits for the lowest range.
            let is_first = self.flights.values().all(|flight| flight.from > from);
            let is_too_far =
                from >= self.stored + self.bounds.ahead_blocks || self.expected_bytes() > self.bounds.held_bytes;
            if is_too_far && !is_first {
                return;
            }
            let count = gap.count.min(self.range_length(gap.failures));
            self.take_range(from, gap, count);
            let ticket = self.next_ticket;
            self.next_ticket += 1;
            let patience = doubled(self.bounds.patience, gap.failures, self.bounds.longest);
            let flight = Flight { source, from, count, failures: gap.failures, deadline: now + patience };
            self.flights.insert(ticket, flight);
            self.members[source].flights += 1;
            effects.push(Effect::Ask { ticket, source, from, count });
        }
    }

    /// The member with the fewest ranges in flight, of those that may be asked now.
    fn idlest(&self) -> Option<Source> {
        let ready =
            |member: &Member| !member.gone && member.rests_until.is_none() && member.flights < self.bounds.ranges_each;
        let members = self.members.iter().enumerate().filter(|(_, member)| ready(member));
        members.min_by_key(|(_, member)| member.flights).map(|(source, _)| source)
    }

    /// What comes next: what came back, the lowest first, then what was never asked for.
    fn next_range(&self) -> Option<(u64, Gap)> {
        let fresh = (self.asked < self.end).then(|| (self.asked, Gap { count: self.end - self.asked, failures: 0 }));
        self.gaps.first_key_value().map(|(from, gap)| (*from, *gap)).or(fresh)
    }

    fn take_range(&mut self, from: u64, gap: Gap, count: u64) {
        if self.gaps.remove(&from).is_some() {
            if count < gap.count {
                self.put_back(from + count, gap.count - count, gap.failures);
            }
        } else {
            self.asked += count;
        }
    }

    /// How many blocks to ask for: as many as a page will hold, fewer where it failed before.
    fn range_length(&self, failures: u32) -> u64 {
        /// As long as nobody knows how large blocks are here.
        const AT_FIRST: u64 = 16;
        let fits = self.block_bytes.map_or(AT_FIRST, |bytes| (self.bounds.range_bytes / bytes) as u64);
        (fits.min(self.bounds.range_blocks) >> (2 * failures).min(63)).max(1)
    }

    /// The bytes that have arrived, and those that are about to.
    fn expected_bytes(&self) -> usize {
        let bytes = self.block_bytes.unwrap_or(0);
        let flying: u64 = self.flights.values().map(|flight| flight.count).sum();
        self.held_bytes.saturating_add(bytes.saturating_mul(usize::try_from(flying).unwrap_or(usize::MAX)))
    }
}

fn doubled(time: Duration, times: u32, longest: Duration) -> Duration {
    time.saturating_mul(2_u32.saturating_pow(times)).min(longest)
}

#[cfg(test)]
mod tests;
