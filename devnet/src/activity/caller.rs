//! Calling the peers as their owners do.

use std::{fs, io, sync::Arc, time::Duration};

use raclette_api::{
    chain::StatusMessage,
    mining::{MiningJob, MiningOutcome},
    wallet::SendRequest,
};
use raclette_service::client::{AddressPolicy, CallOptions, Client, SendError, Settings};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::plan::Service;

/// How long a block may take before somebody else's turn comes; the search itself goes on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls peers. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    client: Client,
    peers: Arc<[Service]>,
}

impl Caller {
    /// A caller of these peers, of which there is at least one.
    pub(super) fn new(peers: Arc<[Service]>) -> io::Result<Self> {
        let settings = Settings { call_timeout: PATIENCE + Duration::from_secs(5), ..Settings::default() };
        Ok(Self { client: Client::new(settings, AddressPolicy::private(true))?, peers })
    }

    /// How many peers there are.
    pub(super) fn peers(&self) -> usize {
        self.peers.len()
    }

    /// The name of a peer.
    pub(super) fn name(&self, peer: usize) -> &str {
        &self.peers[peer].name
    }

    /// How many transactions a peer has pending; none if it does not answer.
    pub(super) async fn pending(&self, peer: usize) -> Option<u64> {
        let to = self.peers[peer].destination();
        let status = self.client.get_json::<StatusMessage>(&to, "/status", &CallOptions::default()).await.ok()?;
        Some(status.body.ledger.count)
    }

    /// Has a peer mine a block. Whether it found one; an error if it did not even begin.
    pub(super) async fn mine(&self, peer: usize) -> Result<bool, SendError> {
        let job: MiningJob = self.post(peer, "/mine", &serde_json::json!({})).await?;
        Ok(job.outcome == Some(MiningOutcome::Mined))
    }

    /// Has a peer send something.
    pub(super) async fn send(&self, peer: usize, request: &SendRequest) -> Result<(), SendError> {
        self.post::<IgnoredAny>(peer, "/send", request).await.map(drop)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        peer: usize,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, SendError> {
        let service = &self.peers[peer];
        let unsent = |reason: String| SendError::Unsent { reason };
        // Read each time: a peer that starts for the first time makes it.
        let token = fs::read_to_string(service.token_file()).map_err(|error| unsent(error.to_string()))?;
        let bearer = format!("Bearer {}", token.trim()).parse();
        let mut options = CallOptions::default();
        options.headers.insert("authorization", bearer.map_err(|_| unsent(String::from("the token is no text")))?);
        if path == "/mine"
            && let Ok(wait) = format!("wait={}", PATIENCE.as_secs()).parse()
        {
            options.headers.insert("prefer", wait);
        }
        Ok(self.client.post_json(&service.destination(), path, body, &options).await?.body)
    }
}
