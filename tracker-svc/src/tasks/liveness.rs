//! Asks all members whether they live, once a round.

use std::{sync::Arc, time::Duration};

use raclette_api::membership::{NewProbe, ProbeRequest};
use raclette_chain::hash::NetworkId;
use raclette_service::{
    clock::Clock,
    dice::Dice,
    membership::{Member, Pace, Prober, Testimony, run_round},
};
use tokio::{
    sync::Mutex,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    net::Net,
    node::{Node, now},
};

/// Rounds at a steady rate.
#[derive(Debug)]
pub(super) struct Liveness {
    node: Arc<Node>,
    net: Net,
    stop: CancellationToken,
    schedule: Mutex<Schedule>,
}

#[derive(Debug)]
struct Schedule {
    ticks: Interval,
    pace: Pace,
}

impl Liveness {
    pub(super) fn new(node: Arc<Node>, net: Net, every: Duration, stop: CancellationToken) -> Self {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { node, net, stop, schedule: Mutex::new(Schedule { ticks, pace: Pace::new(every) }) }
    }

    /// Waits for the beginning of the next round, and runs it: everybody who has not left is asked, also who is offline and
    /// may be back.
    pub(super) async fn activate(&self) {
        let mut schedule = self.schedule.lock().await;
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.round(&mut schedule) => {}
        }
    }

    async fn round(&self, schedule: &mut Schedule) {
        schedule.ticks.tick().await;
        let state = self.node.state();
        let prober = Reach { node: &self.node, net: &self.net, network: state.network() };
        let round = run_round(&state.register, &schedule.pace, &prober, &Clock::system(), &Dice::system()).await;
        schedule.pace.observe(round.lateness);
        if round.probes.is_empty() {
            return;
        }
        if let Err(error) = self.node.round_ended(round.probes).await {
            tracing::error!(%error, "a round of probes was lost");
        }
    }
}

/// How the tracker reaches members.
struct Reach<'a> {
    node: &'a Node,
    net: &'a Net,
    network: Option<NetworkId>,
}

impl Prober for Reach<'_> {
    async fn answers(&self, member: &Member, within: Duration) -> bool {
        match self.net.alive(&member.destination(), within).await {
            Ok(alive) => alive.address == member.address().to_string() && alive.epoch == member.epoch(),
            Err(error) => {
                tracing::debug!(name = member.name, %error, "a probe failed");
                false
            }
        }
    }

    async fn ask(&self, helper: &Member, subject: &Member, patience: Duration, within: Duration) -> Option<Testimony> {
        let nonce: [u8; 32] = rand::random();
        let new = NewProbe {
            // Before there is a network, peers do not know what to believe.
            network: self.network?,
            helper: helper.address(),
            subject: &subject.registration,
            nonce,
            timeout_ms: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
            time: now(),
        };
        let said = match ProbeRequest::signed(&new, self.node.identity().key()) {
            Ok(request) => self.net.ask(&helper.destination(), &request, within).await,
            Err(error) => {
                tracing::error!(%error, "a probe cannot be signed");
                return None;
            }
        };
        let (helper, subject_name) = (&helper.name, &subject.name);
        match said {
            Ok(said) => match said.answer {
                None => {
                    tracing::debug!(helper, subject_name, reason = said.reason, "another member does not reach it");
                    Some(Testimony::Gone)
                }
                // A helper cannot lie somebody alive: the answer is signed by whom it is about.
                Some(answer) if answer.verify(&nonce, &subject.key).is_ok() && answer.epoch == subject.epoch() => {
                    tracing::info!(helper, subject_name, "another member reaches it");
                    Some(Testimony::Alive)
                }
                Some(_) => {
                    tracing::warn!(helper, subject_name, "another member brought an answer that does not hold");
                    None
                }
            },
            Err(error) => {
                tracing::debug!(helper, subject_name, %error, "another member could not be asked");
                None
            }
        }
    }
}
