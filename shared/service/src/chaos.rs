//! Chaos: faults of links, switched on by whoever learns or tests, on the way out ([`crate::client::Client`]) and on the way in.
//!
//! A service that was not started for it has none of this: there is nothing to ask on the way of a request.

use std::{sync::Arc, time::Duration};

use raclette_api::chaos::{ChaosDirection, ChaosLink, ChaosState, EVERYBODY};
use tokio::sync::watch;

use crate::dice::Dice;

/// The faults of a service's links. Clones share them.
#[derive(Debug, Clone)]
pub struct Chaos(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    links: watch::Sender<Arc<ChaosState>>,
    dice: Dice,
}

/// Which way a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From here.
    Out,
    /// To here.
    In,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It gets through.
    Through,
    /// The link is cut.
    Cut,
    /// It is lost on the way.
    RequestLost,
    /// It arrives, and its answer is lost.
    AnswerLost,
}

impl Passage {
    /// Why a request does not arrive; none if it does.
    #[must_use]
    pub fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Cut => Some("chaos: this link is cut"),
            Self::RequestLost => Some("chaos: the request is lost"),
            Self::Through | Self::AnswerLost => None,
        }
    }
}

impl Default for Chaos {
    fn default() -> Self {
        Self::new(Dice::system())
    }
}

impl Chaos {
    /// Links without any fault; what is lost is decided by these dice.
    #[must_use]
    pub fn new(dice: Dice) -> Self {
        Self(Arc::new(Shared { links: watch::Sender::default(), dice }))
    }

    /// The faults there are.
    #[must_use]
    pub fn state(&self) -> ChaosState {
        ChaosState::clone(&self.0.links.borrow())
    }

    /// Puts these faults in the place of all there are.
    pub fn set(&self, state: ChaosState) {
        self.0.links.send_replace(Arc::new(state));
    }

    /// Lets a request wait as long as it has to, and says what becomes of it. `who` is the address of the other side, or what
    /// its owner calls it.
    pub async fn pass(&self, who: &str, way: Way) -> Passage {
        let mut changes = self.0.links.subscribe();
        loop {
            let links = Arc::clone(&changes.borrow_and_update());
            let Some(link) = find(&links, who, way) else { return Passage::Through };
            if link.partition {
                return Passage::Cut;
            }
            if !link.pause {
                return self.suffer(link).await;
            }
            if changes.changed().await.is_err() {
                return Passage::Through;
            }
        }
    }

    async fn suffer(&self, link: &ChaosLink) -> Passage {
        if link.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(link.delay_ms.into())).await;
        }
        let is_lost = self.0.dice.roll() * 100.0 < f64::from(link.drop_percent);
        match is_lost {
            true if self.0.dice.roll() < 0.5 => Passage::RequestLost,
            true => Passage::AnswerLost,
            false => Passage::Through,
        }
    }
}

/// The first link that is about this side, and otherwise about everybody.
fn find<'a>(state: &'a ChaosState, who: &str, way: Way) -> Option<&'a ChaosLink> {
    let goes = |link: &&ChaosLink| match link.direction {
        ChaosDirection::Both => true,
        ChaosDirection::Outgoing => way == Way::Out,
        ChaosDirection::Incoming => way == Way::In,
    };
    let is_it = |link: &&ChaosLink| link.peer == who || link.address.as_deref() == Some(who);
    let links = || state.links.iter().filter(goes);
    links().find(is_it).or_else(|| links().find(|link| link.peer == EVERYBODY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(links: impl IntoIterator<Item = ChaosLink>, roll: f64) -> Chaos {
        let chaos = Chaos::new(Dice::new(move || roll));
        chaos.set(ChaosState { links: links.into_iter().collect() });
        chaos
    }

    #[tokio::test]
    async fn a_link_of_its_own_counts_before_that_to_everybody_and_each_direction_by_itself() {
        let all = ChaosLink { partition: true, direction: ChaosDirection::Outgoing, ..ChaosLink::to(EVERYBODY) };
        let bob = ChaosLink { address: Some(String::from("rac1bob")), ..ChaosLink::to("bob") };
        let chaos = with([all, bob], 0.0);
        assert_eq!(chaos.pass("rac1carol", Way::Out).await, Passage::Cut);
        assert_eq!(chaos.pass("rac1carol", Way::In).await, Passage::Through);
        assert_eq!(chaos.pass("rac1bob", Way::Out).await, Passage::Through);
        chaos.set(ChaosState::default());
        assert_eq!(chaos.pass("rac1carol", Way::Out).await, Passage::Through);
    }

    #[tokio::test]
    async fn so_many_are_lost_half_of_them_with_their_answer() {
        let lossy = || [ChaosLink { drop_percent: 60, ..ChaosLink::to("bob") }];
        for (roll, passage) in
            [(0.4, Passage::RequestLost), (0.55, Passage::AnswerLost), (0.6, Passage::Through), (0.9, Passage::Through)]
        {
            assert_eq!(with(lossy(), roll).pass("bob", Way::Out).await, passage, "{roll}");
        }
        let never = with([ChaosLink::to("bob")], 0.0);
        assert_eq!(never.pass("bob", Way::In).await, Passage::Through);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_request_comes_later_and_a_paused_one_when_it_may() {
        let chaos = with([ChaosLink { delay_ms: 250, ..ChaosLink::to("bob") }], 1.0);
        let before = tokio::time::Instant::now();
        assert_eq!(chaos.pass("bob", Way::Out).await, Passage::Through);
        assert_eq!(before.elapsed(), Duration::from_millis(250));
        chaos.set(ChaosState { links: vec![ChaosLink { pause: true, ..ChaosLink::to("bob") }] });
        let waiting = tokio::spawn({
            let chaos = chaos.clone();
            async move { chaos.pass("bob", Way::Out).await }
        });
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(!waiting.is_finished());
        chaos.set(ChaosState { links: vec![ChaosLink { partition: true, ..ChaosLink::to("bob") }] });
        assert_eq!(waiting.await.unwrap(), Passage::Cut);
    }
}
