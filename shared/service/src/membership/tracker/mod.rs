//! The tracker's register of members: `step(now, event) -> effects`.
//!
//! A member is online until it fails three rounds of probes in a row (suspect in between), says farewell, or is freed by the
//! operator. It is online again with its next registration or as soon as it answers a probe.
//!
//! The register lives in memory and is cheap to copy: a service steps a copy, stores the effects, and only then lets the copy
//! take the place of the original. What the next start needs is in [`Member`]; failed rounds are not, so that everybody gets
//! fresh rounds after a restart.

mod member;
mod round;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use raclette_api::network::PeerCounts;
use raclette_chain::{address::Address, time::Timestamp};

use self::round::Caution;
pub use self::{
    member::{Member, MemberState, Newcomer, base_url},
    round::{Probe, RegisterSettings},
};

/// Everybody who ever registered here.
#[derive(Debug, Clone)]
pub struct Register {
    settings: RegisterSettings,
    members: BTreeMap<Address, Arc<Member>>,
    names: BTreeMap<String, Address>,
    version: u64,
    caution: Caution,
}

/// What the register hears.
#[derive(Debug, Clone)]
pub enum Event {
    /// A registration whose signature holds, from a peer that answered a challenge at the address in it.
    Registered(Newcomer),
    /// A farewell whose signature holds.
    Left {
        /// Who leaves.
        address: Address,
        /// The epoch it leaves.
        epoch: u64,
    },
    /// Any other request of a member whose signature holds.
    SignOfLife {
        /// Whose.
        address: Address,
    },
    /// A round of probes is over.
    RoundEnded(Vec<Probe>),
    /// The operator frees a name.
    NameFreed {
        /// The name.
        name: String,
    },
}

/// Why the register does not take an event. It has not changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name belongs to another key.
    #[error("the name {name} belongs to {owner}, which is {}", .state.as_str())]
    NameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        owner: Address,
        /// Whether the owner is there.
        state: MemberState,
    },
    /// The key is registered under another name.
    #[error("this key is registered as {name}")]
    KeyHasName {
        /// That name.
        name: String,
    },
    /// A newer epoch is known, or this one with another registration.
    #[error("epoch {found} is not above {current}")]
    StaleEpoch {
        /// The epoch known.
        current: u64,
        /// The epoch given.
        found: u64,
    },
    /// Nobody with this address ever registered.
    #[error("{address} is not registered here")]
    UnknownAddress {
        /// The address.
        address: Address,
    },
    /// Nobody has this name.
    #[error("nobody is registered as {name}")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// A name cannot be freed while its owner is there.
    #[error("{name} is {}", .state.as_str())]
    StillThere {
        /// The name.
        name: String,
        /// The owner's state.
        state: MemberState,
    },
}

/// What follows from an event.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Members with a new version, as they are now: to be stored, and all others have to hear of them.
    pub changed: Vec<Arc<Member>>,
    /// Members of whom only [`Member::last_seen`] has changed.
    pub seen: Vec<Address>,
    /// Members that came online: what waits for them is due.
    pub returned: Vec<Address>,
    /// Members to forget.
    pub removed: Vec<Address>,
}

impl Register {
    /// An empty register.
    #[must_use]
    pub fn new(settings: RegisterSettings) -> Self {
        Self { settings, members: BTreeMap::new(), names: BTreeMap::new(), version: 0, caution: Caution::default() }
    }

    /// The register as it was stored. `version` is the highest that was ever given out.
    #[must_use]
    pub fn restored(settings: RegisterSettings, members: impl IntoIterator<Item = Member>, version: u64) -> Self {
        let mut register = Self { version, ..Self::new(settings) };
        for member in members {
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
            Event::NameFreed { name } => self.free_name(&name),
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
        let Some(known) = self.members.get(&address) else { return Ok(()) };
        if known.name != *name {
            return Err(Refusal::KeyHasName { name: known.name.clone() });
        }
        let found = newcomer.registration.epoch;
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
        let member = Member {
            name: newcomer.registration.name.clone(),
            key: newcomer.key,
            registration: Arc::new(newcomer.registration),
            state: MemberState::Online,
            version: 0,
            last_seen: now,
            failed_rounds: 0,
        };
        self.names.insert(member.name.clone(), address);
        effects.returned.push(address);
        self.put_changed(now, member, &mut effects);
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
            self.put_changed(now, member, &mut effects);
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
        let alive = Member { last_seen: now.max(member.last_seen), failed_rounds: 0, ..Member::clone(member) };
        match member.state {
            MemberState::Online => {
                effects.seen.push(alive.address());
                self.members.insert(alive.address(), Arc::new(alive));
            }
            MemberState::Offline => {
                effects.returned.push(alive.address());
                self.put_changed(now, Member { state: MemberState::Online, ..alive }, effects);
            }
            MemberState::Left => {}
        }
    }

    fn free_name(&mut self, name: &str) -> Result<Effects, Refusal> {
        let unknown = || Refusal::UnknownName { name: name.to_owned() };
        let address = *self.names.get(name).ok_or_else(unknown)?;
        let member = self.members.get(&address).ok_or_else(unknown)?;
        if member.state == MemberState::Online {
            return Err(Refusal::StillThere { name: name.to_owned(), state: member.state });
        }
        self.names.remove(name);
        self.members.remove(&address);
        Ok(Effects { removed: vec![address], ..Effects::default() })
    }

    /// Puts a member that the others have to hear of, with the next version.
    fn put_changed(&mut self, now: Timestamp, member: Member, effects: &mut Effects) {
        // By the clock, so that versions grow even if the register is lost; by one, when the clock does not.
        self.version = (self.version + 1).max(now.milliseconds());
        let member = Arc::new(Member { version: self.version, ..member });
        self.members.insert(member.address(), member.clone());
        effects.changed.push(member);
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

    /// The highest version given out.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether the last round failed so widely that the tracker suspects its own connection and reported nobody.
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
