//! Rules that a header alone must keep, on top of its parent. They are checked before the body is read.

use std::time::Duration;

use crate::{
    difficulty::next_target,
    header::{BLOCK_VERSION, Header},
    parameters::Parameters,
    rules::{
        BlockError, Explanation, Rules,
        rule::{Finding, Rule},
    },
    target::CompactTarget,
    time::Timestamp,
};

/// How far ahead of now a block's time may be.
pub const MAX_TIME_AHEAD: Duration = Duration::from_secs(120);

/// What the rules need to know of the block before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Its header.
    pub header: Header,
    /// The median of the times of the last eleven blocks, up to and including it.
    pub median_time: Timestamp,
}

/// A header, and what its rules compare it with.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    header: &'a Header,
    parent: &'a Parent,
    rules: &'a Rules,
    now: Timestamp,
}

type HeaderRule = Rule<fn(&Case<'_>) -> Finding<BlockError>>;

/// Every rule about headers, in order.
const RULES: [HeaderRule; 7] = [
    Rule { code: "unknown_version", check: version_is_known },
    Rule { code: "wrong_previous", check: extends_parent },
    Rule { code: "wrong_height", check: height_follows_parent },
    Rule { code: "wrong_target", check: target_follows_parent },
    Rule { code: "not_enough_work", check: hash_meets_target },
    Rule { code: "time_too_old", check: time_is_above_median },
    Rule { code: "time_too_new", check: is_not_ahead },
];

/// Checks a header on top of its parent.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_header(header: &Header, parent: &Parent, rules: &Rules, now: Timestamp) -> Result<(), BlockError> {
    let case = Case { header, parent, rules, now };
    RULES.iter().try_for_each(|rule| (rule.check)(&case).result())
}

/// Checks only that a header has cost work: that its hash meets the target that follows from its parent or, where that is
/// not known, the easiest of the network. Whatever else is wrong with a header that fails here, no honest node sends it.
///
/// # Errors
/// [`BlockError::NotEnoughWork`].
pub fn check_work(header: &Header, parent: Option<&Parent>, parameters: &Parameters) -> Result<(), BlockError> {
    let compact =
        parent.map_or(parameters.first_target, |parent| next_target(&parent.header, header.time, parameters).compact());
    meets_target(header, compact).result()
}

/// Tells of every rule of [`check_header`] how it fares.
pub fn explain_header(header: &Header, parent: &Parent, rules: &Rules, now: Timestamp, explanation: &mut Explanation) {
    let case = Case { header, parent, rules, now };
    for rule in &RULES {
        explanation.rule(rule.code, || (rule.check)(&case));
    }
}

/// Checks that a header is not too far ahead of now: the one rule that a block keeps by waiting.
///
/// # Errors
/// [`BlockError::TimeTooNew`].
pub fn time_is_not_ahead(header: &Header, now: Timestamp) -> Result<(), BlockError> {
    ahead(header, now).result()
}

fn version_is_known(case: &Case<'_>) -> Finding<BlockError> {
    let (expected, found) = (BLOCK_VERSION, case.header.version);
    Finding::new(found == expected, BlockError::UnknownVersion { expected, found })
}

fn extends_parent(case: &Case<'_>) -> Finding<BlockError> {
    let (expected, found) = (case.parent.header.hash(), case.header.previous);
    Finding::new(found == expected, BlockError::WrongPrevious { expected, found })
}

fn height_follows_parent(case: &Case<'_>) -> Finding<BlockError> {
    let (expected, found) = (case.parent.header.height.saturating_add(1), case.header.height);
    Finding::new(found == expected, BlockError::WrongHeight { expected, found })
}

fn target_follows_parent(case: &Case<'_>) -> Finding<BlockError> {
    let expected = next_target(&case.parent.header, case.header.time, &case.rules.parameters).compact();
    let found = case.header.target;
    Finding::new(found == expected, BlockError::WrongTarget { expected, found })
}

fn hash_meets_target(case: &Case<'_>) -> Finding<BlockError> {
    meets_target(case.header, case.header.target)
}

fn meets_target(header: &Header, target: CompactTarget) -> Finding<BlockError> {
    let hash = header.hash();
    let target = target.expand();
    let holds = target.is_some_and(|target| target.is_met_by(&hash));
    let target = target.map_or_else(|| String::from("a canonical target"), |target| target.to_string());
    Finding::new(holds, BlockError::NotEnoughWork { target, hash })
}

fn time_is_above_median(case: &Case<'_>) -> Finding<BlockError> {
    let (median, found) = (case.parent.median_time, case.header.time);
    Finding::new(found > median, BlockError::TimeTooOld { median, found })
}

fn is_not_ahead(case: &Case<'_>) -> Finding<BlockError> {
    ahead(case.header, case.now)
}

fn ahead(header: &Header, now: Timestamp) -> Finding<BlockError> {
    let (latest, found) = (now.saturating_add(MAX_TIME_AHEAD), header.time);
    Finding::new(found <= latest, BlockError::TimeTooNew { latest, found })
}
