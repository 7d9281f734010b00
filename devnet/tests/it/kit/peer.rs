//! A peer under test, in the words of its owner.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use raclette_api::{
    chain::{AccountMessage, StatusMessage},
    chaos::{ChaosLink, ChaosState},
    membership::{PeerPage, PeerRecord},
    mining::{MiningJob, MiningOutcome},
    propagation::{Propagation, PropagationState},
    queue::QueuePage,
    transaction::TransactionStatus,
    wallet::{MessageEntry, MessagePage, SendRequest, SendResponse, Wallet},
};
use raclette_service::client::SendError;
use serde_json::{Value, json};

use super::{SOON, Service, eventually, http, key_of};

/// The balance of each account, by name.
pub(crate) type Balances = BTreeMap<String, u64>;

/// A peer.
#[derive(Debug)]
pub(crate) struct Peer(Service);

impl Deref for Peer {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Service {
        &mut self.0
    }
}

impl Peer {
    pub(crate) fn new(service: Service) -> Self {
        Self(service)
    }

    /// Its address: that of the committed key of its name.
    pub(crate) fn address(&self) -> String {
        key_of(&self.name).public().address().to_string()
    }

    /// Sends, and waits until the recipient has it or cannot be reached.
    pub(crate) async fn try_send(
        &self,
        to: &str,
        amount: Option<u64>,
        message: Option<&str>,
    ) -> Result<SendResponse, SendError> {
        let request = SendRequest { to: to.to_owned(), amount, message: message.map(str::to_owned), fee: None };
        let headers = [("authorization", &*self.bearer()), ("prefer", "wait=10")];
        http::post(self.port, "/send", &request, &headers).await
    }

    /// Sends, which must be taken; the id of the transaction.
    pub(crate) async fn send(&self, to: &str, amount: Option<u64>, message: Option<&str>) -> String {
        let sent = self.try_send(to, amount, message).await;
        let sent = sent.unwrap_or_else(|error| panic!("{} sends to {to}: {error}", self.name));
        sent.transaction.id.expect("an answer has the id")
    }

    /// Sends a message without waiting for its delivery; the id of the transaction.
    pub(crate) async fn try_send_at_once(&self, to: &str, message: &str) -> Result<String, SendError> {
        let request = SendRequest { to: to.to_owned(), amount: None, message: Some(message.to_owned()), fee: None };
        let headers = [("authorization", &*self.bearer())];
        let sent: SendResponse = http::post(self.port, "/send", &request, &headers).await?;
        Ok(sent.transaction.id.expect("an answer has the id"))
    }

    /// Mines one block, which must succeed; its hash.
    pub(crate) async fn mine(&self) -> String {
        let job = self.command_to_mine(Some("wait=30")).await;
        assert_eq!(job.outcome, Some(MiningOutcome::Mined), "{job:?}");
        job.block.expect("a mined block has a hash")
    }

    /// Mines so many blocks.
    pub(crate) async fn mine_blocks(&self, count: usize) {
        for _ in 0..count {
            self.mine().await;
        }
    }

    /// Commands to mine; the job.
    pub(crate) async fn command_to_mine(&self, prefer: Option<&str>) -> MiningJob {
        let bearer = self.bearer();
        let prefer = prefer.map(|wait| ("prefer", wait));
        let headers: Vec<_> = [("authorization", bearer.as_str())].into_iter().chain(prefer).collect();
        let job = http::post(self.port, "/mine", &json!({ "threads": 1 }), &headers).await;
        job.unwrap_or_else(|error| panic!("{} mines: {error}", self.name))
    }

    /// What it has sent and received, the newest first.
    pub(crate) async fn messages(&self) -> Vec<MessageEntry> {
        self.get_as_owner::<MessagePage>("/messages?limit=500").await.messages
    }

    /// Waits until it has a message with this text.
    pub(crate) async fn receives(&self, text: &str) -> MessageEntry {
        eventually(&format!("{} has {text:?}", self.name), SOON, async || {
            self.messages().await.into_iter().find(|entry| entry.text.as_deref() == Some(text))
        })
        .await
    }

    /// What it says about itself.
    pub(crate) async fn status(&self) -> StatusMessage {
        self.get("/status").await
    }

    /// The hash of its last block.
    pub(crate) async fn tip(&self) -> String {
        self.status().await.tip.expect("the chain has begun").hash
    }

    /// The height of its last block.
    pub(crate) async fn height(&self) -> u32 {
        self.status().await.tip.expect("the chain has begun").height
    }

    /// Tip, state hash and ledger of the peer on this port; none if it does not answer.
    pub(crate) async fn state_at(port: u16) -> Option<(String, String, String)> {
        let status: StatusMessage = http::get(port, "/status", None).await.ok()?;
        let tip = status.tip?;
        Some((tip.hash, tip.state_hash, status.ledger.digest))
    }

    /// Its owner's money.
    pub(crate) async fn wallet(&self) -> Wallet {
        self.get_as_owner("/wallet").await
    }

    /// The balances of these peers' accounts, as this peer sees them; accounts that were never used have 0.
    pub(crate) async fn balances_of(&self, peers: &[Self]) -> Balances {
        let mut balances = Balances::new();
        for peer in peers {
            let path = format!("/accounts/{}", peer.address());
            let account: Option<AccountMessage> = http::get(self.port, &path, None).await.ok();
            balances.insert(peer.name.clone(), account.map_or(0, |account| account.balance));
        }
        balances
    }

    /// What has not arrived yet.
    pub(crate) async fn queue(&self) -> QueuePage {
        self.get_as_owner("/queue").await
    }

    /// Who has a transaction (`tx`) or a block (`block`), as this peer sees it: the state by name.
    pub(crate) async fn propagation(&self, kind: &str, id: &str) -> BTreeMap<String, PropagationState> {
        let all: Propagation = self.get_as_owner(&format!("/{kind}/{id}/propagation")).await;
        all.peers.into_iter().map(|peer| (peer.name, peer.state)).collect()
    }

    /// Gives its links these faults, in the place of all there are.
    pub(crate) async fn chaos(&self, links: impl IntoIterator<Item = ChaosLink>) {
        let state = ChaosState { links: links.into_iter().collect() };
        let answer: ChaosState = http::put(self.port, "/chaos", &state, &self.bearer()).await.unwrap();
        assert_eq!(answer.links.len(), state.links.len());
    }

    /// Gives up all that waits in its queue; how much that was.
    pub(crate) async fn discard_queue(&self) -> usize {
        let entries = self.queue().await.entries;
        for entry in &entries {
            // It may have arrived meanwhile.
            let _: Result<Value, _> = http::delete(self.port, &format!("/queue/{}", entry.id), &self.bearer()).await;
        }
        entries.len()
    }

    /// What became of a transaction.
    pub(crate) async fn transaction(&self, id: &str) -> Option<TransactionStatus> {
        http::get(self.port, &format!("/tx/{id}"), None).await.ok()
    }

    /// The state of a transaction: "pending", "confirmed", "dropped", or "unknown".
    pub(crate) async fn state_of(&self, id: &str) -> String {
        let found: Option<Value> = http::get(self.port, &format!("/tx/{id}"), None).await.ok();
        found.and_then(|found| found["status"].as_str().map(str::to_owned)).unwrap_or_else(|| String::from("unknown"))
    }

    /// What it knows of another peer.
    pub(crate) async fn record_of(&self, name: &str) -> Option<PeerRecord> {
        self.get::<PeerPage>("/peers").await.peers.into_iter().find(|record| record.name == name)
    }
}
