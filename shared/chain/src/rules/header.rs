//! Rules that a header alone must keep, on top of its parent. They are checked before the body is read.

use std::time::Duration;

use crate::{
    difficulty::next_target,
    header::{BLOCK_VERSION, Header},
    parameters::Parameters,
    rules::{BlockError, Rules},
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

/// Checks a header on top of its parent.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_header(header: &Header, parent: &Parent, rules: &Rules, now: Timestamp) -> Result<(), BlockError> {
    version_is_known(header)?;
    extends_parent(header, parent)?;
    height_follows_parent(header, parent)?;
    target_follows_parent(header, parent, &rules.parameters)?;
    hash_meets_target(header)?;
    time_is_above_median(header, parent)?;
    time_is_not_ahead(header, now)
}

/// Checks only that a header has cost work: that its hash meets the target that follows from its parent or, where that is
/// not known, the easiest of the network. Whatever else is wrong with a header that fails here, no honest node sends it.
///
/// # Errors
/// [`BlockError::NotEnoughWork`].
pub fn check_work(header: &Header, parent: Option<&Parent>, parameters: &Parameters) -> Result<(), BlockError> {
    let compact =
        parent.map_or(parameters.first_target, |parent| next_target(&parent.header, header.time, parameters).compact());
    meets_target(header, compact)
}

fn version_is_known(header: &Header) -> Result<(), BlockError> {
    if header.version == BLOCK_VERSION {
        Ok(())
    } else {
        Err(BlockError::UnknownVersion { expected: BLOCK_VERSION, found: header.version })
    }
}

fn extends_parent(header: &Header, parent: &Parent) -> Result<(), BlockError> {
    let expected = parent.header.hash();
    if header.previous == expected {
        Ok(())
    } else {
        Err(BlockError::WrongPrevious { expected, found: header.previous })
    }
}

fn height_follows_parent(header: &Header, parent: &Parent) -> Result<(), BlockError> {
    let expected = parent.header.height.saturating_add(1);
    if header.height == expected { Ok(()) } else { Err(BlockError::WrongHeight { expected, found: header.height }) }
}

fn target_follows_parent(header: &Header, parent: &Parent, parameters: &Parameters) -> Result<(), BlockError> {
    let expected = next_target(&parent.header, header.time, parameters).compact();
    if header.target == expected { Ok(()) } else { Err(BlockError::WrongTarget { expected, found: header.target }) }
}

fn hash_meets_target(header: &Header) -> Result<(), BlockError> {
    meets_target(header, header.target)
}

fn meets_target(header: &Header, target: CompactTarget) -> Result<(), BlockError> {
    let hash = header.hash();
    match target.expand() {
        Some(target) if target.is_met_by(&hash) => Ok(()),
        Some(target) => Err(BlockError::NotEnoughWork { target: target.to_string(), hash }),
        None => Err(BlockError::NotEnoughWork { target: String::from("a canonical target"), hash }),
    }
}

fn time_is_above_median(header: &Header, parent: &Parent) -> Result<(), BlockError> {
    if header.time > parent.median_time {
        Ok(())
    } else {
        Err(BlockError::TimeTooOld { median: parent.median_time, found: header.time })
    }
}

/// Checks that a header is not too far ahead of now: the one rule that a block keeps by waiting.
///
/// # Errors
/// [`BlockError::TimeTooNew`].
pub fn time_is_not_ahead(header: &Header, now: Timestamp) -> Result<(), BlockError> {
    let latest = now.saturating_add(MAX_TIME_AHEAD);
    if header.time <= latest { Ok(()) } else { Err(BlockError::TimeTooNew { latest, found: header.time }) }
}
