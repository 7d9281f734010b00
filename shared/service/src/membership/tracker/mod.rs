//! The tracker's register of members: `step(now, event) -> effects`.
//!
//! A member is online until it fails three rounds of probes in a row (suspect in between) and nobody else reaches it either,
//! or says farewell. It is online again with its next registration or as soon as it answers a probe.
//!
//! - `round` judges a round, `rounds` runs one, `pace` says how quickly.
//! - `caution` is the tracker's doubt in itself, `damping` its patience with members that flap.
//! - [`announcing`] tells the others.
//!
//! The register lives in memory and is cheap to copy: a service steps a copy, stores the effects, and only then lets the copy
//! take the place of the original. What the next start needs is in [`Member`]; failed rounds are not, so that everybody gets
//! fresh rounds after a restart.

pub mod announcing;
mod caution;
mod damping;
mod effects;
mod event;
mod member;
mod pace;
mod round;
mod rounds;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use raclette_api::{network::PeerCounts, timeline::TimelineKind};
use raclette_chain::{address::Address, time::Timestamp};

use self::caution::Caution;
pub use self::{
    effects::{Effects, Happening, Listed, Tombstone},
    event::{Event, Refusal},
    member::{Member, MemberState, Newcomer, StoredMember, base_url},
    pace::Pace,
    round::{Finding, HELPERS, Probe, RegisterSettings},
    rounds::{Prober, Round, Testimony, run_round},
};

/// For so many rounds after a restart nobody is called offline.
const SETTLING: u32 = 3;
/// For so long a freed key's old registrations are refused.
const TOMBSTONE: Duration = Duration::from_secs(24 * 3_600);

/// Everybody who ever registered here.
#[derive(Debug, Clone)]
pub struct Register {
    settings: RegisterSettings,
    members: BTreeMap<Address, Arc<Member>>,
    names: BTreeMap<String, Address>,
    version: u64,
    caution: Caution,
    tombstones: BTreeMap<Address, Tombstone>,
    /// How many rounds have to be over before anybody is called offline.
    settling: u32,
}

/// What a register was when it was stored.
#[derive(Debug, Clone, Default)]
pub struct StoredRegister {
    /// Everybody who ever registered.
    pub members: Vec<StoredMember>,
    /// The highest version that was ever given out.
    pub version: u64,
    /// Keys whose names were freed.
    pub tombstones: Vec<Tombstone>,
}

impl Register {
    /// An empty register.
    #[must_use]
    pub fn new(settings: RegisterSettings) -> Self {
        Self {
            settings,
            members: BTreeMap::new(),
            names: BTreeMap::new(),
            version: 0,
            caution: Caution::default(),
            tombstones: BTreeMap::new(),
            settling: 0,
        }
    }

    /// The register as it was stored.
    #[must_use]
    pub fn restored(settings: RegisterSettings, stored: StoredRegister) -> Self {
        let mut register = Self { version: stored.version, settling: SETTLING, ..Self::new(settings) };
        register.tombstones = stored.tombstones.into_iter().map(|tombstone| (tombstone.address, tombstone)).collect();
        for member in stored.members.into_iter().map(Member::from) {
            register.version = register.version.max(member.version);
            register.names.insert(member.name.clone(), member.address());
            register.members.insert(member.address(), Arc::new(member));
        }
        register
    }

