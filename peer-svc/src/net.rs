//! Calling other services: one method for each request, nothing else.

use std::{sync::Arc, time::Duration};

use raclette_api::{
    FROM_HEADER, JOIN_TOKEN_HEADER,
    block::{BlockAnswer, BlockMessage},
    chain::StatusMessage,
    membership::{ChallengeAnswer, Leave, PeerPage, PeerRecord, RegisterResponse, Registration},
    message::SealedMessageJson,
    mining::{MiningComplete, MiningCompleteAnswer},
    network::{GenesisAccepted, GenesisReport, NetworkInfo},
    receipt::Receipt,
    transaction::{LedgerPage, SubmitResults, TransactionMessage},
};
use raclette_chain::{
    address::Address,
    hash::{BlockHash, TransactionId},
};
use raclette_service::client::{CallOptions, Client, Destination, SendError};

use crate::node::Neighbour;

/// How long a question that should be answered from memory may take.
const SHORT: Duration = Duration::from_secs(3);
/// How long a page of headers may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long blocks of the history may take at most: whoever asks for them gives up long before, if another member has them.
const LONG: Duration = Duration::from_secs(60);
/// The largest page of headers that is read: 2,000 take less than 1 MiB.
const LARGEST_HEADERS: usize = 2 << 20;
/// The largest page of blocks that is read.
const LARGEST_PAGE: usize = 32 << 20;

/// Calls the tracker and other peers.
#[derive(Debug, Clone)]
pub struct Net {
    client: Client,
    tracker: Destination,
    join_token: Option<Arc<str>>,
    own_address: String,
}

impl Net {
    /// A caller that names itself by its own address.
    #[must_use]
    pub fn new(client: Client, tracker: Destination, join_token: Option<Arc<str>>, own_address: &Address) -> Self {
        Self { client, tracker, join_token, own_address: own_address.to_string() }
    }

