//! Calling a newcomer back at the address it gave, before that address is believed.

use raclette_api::membership::ChallengeAnswer;
use raclette_chain::hash::NetworkId;
use raclette_service::{client::SendError, membership::Newcomer, queue::Destination};
use tokio::sync::oneshot;

use super::{Node, NodeError};

/// A newcomer to be called back; a task does it.
#[derive(Debug)]
pub struct CallBack {
    /// Where it says it is.
    pub destination: Destination,
    /// What it must sign.
    pub nonce: [u8; 32],
    /// Where its answer goes.
    pub answer: oneshot::Sender<Result<ChallengeAnswer, SendError>>,
}

impl Node {
    /// Makes sure that this very newcomer, in this very epoch, lives where it says. `network` is ours, if there is one.
    pub(super) async fn call_back(&self, newcomer: &Newcomer, network: Option<NetworkId>) -> Result<(), NodeError> {
        let nonce: [u8; 32] = rand::random();
        let (answer, answered) = oneshot::channel();
        let call = CallBack { destination: newcomer.destination(), nonce, answer };
        self.calls.send(call).await.map_err(|_| NodeError::Stopping)?;
        let place = newcomer.destination().url;
        let answer = match answered.await.map_err(|_| NodeError::Stopping)? {
            Ok(answer) => answer,
            Err(SendError::Forbidden(error)) => return Err(NodeError::ForbiddenAddress(error)),
            Err(error) => return Err(NodeError::Unreachable { place, reason: error.to_string() }),
        };
        let unbelievable = |reason: String| NodeError::Unreachable { place: place.clone(), reason };
        answer.verify(&nonce, &newcomer.key).map_err(|error| unbelievable(error.to_string()))?;
        let (expected, found) = (newcomer.registration.epoch, answer.epoch);
        if found != expected {
            return Err(unbelievable(format!("it answers in epoch {found}, the registration is of epoch {expected}")));
        }
        match (network, answer.network()?) {
            (Some(expected), Some(found)) if expected != found => Err(NodeError::WrongNetwork { expected, found }),
            _ => Ok(()),
        }
    }
}
