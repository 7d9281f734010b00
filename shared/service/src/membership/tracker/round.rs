//! Rounds of probes: who becomes suspect, who offline, who is back, and when the tracker must doubt itself.

use std::sync::Arc;

use raclette_chain::{address::Address, time::Timestamp};

use super::{Effects, Member, MemberState, Register};

/// How one probe of a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Who was probed.
    pub address: Address,
    /// The epoch at which it was probed: a peer that registered meanwhile is not judged by it.
    pub epoch: u64,
    /// When the probe began: a sign of life since then counts for more.
    pub started: Timestamp,
    /// Whether this very peer answered. Who has reached it, the tracker or another peer on its behalf, makes no difference.
    pub answered: bool,
}

/// When members are called offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisterSettings {
    /// After how many failed rounds in a row a member is offline; at least 1.
    pub failed_rounds: u32,
    /// From how many members failing newly in one round the tracker doubts itself, whatever their share.
    pub doubt_from: usize,
    /// From which share of the online members on, in percent, if they are at least `doubt_from`.
    pub doubt_percent: usize,
    /// How many rounds in a row doubt may last while somebody still answers. Then the others are taken to be gone.
    pub patience: u32,
}

impl Default for RegisterSettings {
    fn default() -> Self {
        Self { failed_rounds: 3, doubt_from: 3, doubt_percent: 55, patience: 10 }
    }
}

/// The tracker's doubt in its own connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Caution {
    doubtful_rounds: u32,
}

impl Caution {
    pub(super) fn is_active(self) -> bool {
        self.doubtful_rounds > 0
    }
}

impl Register {
    pub(super) fn end_round(&mut self, now: Timestamp, probes: &[Probe]) -> Effects {
        let mut effects = Effects::default();
        let judged: Vec<(Arc<Member>, bool)> = probes.iter().filter_map(|probe| self.judged(probe)).collect();
        for (member, _) in judged.iter().filter(|(_, answered)| *answered) {
            self.alive(now, member, &mut effects);
        }
        if self.doubts(&judged) {
            // A round that says more about the tracker's own connection than about its members does not count for anybody.
            self.caution.doubtful_rounds = self.caution.doubtful_rounds.saturating_add(1);
            return effects;
        }
        self.caution = Caution::default();
        for (member, _) in judged.iter().filter(|(_, answered)| !answered) {
            self.failed(now, member, &mut effects);
        }
        effects
    }

    /// The member that a probe is about and whether it lives, if the probe still says anything about it.
    fn judged(&self, probe: &Probe) -> Option<(Arc<Member>, bool)> {
        let member = self.members.get(&probe.address)?;
        if member.epoch() != probe.epoch || member.state == MemberState::Left {
            return None;
        }
        let seen_since = member.last_seen > probe.started;
        (probe.answered || !seen_since).then(|| (member.clone(), probe.answered))
    }

    /// Whether so many members failed newly in this round that the fault is rather the tracker's.
    fn doubts(&self, judged: &[(Arc<Member>, bool)]) -> bool {
        let RegisterSettings { doubt_from, doubt_percent, patience, .. } = self.settings;
        let online = self.members.values().filter(|member| member.state == MemberState::Online).count();
        let failed_newly = judged
            .iter()
            .filter(|(member, answered)| !answered && member.state == MemberState::Online && member.failed_rounds == 0)
            .count();
        let widespread = failed_newly >= doubt_from.max((online * doubt_percent).div_ceil(100));
        let somebody_answers = judged.iter().any(|(_, answered)| *answered);
        widespread && !(somebody_answers && self.caution.doubtful_rounds >= patience)
    }

    fn failed(&mut self, now: Timestamp, member: &Arc<Member>, effects: &mut Effects) {
        if member.state != MemberState::Online {
            return;
        }
        let failed_rounds = member.failed_rounds.saturating_add(1);
        let failed = Member { failed_rounds, ..Member::clone(member) };
        if failed_rounds >= self.settings.failed_rounds {
            self.put_changed(now, Member { state: MemberState::Offline, ..failed }, effects);
        } else {
            self.members.insert(failed.address(), Arc::new(failed));
        }
    }
}
