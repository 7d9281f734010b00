//! Reading the chain, and what tasks have the writer note.

use std::sync::Arc;

use raclette_chain::{
    block::{Block, Checked},
    genesis::Genesis,
    hash::{BlockHash, TransactionId},
    message::SealedMessage,
    transaction::SignedTransaction,
};
use raclette_service::queue::QueueChange;

use super::{Node, NodeError, State, command::Command, recheck};
use crate::store;

/// Where a transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionPlace {
    /// In the ledger.
    Pending,
    /// In a block of the active branch.
    Confirmed {
        /// The height of the block.
        height: u32,
        /// The block.
        block: BlockHash,
        /// Where it stands in the block, the first behind the reward being 0.
        position: usize,
        /// How many blocks there are from that one to the tip, both counted.
        confirmations: u32,
    },
    /// In neither: it was replaced, expired, or could not be paid any more.
    Dropped,
}

impl Node {
    /// Joins the network that begins with this genesis block.
    ///
    /// # Errors
    /// When this peer belongs to another network already, or it cannot be stored.
    pub async fn found(&self, genesis: Genesis) -> Result<(), NodeError> {
        self.ask(|answer| Command::Found(Box::new(genesis), answer)).await
    }

    /// Reads a block of any branch. The genesis block has no body and is not among them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn block(&self, hash: &BlockHash) -> Result<Option<Block<Checked>>, NodeError> {
        let network = self.state()?.rules.network;
        Ok(store::blocks::get(&self.readers, hash, &network).await?)
    }

    /// Finds a transaction: in the ledger, in the active branch, among what is gone, or what the owner sent and received.
    ///
    /// # Errors
    /// [`NodeError::UnknownTransaction`], or the file cannot be read.
    pub async fn transaction(
        &self,
        id: &TransactionId,
    ) -> Result<(Arc<SignedTransaction>, TransactionPlace), NodeError> {
        let state = self.state()?;
        if let Some(transaction) = state.ledger.get(id) {
            return Ok((Arc::clone(transaction), TransactionPlace::Pending));
        }
        if let Some((height, position, transaction)) =
            store::places::transaction(&self.readers, id, &state.rules.network).await?
        {
            let place = self.confirmed(&state, height, position).unwrap_or(TransactionPlace::Pending);
            return Ok((self.sound(transaction.into(), &state).await?, place));
        }
        let network = &state.rules.network;
        let gone = match store::events::gone(&self.readers, network, id).await? {
            Some(gone) => Some(gone),
            None => store::mail::get(&self.readers, network, id).await?.map(|item| item.transaction),
        };
        let gone = gone.ok_or(NodeError::UnknownTransaction { id: *id })?;
        Ok((self.sound(gone, &state).await?, TransactionPlace::Dropped))
    }

    /// A transaction out of the file: its id has been compared, which does not cover the signature.
    async fn sound(
        &self,
        transaction: Arc<SignedTransaction>,
        state: &State,
    ) -> Result<Arc<SignedTransaction>, NodeError> {
        let leaf = transaction.leaf();
        if !self.verified.contains(&leaf) {
            recheck::signatures(vec![Arc::clone(&transaction)], Arc::clone(&state.rules)).await?;
            self.verified.insert([leaf]);
        }
        Ok(transaction)
    }

    /// Where a transaction is that is known to exist.
    pub(super) async fn place(&self, state: &State, id: &TransactionId) -> Result<TransactionPlace, NodeError> {
        if state.ledger.get(id).is_some() {
            return Ok(TransactionPlace::Pending);
        }
        let position = store::places::position(&self.readers, id).await?;
        let place = position.and_then(|(height, position)| self.confirmed(state, height, position));
        Ok(place.unwrap_or(TransactionPlace::Dropped))
    }

    #[expect(clippy::unused_self, reason = "a question to the node, like its neighbours")]
    fn confirmed(&self, state: &State, height: u32, position: usize) -> Option<TransactionPlace> {
        let block = state.index.at(height)?.hash;
        let confirmations = state.next_height().saturating_sub(height);
        Some(TransactionPlace::Confirmed { height, block, position, confirmations })
    }

    /// Completes when a transaction is not, or no longer, in the ledger.
    pub async fn not_pending(&self, id: &TransactionId) {
        let mut states = self.watch();
        let is_pending =
            |state: &Option<Arc<State>>| state.as_ref().is_some_and(|state| state.ledger.get(id).is_some());
        // Without a writer nothing changes any more; whoever waits has its own end.
        if states.wait_for(|state| !is_pending(state)).await.is_err() {
            std::future::pending().await
        }
    }

    /// When a pending transaction came, in milliseconds since 1970; none if it is not pending.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn received(&self, id: &TransactionId) -> Result<Option<u64>, NodeError> {
        Ok(store::ledger::received(&self.readers, id).await?)
    }

    /// Reads the sealed message of a transaction.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn message(&self, transaction: &SignedTransaction) -> Result<Option<SealedMessage>, NodeError> {
        if transaction.transaction().message_length == 0 {
            return Ok(None);
        }
        let network = self.state()?.rules.network;
        Ok(store::ledger::message(&self.readers, &transaction.transaction().message_digest, &network).await?)
    }

    /// Notes what has been sent to everybody, and queues what has to wait for somebody.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn relayed(
        &self,
        transactions: Vec<TransactionId>,
        blocks: Vec<BlockHash>,
        queue: Vec<QueueChange>,
    ) -> Result<(), NodeError> {
        self.ask(|answer| Command::Relayed { transactions, blocks, queue, answer }).await
    }

    /// Changes the queue of failed requests; returns how many rows each change touched.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn change_queue(&self, changes: Vec<QueueChange>) -> Result<Vec<u64>, NodeError> {
        self.ask(|answer| Command::Queue(changes, answer)).await
    }

    /// Notes that the recipient's peer has a transaction of the owner.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn delivered(&self, id: TransactionId, changes: Vec<QueueChange>) -> Result<(), NodeError> {
        self.ask(|answer| Command::Delivered(id, changes, answer)).await
    }

    /// Stores a single value.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn store_value(&self, key: &'static str, value: String) -> Result<(), NodeError> {
        self.ask(|answer| Command::Meta(key, value, answer)).await
    }
}
