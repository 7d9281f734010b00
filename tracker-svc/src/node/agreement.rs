//! Whether the peers agree with each other: a task asks them all at once, and this compares what they say.

use std::{cmp::Reverse, collections::BTreeMap};

use raclette_api::{
    agreement::{Agreement, Difference, NotAsked, PeerView},
    chain::{StatusMessage, Tip},
};
use raclette_chain::{hash::NetworkId, time::Timestamp};
use tokio::sync::oneshot;

use super::{Node, NodeError};

/// Somebody wants to know whether the peers agree; a task asks them.
#[derive(Debug)]
pub struct Survey {
    /// Where the outcome goes.
    pub answer: oneshot::Sender<Agreement>,
}

/// What came of asking one peer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// What it said, or why it could not be asked.
    pub said: Result<StatusMessage, String>,
}

impl Node {
    /// Asks all peers now whether they agree.
    ///
    /// # Errors
    /// The service is about to stop.
    pub async fn agreement(&self) -> Result<Agreement, NodeError> {
        let (answer, answered) = oneshot::channel();
        self.surveys.send(Survey { answer }).await.map_err(|_| NodeError::Stopping)?;
        answered.await.map_err(|_| NodeError::Stopping)
    }
}

/// Compares what the peers of a network said.
#[must_use]
pub fn compare(asked_at: Timestamp, network: Option<&NetworkId>, asked: Vec<Asked>) -> Agreement {
    let network = network.map(NetworkId::to_string);
    let mut not_asked = Vec::new();
    let mut views: Vec<(PeerView, Option<Tip>, bool)> = Vec::new();
    for Asked { name, address, said } in asked {
        let read = said.and_then(|status| {
            let tip = status.tip.as_ref().map(Tip::try_from).transpose();
            Ok((tip.map_err(|error| format!("its answer makes no sense: {error}"))?, status))
        });
        match read {
            Ok((tip, status)) => {
                let member = status.network_id == network;
                let (ledger_count, ledger_digest) = (status.ledger.count, status.ledger.digest);
                let view =
                    PeerView { name, address, tip: status.tip, ledger_count, ledger_digest, differs: Vec::new() };
                views.push((view, tip, member));
            }
            Err(reason) => not_asked.push(NotAsked { name, address, reason }),
        }
    }
    let members = || views.iter().filter(|(_, _, member)| *member);
    let best = members().filter_map(|(_, tip, _)| *tip).max_by_key(|tip| (tip.work, Reverse(tip.hash)));
    let ledger = most_common(members().map(|(view, ..)| view.ledger_digest.clone()));
    let states: BTreeMap<_, _> = members()
        .filter_map(|(_, tip, _)| Some(tip.as_ref()?.hash))
        .map(|hash| {
            let same_tip = members().filter_map(|(_, tip, _)| *tip).filter(|tip| tip.hash == hash);
            (hash, most_common(same_tip.map(|tip| tip.state_hash)))
        })
        .collect();
    let peers: Vec<PeerView> = views
        .into_iter()
        .map(|(view, tip, member)| {
            let mut differs = Vec::new();
            if !member {
                differs.push(Difference::Network);
            } else {
                if tip.map(|tip| tip.hash) != best.map(|best| best.hash) {
                    differs.push(Difference::Tip);
                }
                if tip.is_some_and(|tip| states.get(&tip.hash) != Some(&Some(tip.state_hash))) {
                    differs.push(Difference::State);
                }
                if ledger.as_ref() != Some(&view.ledger_digest) {
                    differs.push(Difference::Ledger);
                }
            }
            PeerView { differs, ..view }
        })
        .collect();
    let differing: Vec<String> =
        peers.iter().filter(|view| !view.differs.is_empty()).map(|view| view.name.clone()).collect();
    Agreement {
        asked: asked_at.milliseconds(),
        agree: differing.is_empty(),
        best: best.as_ref().map(Into::into),
        differing,
        peers,
        not_asked,
    }
}

