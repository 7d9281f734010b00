//! Calling members: one method for each request, nothing else.

use std::time::Duration;

use raclette_api::{
    FROM_HEADER,
    chain::StatusMessage,
    membership::{ChallengeAnswer, ProbeAnswer, ProbeRequest},
    notice::NoticeAck,
};
use raclette_chain::address::Address;
use raclette_service::{
    client::{CallOptions, Client, SendError},
    queue::{ClientTransport, Destination},
};
use serde::Deserialize;

/// How long a newcomer may take to answer its challenge: it signs once.
const CHALLENGE: Duration = Duration::from_secs(3);
/// How long the first, direct attempt of a notice may take; the queue is more patient.
const NOTICE: Duration = Duration::from_secs(2);
/// How long a peer may take to say how it is.
const STATUS: Duration = Duration::from_secs(2);
/// More than this no answer needs, in bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Calls members.
#[derive(Debug, Clone)]
pub struct Net {
    client: Client,
    options: CallOptions,
}

/// What a probe reads of a peer's status; the rest is of no interest here, and may grow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Alive {
    /// Who answers.
    pub address: String,
    /// In which epoch.
    pub epoch: u64,
}

impl Net {
    /// A caller that names itself by its own address.
    #[must_use]
    pub fn new(client: Client, own_address: &Address) -> Self {
        let mut options = CallOptions { largest_answer: Some(LARGEST_ANSWER), ..CallOptions::default() };
        if let Ok(value) = own_address.to_string().parse() {
            options.headers.insert(FROM_HEADER, value);
        }
        Self { client, options }
    }

    /// What the queue sends with.
    #[must_use]
    pub fn transport(&self) -> ClientTransport {
        ClientTransport::new(self.client.clone(), self.options.clone())
    }

    /// Has a peer sign a nonce.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn challenge(&self, peer: &Destination, nonce: &[u8; 32]) -> Result<ChallengeAnswer, SendError> {
        let path = format!("/challenge?nonce={}", raclette_api::encoding::to_hex(nonce));
        Ok(self.client.get_json(&peer.callee(), &path, &self.within(CHALLENGE)).await?.body)
    }

    /// Asks a peer whether it lives.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn alive(&self, peer: &Destination, timeout: Duration) -> Result<Alive, SendError> {
        Ok(self.client.get_json(&peer.callee(), "/status", &self.within(timeout)).await?.body)
    }

    /// Asks a peer how it is.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn status(&self, peer: &Destination) -> Result<StatusMessage, SendError> {
        Ok(self.client.get_json(&peer.callee(), "/status", &self.within(STATUS)).await?.body)
    }

    /// Has a peer look whether another one lives.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn ask(
        &self,
        helper: &Destination,
        request: &ProbeRequest,
        timeout: Duration,
    ) -> Result<ProbeAnswer, SendError> {
        Ok(self.client.post_json(&helper.callee(), "/probe", request, &self.within(timeout)).await?.body)
    }

    /// Tells a peer who came and who went: a signed notice, as JSON.
    ///
    /// # Errors
    /// When it does not take the notice.
    pub async fn notify(&self, peer: &Destination, notice: Vec<u8>) -> Result<NoticeAck, SendError> {
        Ok(self.client.post_bytes(&peer.callee(), "/peers", notice.into(), &self.within(NOTICE)).await?.body)
    }

    fn within(&self, timeout: Duration) -> CallOptions {
        CallOptions { timeout: Some(timeout), ..self.options.clone() }
    }
}
