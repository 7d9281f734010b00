//! The race for the next block: who said first that it has found one.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use raclette_chain::{address::Address, hash::BlockHash, header::Header};

use crate::node::State;

/// How long others wait for a block that somebody says to have found.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a member is not believed whose block never came.
const DISTRUST: Duration = Duration::from_secs(600);

/// What is to be done about a `MiningComplete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Mining pauses until the block comes.
    Paused,
    /// The block is there already.
    Known,
    /// Its target or its work is not right, or neither its parent is the tip nor its work above the tip's.
    Irrelevant,
    /// A block of this member never came, not long ago.
    Distrusted,
}

#[derive(Debug, Default)]
struct Claims {
    current: Option<Claim>,
    distrusted: HashMap<Address, Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    block: BlockHash,
    miner: Address,
    until: Instant,
}

/// What others say to have found.
#[derive(Debug, Default)]
pub struct Race(Mutex<Claims>);

impl Race {
    /// Judges a claim whose signature has been verified. `checked` tells whether its header is right on top of its parent.
    pub fn claim(&self, header: &Header, miner: Address, state: &State, checked: bool, now: Instant) -> Verdict {
        let block = header.hash();
        if state.index.get(&block).is_some() {
            return Verdict::Known;
        }
        let extends = header.previous == state.tip().hash;
        let beats = state.index.work_of(header).is_some_and(|work| work > state.tip().work);
        if !checked || !(extends || beats) {
            return Verdict::Irrelevant;
        }
        let mut claims = self.claims();
        Self::settle(&mut claims, |hash| state.index.get(hash).is_some(), now);
        if claims.distrusted.contains_key(&miner) {
            return Verdict::Distrusted;
        }
        if claims.current.is_none() {
            claims.current = Some(Claim { block, miner, until: now + PATIENCE });
        }
        Verdict::Paused
    }

    /// Until when mining pauses, if it does.
    #[must_use]
    pub fn paused_until(&self, state: &State, now: Instant) -> Option<Instant> {
        let mut claims = self.claims();
        Self::settle(&mut claims, |hash| state.index.get(hash).is_some(), now);
        claims.current.map(|claim| claim.until)
    }

    /// Ends a claim whose block has come, or never came; in the second case its miner is not believed for a while.
    fn settle(claims: &mut Claims, is_known: impl Fn(&BlockHash) -> bool, now: Instant) {
        claims.distrusted.retain(|_, since| now.saturating_duration_since(*since) < DISTRUST);
        if let Some(claim) = claims.current {
            if is_known(&claim.block) {
                claims.current = None;
            } else if now >= claim.until {
                tracing::warn!(miner = %claim.miner, block = %claim.block, "a block that a member said to have found never came");
                claims.distrusted.insert(claim.miner, now);
                claims.current = None;
            }
        }
    }

    fn claims(&self) -> std::sync::MutexGuard<'_, Claims> {
        // Whole after every call: a panic elsewhere cannot have left it half written.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