    /// The client behind it, for the queue.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn options(&self, timeout: Option<Duration>) -> CallOptions {
        let mut options = CallOptions { timeout, largest_answer: Some(LARGEST_PAGE), ..CallOptions::default() };
        if let Ok(value) = self.own_address.parse() {
            options.headers.insert(FROM_HEADER, value);
        }
        options
    }

    /// Asks the tracker about the network.
    ///
    /// # Errors
    /// When the tracker does not answer as it should.
    pub async fn network(&self) -> Result<NetworkInfo, SendError> {
        Ok(self.client.get_json(&self.tracker, "/network", &self.options(Some(SHORT))).await?.body)
    }

    /// Registers with the tracker.
    ///
    /// # Errors
    /// When the tracker does not answer, or refuses.
    pub async fn register(&self, registration: &Registration) -> Result<RegisterResponse, SendError> {
        let mut options = self.options(None);
        if let Some(value) = self.join_token.as_ref().and_then(|token| token.parse().ok()) {
            options.headers.insert(JOIN_TOKEN_HEADER, value);
        }
        Ok(self.client.post_json(&self.tracker, "/register", registration, &options).await?.body)
    }

    /// Reports the genesis block.
    ///
    /// # Errors
    /// When the tracker does not answer, or another genesis block was first.
    pub async fn report_genesis(&self, report: &GenesisReport) -> Result<GenesisAccepted, SendError> {
        Ok(self.client.post_json(&self.tracker, "/genesis", report, &self.options(None)).await?.body)
    }

    /// Says farewell to the tracker.
    ///
    /// # Errors
    /// When the tracker does not answer.
    pub async fn leave(&self, leave: &Leave) -> Result<(), SendError> {
        let options = self.options(Some(Duration::from_secs(1)));
        let _: serde_json::Value = self.client.post_json(&self.tracker, "/leave", leave, &options).await?.body;
        Ok(())
    }

    /// Reads what the tracker's list says of the member with this name, if there is one.
    ///
    /// # Errors
    /// When the tracker does not answer as it should.
    pub async fn tracker_record(&self, name: &str) -> Result<Option<PeerRecord>, SendError> {
        let path = format!("/peers?name={name}");
        let page: PeerPage = self.client.get_json(&self.tracker, &path, &self.options(Some(SHORT))).await?.body;
        Ok(page.peers.into_iter().next())
    }

    /// Reads what changed in the tracker's list after a version, up to `limit` members.
    ///
    /// # Errors
    /// When the tracker does not answer as it should.
    pub async fn tracker_changes(&self, since: u64, limit: usize) -> Result<PeerPage, SendError> {
        let path = format!("/peers?since={since}&limit={limit}");
        Ok(self.client.get_json(&self.tracker, &path, &self.options(Some(SHORT))).await?.body)
    }

    /// Has a peer sign a nonce, within this time.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn challenge(
        &self,
        peer: &Neighbour,
        nonce: &[u8; 32],
        timeout: Duration,
    ) -> Result<ChallengeAnswer, SendError> {
        let path = format!("/challenge?nonce={}", raclette_api::encoding::to_hex(nonce));
        Ok(self.client.get_json(&peer.callee(), &path, &self.options(Some(timeout))).await?.body)
    }

    /// Asks a peer how it is.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn status(&self, peer: &Neighbour) -> Result<StatusMessage, SendError> {
        Ok(self.client.get_json(&peer.callee(), "/status", &self.options(Some(SHORT))).await?.body)
    }

    /// Asks a peer for the headers behind the first of these hashes that is on its active branch; the text of a
    /// [`HeadersPage`](raclette_api::chain::HeadersPage).
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn headers(&self, peer: &Neighbour, after: &[BlockHash], limit: usize) -> Result<Vec<u8>, SendError> {
        let after: Vec<String> = after.iter().map(BlockHash::to_string).collect();
        let path = format!("/chain/headers?after={}&limit={limit}", after.join(","));
        let options = CallOptions { largest_answer: Some(LARGEST_HEADERS), ..self.options(Some(PATIENCE)) };
        self.client.get_text(&peer.callee(), &path, &options).await
    }

    /// Reads blocks of a peer's active branch; the text of a [`ChainPage`](raclette_api::chain::ChainPage). Takes as long as
    /// the caller waits.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn chain(&self, peer: &Neighbour, from: u32, limit: usize) -> Result<Vec<u8>, SendError> {
        let path = format!("/chain?from={from}&limit={limit}");
        self.client.get_text(&peer.callee(), &path, &self.options(Some(LONG))).await
    }

    /// Reads one block of any branch; the text of a [`BlockMessage`]. Takes as long as the caller waits.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn block(&self, peer: &Neighbour, hash: &BlockHash) -> Result<Vec<u8>, SendError> {
        self.client.get_text(&peer.callee(), &format!("/block/{hash}"), &self.options(Some(LONG))).await
    }

    /// Reads a page of a peer's ledger.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub async fn ledger(&self, peer: &Neighbour, cursor: Option<&str>) -> Result<LedgerPage, SendError> {
        let path = cursor.map_or_else(|| String::from("/ledger"), |cursor| format!("/ledger?cursor={cursor}"));
        Ok(self.client.get_json(&peer.callee(), &path, &self.options(None)).await?.body)
    }

    /// Reads the sealed message of a transaction.
    ///
    /// # Errors
    /// When the peer does not answer as it should, or has not got it.
    pub async fn message(&self, peer: &Neighbour, id: &TransactionId) -> Result<SealedMessageJson, SendError> {
        Ok(self.client.get_json(&peer.callee(), &format!("/tx/{id}/message"), &self.options(Some(SHORT))).await?.body)
    }

    /// Asks a recipient's peer for the receipt of a transaction.
    ///
    /// # Errors
    /// When the peer does not answer as it should, or does not have the transaction or its message.
    pub async fn receipt(&self, peer: &Neighbour, id: &TransactionId) -> Result<Receipt, SendError> {
        Ok(self.client.get_json(&peer.callee(), &format!("/tx/{id}/receipt"), &self.options(Some(SHORT))).await?.body)
    }

    /// Sends transactions to a peer.
    ///
    /// # Errors
    /// When it does not take them.
    pub async fn transactions(
        &self,
        peer: &Neighbour,
        batch: &[TransactionMessage],
    ) -> Result<SubmitResults, SendError> {
        Ok(self.client.post_json(&peer.callee(), "/tx", batch, &self.options(None)).await?.body)
    }

    /// Sends a block to a peer.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn send_block(&self, peer: &Neighbour, block: &BlockMessage) -> Result<BlockAnswer, SendError> {
        Ok(self.client.post_json(&peer.callee(), "/block", block, &self.options(None)).await?.body)
    }

    /// Tells a peer that a block has been found.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn mining_complete(
        &self,
        peer: &Neighbour,
        message: &MiningComplete,
    ) -> Result<MiningCompleteAnswer, SendError> {
        Ok(self.client.post_json(&peer.callee(), "/mining-complete", message, &self.options(Some(SHORT))).await?.body)
    }
}