    /// Takes an event in.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Result<Effects, Refusal> {
        match event {
            Event::Registered(newcomer) => self.register(now, newcomer),
            Event::Left { address, epoch } => self.leave(now, &address, epoch),
            Event::SignOfLife { address } => self.sign_of_life(now, &address),
            Event::RoundEnded(probes) => Ok(self.end_round(now, &probes)),
            Event::NameFreed { name } => self.free_name(now, &name),
            Event::SelfPreservationOverridden => self.override_caution(),
        }
    }

    /// Whether a registration would be taken, as far as the register can say; asked before the newcomer is called back.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn admits(&self, newcomer: &Newcomer) -> Result<(), Refusal> {
        let address = newcomer.key.address();
        let name = &newcomer.registration.name;
        if let Some(owner) = self.names.get(name).filter(|owner| **owner != address) {
            let state = self.members.get(owner).map_or(MemberState::Offline, |member| member.state);
            return Err(Refusal::NameTaken { name: name.clone(), owner: *owner, state });
        }
        let found = newcomer.registration.epoch;
        let Some(known) = self.members.get(&address) else {
            // Its name was freed: what it signed before must not bring it back.
            let buried = self.tombstones.get(&address).map(|tombstone| tombstone.epoch);
            return match buried {
                Some(current) if found <= current => Err(Refusal::StaleEpoch { current, found }),
                Some(_) | None => Ok(()),
            };
        };
        if known.name != *name {
            return Err(Refusal::KeyHasName { name: known.name.clone() });
        }
        let repeated = known.is_repeated_by(&newcomer.registration) && known.state != MemberState::Left;
        if found > known.epoch() || repeated {
            Ok(())
        } else {
            Err(Refusal::StaleEpoch { current: known.epoch(), found })
        }
    }

    fn register(&mut self, now: Timestamp, newcomer: Newcomer) -> Result<Effects, Refusal> {
        self.admits(&newcomer)?;
        let address = newcomer.key.address();
        if let Some(known) = self.members.get(&address)
            && known.is_repeated_by(&newcomer.registration)
        {
            // Nothing new: the answer got lost, or the peer asks how the genesis block is coming on.
            return self.sign_of_life(now, &address);
        }
        let mut effects = Effects::default();
        let known = self.members.get(&address).cloned();
        let mut member =
            Member::from(StoredMember { newcomer, state: MemberState::Online, version: 0, last_seen: now });
        self.names.insert(member.name.clone(), address);
        self.tombstones.remove(&address);
        effects.returned.push(address);
        let kind = match &known {
            None => TimelineKind::Joined,
            Some(known) if known.is_online() => TimelineKind::Registered,
            Some(_) => TimelineKind::Returned,
        };
        let Some(known) = known else {
            self.put_changed(now, member, kind, &mut effects);
            return Ok(effects);
        };
        member.damping = known.damping.clone();
        member.damping.alive();
        let others_reach_it = known.is_online() && known.is_at(&member.registration);
        if others_reach_it && member.damping.is_flapping(now) {
            // It starts over and over in the same place: the list tells its new epoch, and nobody is disturbed.
            self.put_listed(now, member, known.version, kind, &mut effects);
        } else {
            self.put_changed(now, member, kind, &mut effects);
        }
        Ok(effects)
    }

    fn leave(&mut self, now: Timestamp, address: &Address, epoch: u64) -> Result<Effects, Refusal> {
        let member = self.members.get(address).ok_or(Refusal::UnknownAddress { address: *address })?;
        if epoch != member.epoch() {
            return Err(Refusal::StaleEpoch { current: member.epoch(), found: epoch });
        }
        let mut effects = Effects::default();
        if member.state != MemberState::Left {
            let member = Member { state: MemberState::Left, last_seen: now, failed_rounds: 0, ..Member::clone(member) };
            self.put_changed(now, member, TimelineKind::Left, &mut effects);
        }
        Ok(effects)
    }

    fn sign_of_life(&mut self, now: Timestamp, address: &Address) -> Result<Effects, Refusal> {
        let member = self.members.get(address).ok_or(Refusal::UnknownAddress { address: *address })?.clone();
        let mut effects = Effects::default();
        self.alive(now, &member, &mut effects);
        Ok(effects)
    }

    /// The member gave a sign of life. Who has left stays gone until it registers again.
    fn alive(&mut self, now: Timestamp, member: &Arc<Member>, effects: &mut Effects) {
        let mut alive = Member { last_seen: now.max(member.last_seen), failed_rounds: 0, ..Member::clone(member) };
        alive.damping.alive();
        match member.state {
            MemberState::Online => {
                effects.seen.push(alive.address());
                if member.failed_rounds > 0 {
                    effects.happened.push(Happening::of(TimelineKind::Recovered, member));
                    // What could not be sent meanwhile need not wait for its turn.
                    effects.returned.push(alive.address());
                }
                self.members.insert(alive.address(), Arc::new(alive));
            }
            MemberState::Offline => {
                effects.returned.push(alive.address());
                let alive = Member { state: MemberState::Online, ..alive };
                self.put_changed(now, alive, TimelineKind::Returned, effects);
            }
            MemberState::Left => {}
        }
    }

    fn free_name(&mut self, now: Timestamp, name: &str) -> Result<Effects, Refusal> {
        let unknown = || Refusal::UnknownName { name: name.to_owned() };
        let address = *self.names.get(name).ok_or_else(unknown)?;
        let member = self.members.get(&address).cloned().ok_or_else(unknown)?;
        if member.state == MemberState::Online {
            return Err(Refusal::StillThere { name: name.to_owned(), state: member.state });
        }
        self.names.remove(name);
        self.members.remove(&address);
        let tombstone = Tombstone { address, epoch: member.epoch(), until: now.saturating_add(TOMBSTONE) };
        self.tombstones.insert(address, tombstone);
        let happened = vec![Happening::of(TimelineKind::NameFreed, &member)];
        Ok(Effects { removed: vec![tombstone], happened, ..Effects::default() })
    }

    fn override_caution(&mut self) -> Result<Effects, Refusal> {
        if !self.caution.override_now() {
            return Err(Refusal::NoSelfPreservation);
        }
        let happened = vec![Happening::of_tracker(TimelineKind::SelfPreservationEnded)];
        Ok(Effects { happened, ..Effects::default() })
    }

    /// Puts a member that the others have to hear of, with the next version.
    fn put_changed(&mut self, now: Timestamp, mut member: Member, kind: TimelineKind, effects: &mut Effects) {
        member.damping.told(now);
        let member = self.put(now, member, kind, effects);
        effects.changed.push(member);
    }

    /// Puts a member whose news are in the list for whoever asks, with the next version.
    fn put_listed(&mut self, now: Timestamp, member: Member, previous: u64, kind: TimelineKind, effects: &mut Effects) {
        let member = self.put(now, member, kind, effects);
        effects.listed.push(Listed { member, previous });
    }

    fn put(&mut self, now: Timestamp, member: Member, kind: TimelineKind, effects: &mut Effects) -> Arc<Member> {
        // By the clock, so that versions grow even if the register is lost; by one, when the clock does not.
        self.version = (self.version + 1).max(now.milliseconds());
        let member = Arc::new(Member { version: self.version, ..member });
        self.members.insert(member.address(), member.clone());
        effects.happened.push(Happening::told(kind, &member));
        member
    }

    /// The member with this address.
    #[must_use]
    pub fn member(&self, address: &Address) -> Option<&Arc<Member>> {
        self.members.get(address)
    }

    /// All members in the order of their names, beginning behind `after` (a name).
    pub fn by_name<'a>(&'a self, after: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Member>> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.names
            .range::<str, _>((from, std::ops::Bound::Unbounded))
            .filter_map(|(_, address)| self.members.get(address))
    }

    /// The member with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Member>> {
        self.names.get(name).and_then(|address| self.members.get(address))
    }

    /// Members that changed after a version, in the order of their versions.
    #[must_use]
    pub fn since(&self, version: u64) -> Vec<&Arc<Member>> {
        let mut members: Vec<_> = self.members.values().filter(|member| member.version > version).collect();
        members.sort_by_key(|member| member.version);
        members
    }

    /// The highest version given out.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether so many members were silent in the last round, and nobody could confirm that they are gone, that the tracker
    /// suspects its own connection.
    #[must_use]
    pub fn self_preservation(&self) -> bool {
        self.caution.is_active()
    }

    /// How many members are in which state; who has left is not counted.
    #[must_use]
    pub fn counts(&self) -> PeerCounts {
        let mut counts = PeerCounts::default();
        for member in self.members.values() {
            match (member.state, member.failed_rounds) {
                (MemberState::Online, 0) => counts.online += 1,
                (MemberState::Online, _) => counts.suspect += 1,
                (MemberState::Offline, _) => counts.offline += 1,
                (MemberState::Left, _) => {}
            }
        }
        counts
    }
}
