//! Who makes the genesis block: one peer at a time, for a limited time. Pure.

use std::time::Duration;

use raclette_chain::{address::Address, genesis::Genesis, parameters::Parameters, time::Timestamp};

use super::NodeError;

/// How far ahead of the tracker's clock a genesis block may be, as any block.
const FUTURE: Duration = Duration::from_secs(120);
/// The longest pause before a waiting peer asks again.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// The shortest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// The right to make the genesis block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose.
    pub holder: Address,
    /// The holder's name.
    pub name: String,
    /// When it ends.
    pub until: Timestamp,
    /// Whether the holder belongs to a network already and only has to report its genesis block: the tracker has lost its
    /// file then.
    pub has_network: bool,
}

/// What a registered peer has to do about the genesis block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Nothing: it exists.
    Nothing,
    /// Make it, or report the one it has.
    Make,
    /// Ask again after this long.
    Wait(Duration),
}

/// Decides about a peer that has just registered while there is no genesis block.
///
/// The lease goes to the first who asks, and to the next when it ends. Its holder gets it anew when it registers again. A
/// peer that already belongs to a network comes before one that would have to make a new one.
pub(super) fn assign(
    lease: &mut Option<Lease>,
    now: Timestamp,
    holder: Address,
    name: &str,
    has_network: bool,
    length: Duration,
) -> Task {
    let free = lease
        .as_ref()
        .is_none_or(|lease| lease.until <= now || lease.holder == holder || (has_network && !lease.has_network));
    if free {
        let until = now.saturating_add(length);
        *lease = Some(Lease { holder, name: name.to_owned(), until, has_network });
        return Task::Make;
    }
    let left = lease.as_ref().map_or(0, |lease| lease.until.milliseconds().saturating_sub(now.milliseconds()));
    Task::Wait(Duration::from_millis(left).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

/// Whether a reported genesis block can begin this network.
pub(super) fn check(
    reported: &Genesis,
    known: Option<&Genesis>,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<(), NodeError> {
    if let Some(known) = known {
        // The same report again: its answer got lost.
        return if known == reported { Ok(()) } else { Err(NodeError::GenesisExists(Box::new(known.clone()))) };
    }
    if reported.parameters != *parameters {
        return Err(NodeError::OtherParameters {
            expected: Box::new(parameters.clone()),
            found: Box::new(reported.parameters.clone()),
        });
    }
    if reported.time > now.saturating_add(FUTURE) {
        return Err(NodeError::FutureGenesis { now, found: reported.time });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds).unwrap()
    }

    fn peer(byte: u8) -> Address {
        Address::from_bytes([byte; 32])
    }

    fn ask(lease: &mut Option<Lease>, now: u64, byte: u8, has_network: bool) -> Task {
        assign(lease, at(now), peer(byte), "peer", has_network, LEASE)
    }

    #[test]
    fn one_peer_at_a_time_makes_it_and_the_next_only_when_the_lease_ends() {
        let mut lease = None;
        assert_eq!(ask(&mut lease, 0, 1, false), Task::Make);
        assert_eq!(ask(&mut lease, 1, 2, false), Task::Wait(LONGEST_PAUSE));
        assert_eq!(ask(&mut lease, 14_900, 2, false), Task::Wait(Duration::from_millis(100)));
        assert_eq!(ask(&mut lease, 15_000, 2, false), Task::Make);
        assert_eq!(ask(&mut lease, 15_001, 1, false), Task::Wait(LONGEST_PAUSE));
    }

    #[test]
    fn the_holder_gets_it_anew_when_it_asks_again() {
        let mut lease = None;
        ask(&mut lease, 0, 1, false);
        assert_eq!(ask(&mut lease, 10_000, 1, false), Task::Make);
        assert_eq!(lease.unwrap().until, at(25_000));
    }

    #[test]
    fn a_peer_that_has_a_network_comes_first() {
        let mut lease = None;
        ask(&mut lease, 0, 1, false);
        assert_eq!(ask(&mut lease, 1, 2, true), Task::Make);
        assert_eq!(ask(&mut lease, 2, 3, true), Task::Wait(LONGEST_PAUSE));
        assert_eq!(ask(&mut lease, 3, 1, false), Task::Wait(LONGEST_PAUSE));
    }

    #[test]
    fn only_the_first_genesis_block_with_the_right_parameters_counts() {
        let parameters = Parameters::default();
        let first = Genesis { parameters: parameters.clone(), time: at(1) };
        let second = Genesis { time: at(2), ..first.clone() };
        assert!(check(&first, None, &parameters, at(5)).is_ok());
        assert!(check(&first, Some(&first), &parameters, at(5)).is_ok(), "the same report twice");
        let refused = check(&second, Some(&first), &parameters, at(5)).unwrap_err();
        assert!(matches!(refused, NodeError::GenesisExists(winner) if *winner == first));
        let future = Genesis { time: at(200_000), ..first.clone() };
        assert!(matches!(check(&future, None, &parameters, at(5)), Err(NodeError::FutureGenesis { .. })));
        let brie = Parameters { name: String::from("brie"), ..parameters };
        assert!(matches!(check(&first, None, &brie, at(5)), Err(NodeError::OtherParameters { .. })));
    }
}
