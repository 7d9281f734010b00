//! What a round of probes means: who becomes suspect, who offline, who is back, and whom others have to be asked about.

use std::sync::Arc;

use raclette_api::timeline::TimelineKind;
use raclette_chain::{address::Address, time::Timestamp};

use super::{Effects, Happening, Member, MemberState, Register, caution::Caution, caution::Turn};

/// How many others are asked to look for a member before it is called offline.
pub const HELPERS: usize = 3;

/// What a round found out about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// This very member has answered: the tracker, or another member on its behalf, with its own signature.
    Alive,
    /// It has not answered the tracker, and nobody could say more.
    Silent,
    /// It has not answered the tracker, nor another member that does answer the tracker.
    Gone,
}

/// How the probe of one member ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Who was probed.
    pub address: Address,
    /// The epoch at which it was probed: a member that registered meanwhile is not judged by it.
    pub epoch: u64,
    /// When the probe began: a sign of life since then counts for more.
    pub started: Timestamp,
    /// What was found.
    pub finding: Finding,
}

/// When members are called offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterSettings {
    /// After how many failed rounds in a row a member is offline; at least 1.
    pub failed_rounds: u32,
}

impl Default for RegisterSettings {
    fn default() -> Self {
        Self { failed_rounds: 3 }
    }
}

impl Register {
    /// Whom others have to be asked about before this round of direct probes is judged: members that would be offline after
    /// it, and everybody who failed if so many did that the tracker must doubt itself.
    #[must_use]
    pub fn in_question(&self, probes: &[Probe]) -> Vec<Address> {
        let failed: Vec<Arc<Member>> = self.failing(probes).map(|(member, _)| member).collect();
        let widespread = Caution::is_widespread(failed.len(), self.online());
        let decided = |member: &&Arc<Member>| widespread || member.failed_rounds + 1 >= self.settings.failed_rounds;
        failed.iter().filter(decided).map(|member| member.address()).collect()
    }

    pub(super) fn end_round(&mut self, now: Timestamp, probes: &[Probe]) -> Effects {
        let mut effects = Effects::default();
        self.settling = self.settling.saturating_sub(1);
        self.tombstones.retain(|_, tombstone| !tombstone.is_over(now));
        let online = self.online();
        for probe in probes.iter().filter(|probe| probe.finding == Finding::Alive) {
            if let Some(member) = self.judged(probe) {
                self.alive(now, &member, &mut effects);
            }
        }
        let failing: Vec<(Arc<Member>, Finding)> = self.failing(probes).collect();
        let unconfirmed = failing.iter().filter(|(_, finding)| *finding == Finding::Silent).count();
        match self.caution.round(unconfirmed, online) {
            Turn::None => {}
            Turn::Began => effects.happened.push(Happening::of_tracker(TimelineKind::SelfPreservationBegan)),
            Turn::Ended => effects.happened.push(Happening::of_tracker(TimelineKind::SelfPreservationEnded)),
        }
        for (member, finding) in failing {
            // While the tracker doubts itself, only what somebody else has seen too counts.
            if finding == Finding::Gone || !self.caution.is_active() {
                self.failed(now, &member, &mut effects);
            }
        }
        effects
    }

    /// The member that a probe is about, if the probe still says anything about it.
    fn judged(&self, probe: &Probe) -> Option<Arc<Member>> {
        let member = self.members.get(&probe.address)?;
        let current = member.epoch() == probe.epoch && member.state != MemberState::Left;
        current.then(|| member.clone())
    }

    /// Members that are called online and did not answer, nor gave any other sign of life since they were probed.
    ///
    /// Suspects are among them: a cut that begins in the middle of a round fails some members now and the rest in the next
    /// round, and would look harmless twice if only new failures counted.
    fn failing<'a>(&'a self, probes: &'a [Probe]) -> impl Iterator<Item = (Arc<Member>, Finding)> + 'a {
        probes.iter().filter(|probe| probe.finding != Finding::Alive).filter_map(|probe| {
            let member = self.judged(probe)?;
            let failing = member.is_online() && member.last_seen <= probe.started;
            failing.then_some((member, probe.finding))
        })
    }

    fn online(&self) -> usize {
        self.members.values().filter(|member| member.is_online()).count()
    }

    fn failed(&mut self, now: Timestamp, member: &Arc<Member>, effects: &mut Effects) {
        let mut failed = Member::clone(member);
        failed.failed_rounds = failed.failed_rounds.saturating_add(1);
        if failed.failed_rounds == 1 {
            effects.happened.push(Happening::of(TimelineKind::Suspected, member));
        }
        // After a restart of the tracker everybody gets fresh rounds, whatever the settings say.
        let settled = self.settling == 0;
        if settled && failed.failed_rounds >= self.settings.failed_rounds && failed.damping.lets_go(now) {
            failed.state = MemberState::Offline;
            self.put_changed(now, failed, TimelineKind::Offline, effects);
        } else {
            self.members.insert(failed.address(), Arc::new(failed));
        }
    }
}
