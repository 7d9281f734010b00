//! Who was listed, and who was not: invariants 12 to 14.

use std::collections::BTreeMap;

use super::{Evidence, History, Member, MemberState};

/// 12. Nobody lists a member in an epoch in which the tracker has declared it gone.
pub(super) fn no_zombie(_: &History, evidence: &Evidence) -> Vec<String> {
    let gone: BTreeMap<&str, &Member> = evidence
        .members
        .iter()
        .filter(|member| member.state == MemberState::Gone)
        .map(|member| (member.address.as_str(), member))
        .collect();
    let mut found = Vec::new();
    for node in &evidence.nodes {
        for member in node.members.iter().filter(|member| member.state == MemberState::Here) {
            if let Some(tombstone) = gone.get(member.address.as_str())
                && member.epoch <= tombstone.epoch
            {
                found.push(format!("{} lists {}, gone in epoch {}", node.name, member.address, tombstone.epoch));
            }
        }
    }
    found
}

/// 13. While the tracker was cut off from all, it called nobody offline who was there.
pub(super) fn no_false_kill(history: &History, _: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for told in &history.told {
        let cut_off = history.tracker_cut_off.iter().any(|interval| interval.contains(told.at));
        let away = history.away.iter().any(|(name, interval)| *name == told.name && interval.contains(told.at));
        if cut_off && !away {
            found.push(format!("{} was called offline after {} ms, while the tracker was cut off", told.name, told.at));
        }
    }
    found
}

/// 14. Whatever a node believes of a member is something that the tracker has told of it.
pub(super) fn authorised(_: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for node in &evidence.nodes {
        for member in &node.members {
            if !evidence.told.contains(&(member.address.clone(), member.version)) {
                found.push(format!(
                    "{} has version {} of {}, which nobody told",
                    node.name, member.version, member.address
                ));
            }
        }
    }
    found
}
