//! Looking for another member on the tracker's behalf. The node calls nobody: a task does, and this tells it whom.

use std::time::Duration;

use raclette_api::membership::{ChallengeAnswer, CheckedProbe, ProbeAnswer, Registration};
use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::{client::SendError, membership::base_url};
use tokio::sync::{mpsc, oneshot};

use super::{Neighbour, NodeError};

/// How many requests may wait for the task.
const WAITING: usize = 64;
/// How long the tracker's request is good for, before and after it was made, by this peer's clock.
const GOOD_FOR: Duration = Duration::from_secs(120);
/// A reason is told up to so many characters.
const LONGEST_REASON: usize = 300;

/// Somebody to look for.
#[derive(Debug)]
pub struct ProbeOrder {
    /// Where it said that it is.
    pub subject: Neighbour,
    /// What it has to sign.
    pub nonce: [u8; 32],
    /// How long it may take.
    pub timeout: Duration,
    /// Where its answer goes.
    pub answer: oneshot::Sender<Result<ChallengeAnswer, SendError>>,
}

/// Has members looked for. A clone is the same.
#[derive(Debug, Clone)]
pub struct Probes {
    owner: Address,
    orders: mpsc::Sender<ProbeOrder>,
}

impl Probes {
    /// What this peer (`owner`) is asked through, and what the task that looks receives.
    #[must_use]
    pub fn new(owner: Address) -> (Self, mpsc::Receiver<ProbeOrder>) {
        let (orders, waiting) = mpsc::channel(WAITING);
        (Self { owner, orders }, waiting)
    }

    /// Looks for a member; `probe` is the tracker's word, whose signatures hold, and `registration` what it said of the
    /// member. Whoever does not answer is no error.
    ///
    /// # Errors
    /// The request is meant for another peer, too old or from the future; or this peer is about to stop.
    pub async fn look(
        &self,
        now: Timestamp,
        probe: &CheckedProbe,
        registration: &Registration,
    ) -> Result<ProbeAnswer, NodeError> {
        self.check(now, probe)?;
        let (answer, answered) = oneshot::channel();
        let order = ProbeOrder {
            subject: Neighbour {
                address: probe.subject.address(),
                name: registration.name.clone(),
                url: base_url(&registration.host, registration.port),
            },
            nonce: probe.nonce,
            timeout: Duration::from_millis(u64::from(probe.timeout_ms)),
            answer,
        };
        self.orders.send(order).await.map_err(|_| NodeError::ShuttingDown)?;
        Ok(match answered.await.map_err(|_| NodeError::ShuttingDown)? {
            Ok(answer) => ProbeAnswer { answer: Some(answer), reason: None },
            Err(error) => {
                let reason = error.to_string().chars().take(LONGEST_REASON).collect();
                ProbeAnswer { answer: None, reason: Some(reason) }
            }
        })
    }

    fn check(&self, now: Timestamp, probe: &CheckedProbe) -> Result<(), NodeError> {
        if probe.helper != self.owner {
            let reason = format!("it asks {}, this is {}", probe.helper, self.owner);
            return Err(NodeError::ProbeRefused { reason });
        }
        let fits = now <= probe.time.saturating_add(GOOD_FOR) && probe.time <= now.saturating_add(GOOD_FOR);
        if !fits {
            let reason = format!("it was made at {}, this peer's clock says {now}", probe.time);
            return Err(NodeError::ProbeRefused { reason });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use raclette_api::{encoding, example, membership::ProbeRequest};
    use raclette_chain::testing::{ALICE_PEM, BOB_PEM, DAVE_PEM, key};

    use super::*;

    fn request() -> (CheckedProbe, Registration) {
        let request: ProbeRequest = serde_json::from_value(example::of::<ProbeRequest>()).unwrap();
        let network = encoding::hash("network_id", &request.network_id).unwrap();
        (request.verify(&network, key(DAVE_PEM).public()).unwrap(), request.registration)
    }

    fn refusal(owner: &str, late: i64) -> Option<String> {
        let (probes, _orders) = Probes::new(key(owner).public().address());
        let (probe, _) = request();
        let now = Timestamp::new(probe.time.milliseconds().strict_add_signed(late)).unwrap();
        probes.check(now, &probe).err().map(|error| error.to_string())
    }

    #[test]
    fn a_request_is_good_for_one_peer_and_two_minutes() {
        for late in [-120_000, 0, 120_000] {
            assert_eq!(refusal(ALICE_PEM, late), None, "{late}");
        }
        for late in [-120_001, 120_001] {
            assert!(refusal(ALICE_PEM, late).unwrap().contains("clock"), "{late}");
        }
        assert!(refusal(BOB_PEM, 0).unwrap().contains("this is"));
    }

    #[tokio::test]
    async fn who_does_not_answer_is_told_with_the_reason() {
        let (probes, mut orders) = Probes::new(key(ALICE_PEM).public().address());
        let (probe, registration) = request();
        let looking = probes.look(probe.time, &probe, &registration);
        let failing = async {
            let order = orders.recv().await.unwrap();
            assert_eq!((order.subject.url.as_str(), order.timeout.as_millis()), ("http://127.0.0.1:7702", 2_500));
            order.answer.send(Err(SendError::Unreachable { reason: "x".repeat(1_000) })).unwrap();
        };
        let (answer, ()) = tokio::join!(looking, failing);
        let answer = answer.unwrap();
        assert_eq!((answer.answer, answer.reason.unwrap().chars().count()), (None, LONGEST_REASON));
    }
}