/// The value that more have than any other; none if two are equally common: nobody knows then who is right.
fn most_common<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    let mut common = counts.into_iter().filter(|(_, count)| *count == most);
    let (value, _) = common.next()?;
    common.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use raclette_api::example;

    use super::*;

    const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

    fn says(name: &str, change: impl FnOnce(&mut StatusMessage)) -> Asked {
        let mut status: StatusMessage = serde_json::from_value(example::of::<StatusMessage>()).unwrap();
        status.network_id = Some(NETWORK.to_string());
        change(&mut status);
        Asked { name: name.to_owned(), address: status.address.clone(), said: Ok(status) }
    }

    fn agreement(asked: Vec<Asked>) -> Agreement {
        compare(Timestamp::new(9).unwrap(), Some(&NETWORK), asked)
    }

    fn with_tip(change: impl FnOnce(&mut raclette_api::chain::TipMessage)) -> impl FnOnce(&mut StatusMessage) {
        |status| change(status.tip.as_mut().unwrap())
    }

    #[test]
    fn peers_that_say_the_same_agree() {
        let agreement = agreement(vec![says("alice", |_| {}), says("bob", |_| {})]);
        assert!(agreement.agree && agreement.differing.is_empty() && agreement.not_asked.is_empty());
        assert_eq!((agreement.asked, agreement.peers.len()), (9, 2));
        assert_eq!(agreement.best, agreement.peers[0].tip);
    }

    #[test]
    fn the_one_with_less_work_differs_even_if_it_has_the_majority() {
        let behind = || with_tip(|tip| (tip.work, tip.hash, tip.height) = ("0".repeat(64), "a".repeat(64), 1));
        let agreement = agreement(vec![says("alice", behind()), says("bob", behind()), says("carol", |_| {})]);
        assert_eq!(agreement.differing, ["alice", "bob"]);
        assert_eq!(agreement.peers[0].differs, [Difference::Tip]);
        assert_eq!(agreement.best.unwrap().height, 2);
    }

    #[test]
    fn among_equal_work_the_lowest_hash_is_best() {
        let hash = |digit: &'static str| with_tip(move |tip| tip.hash = digit.repeat(64));
        let agreement = agreement(vec![says("alice", hash("2")), says("bob", hash("1"))]);
        assert_eq!(agreement.differing, ["alice"]);
    }

    #[test]
    fn accounts_and_ledgers_are_compared_with_those_of_most() {
        let asked = vec![
            says("alice", |_| {}),
            says("bob", with_tip(|tip| tip.state_hash = "1".repeat(64))),
            says("carol", |status| status.ledger.digest = "1".repeat(64)),
        ];
        let agreement = agreement(asked);
        assert_eq!(agreement.differing, ["bob", "carol"]);
        assert_eq!(agreement.peers[1].differs, [Difference::State]);
        assert_eq!(agreement.peers[2].differs, [Difference::Ledger]);
    }

    #[test]
    fn where_nobody_knows_who_is_right_everybody_is_named() {
        let asked = vec![says("alice", |_| {}), says("bob", |status| status.ledger.digest = "1".repeat(64))];
        assert_eq!(agreement(asked).differing, ["alice", "bob"]);
    }

    #[test]
    fn strangers_differ_and_the_silent_are_named_with_the_reason() {
        let gone = Asked { said: Err(String::from("it is offline")), ..says("bob", |_| {}) };
        let odd = says("carol", with_tip(|tip| tip.work.clear()));
        let agreement = agreement(vec![says("alice", |status| status.network_id = None), gone, odd]);
        assert_eq!(agreement.peers[0].differs, [Difference::Network]);
        let reasons: Vec<_> =
            agreement.not_asked.iter().map(|peer| (peer.name.as_str(), peer.reason.as_str())).collect();
        assert_eq!(reasons[0], ("bob", "it is offline"));
        assert!(reasons[1].1.starts_with("its answer makes no sense"));
        assert_eq!(agreement.best, None);
    }
}
