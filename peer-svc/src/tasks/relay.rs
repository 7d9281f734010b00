//! The relay: brings new transactions and blocks to the other members, one lane for each.
//!
//! What is to be relayed carries a mark in the store until it has been sent to everybody, or a row in the queue waits for
//! whoever could not be reached; the lanes are rebuilt from the marks at start. A new transaction of the owner goes to its
//! recipient first, who passes it on; only if the recipient cannot be reached it goes to all others at once.

mod lanes;
mod send;

use std::{collections::HashMap, sync::Arc};

use lanes::{Batch, Item, ItemId, Lanes};
use raclette_chain::{address::Address, block::Block, block::Checked};
use raclette_service::{crash_point::crash_point, queue::QueueChange};
use tokio::{sync::broadcast::error::RecvError, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    net::Net,
    node::{DELIVERY, Event, Neighbour, Node, NodeError, Origin},
    store,
};
use raclette_chain::transaction::SignedTransaction;

/// Something on its way: how many have not been tried yet, and what must be queued for those that failed.
#[derive(Debug)]
struct Progress {
    left: usize,
    queue: Vec<QueueChange>,
    item: Item,
    /// The recipient comes first; if it fails, all others follow.
    recipient_first: Option<Address>,
}

/// The relay.
#[derive(Debug)]
pub struct Relay {
    node: Arc<Node>,
    net: Net,
    lanes: Lanes,
    progress: HashMap<ItemId, Progress>,
    sending: JoinSet<send::Sent>,
}

impl Relay {
    /// A relay with nothing to do yet.
    #[must_use]
    pub fn new(node: Arc<Node>, net: Net) -> Self {
        Self { node, net, lanes: Lanes::default(), progress: HashMap::new(), sending: JoinSet::new() }
    }

    /// Relays until `stopping`.
    pub async fn run(mut self, stopping: CancellationToken) {
        let mut events = self.node.events();
        let mut states = self.node.watch();
        tokio::select! {
            () = stopping.cancelled() => return,
            founded = states.wait_for(Option::is_some) => if founded.is_err() {
                return;
            },
        }
        self.resume().await;
        loop {
            self.dispatch();
            tokio::select! {
                () = stopping.cancelled() => return,
                event = events.recv() => match event {
                    Ok(event) => self.take(event).await,
                    // Too many at once: the marks in the store know what was missed.
                    Err(RecvError::Lagged(_)) => self.resume().await,
                    Err(RecvError::Closed) => return,
                },
                Some(sent) = self.sending.join_next() => match sent {
                    Ok(sent) => self.finish(sent).await,
                    Err(error) => tracing::error!(%error, "a relay lane failed"),
                },
            }
        }
    }

    /// Takes up everything that carries a mark and is not on its way already.
    async fn resume(&mut self) {
        match self.marked().await {
            Ok((transactions, blocks)) => {
                for transaction in transactions {
                    let message = self.node.message(&transaction).await.ok().flatten().map(Arc::new);
                    self.enqueue_transaction(transaction, message, Origin::Local).await;
                    crash_point("start", "transaction_resumed");
                }
                for block in blocks {
                    self.enqueue_block(block, Origin::Local).await;
                    crash_point("start", "block_resumed");
                }
                crash_point("start", "relay_resumed");
            }
            Err(error) => tracing::error!(%error, "what is still to be relayed cannot be read"),
        }
    }

    async fn marked(&self) -> Result<(Vec<Arc<SignedTransaction>>, Vec<Arc<Block<Checked>>>), NodeError> {
        let network = self.node.state()?.rules.network;
        let stored = store::ledger::all(self.node.readers(), &network).await?;
        let transactions =
            stored.into_iter().filter_map(|(transaction, marked)| marked.then_some(transaction)).collect();
        let mut blocks = Vec::new();
        for hash in store::blocks::unrelayed(self.node.readers()).await? {
            blocks.extend(self.node.block(&hash).await?.map(Arc::new));
        }
        Ok((transactions, blocks))
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Transaction { transaction, message, origin, relay: true } => {
                self.enqueue_transaction(transaction, message, origin).await;
            }
            Event::Block { block, origin, relay: true } => self.enqueue_block(block, origin).await,
            Event::Transaction { .. }
            | Event::Block { .. }
            | Event::Tip { .. }
            | Event::Received { .. }
            | Event::Queued
            | Event::Delivered { .. } => {}
        }
    }

    async fn enqueue_transaction(
        &mut self,
        transaction: Arc<SignedTransaction>,
        message: Option<Arc<raclette_chain::message::SealedMessage>>,
        origin: Origin,
    ) {
        let owner = self.node.identity().address();
        let recipient = transaction.transaction().recipient;
        let item = Item::Transaction { transaction: Arc::clone(&transaction), message };
        let to_recipient = self
            .node
            .members()
            .neighbour(&recipient)
            .filter(|_| transaction.sender() == owner && recipient != owner && origin == Origin::Local);
        if let Some(destination) = to_recipient {
            self.start(item, vec![destination], Some(recipient)).await;
        } else {
            let others = self.others(origin, &[transaction.sender(), recipient]);
            self.start(item, others, None).await;
        }
    }

    async fn enqueue_block(&mut self, block: Arc<Block<Checked>>, origin: Origin) {
        let others = self.others(origin, &[]);
        self.start(Item::Block(block), others, None).await;
    }

    /// All members that are online, but for where it came from and who has it anyway.
    fn others(&self, origin: Origin, except: &[Address]) -> Vec<Neighbour> {
        let is_origin = |address: &Address| matches!(origin, Origin::Member(origin) if origin == *address);
        let mut others = self.node.members().online();
        others.retain(|destination| !is_origin(&destination.address) && !except.contains(&destination.address));
        others
    }

    async fn start(&mut self, item: Item, destinations: Vec<Neighbour>, recipient_first: Option<Address>) {
        let id = item.id();
        if self.progress.contains_key(&id) {
            return;
        }
        for destination in &destinations {
            self.lanes.push(destination.clone(), item.clone());
        }
        let progress = Progress { left: destinations.len(), queue: Vec::new(), item, recipient_first };
        let nobody_to_tell = progress.left == 0;
        self.progress.insert(id, progress);
        if nobody_to_tell {
            self.settle(vec![id]).await;
        }
    }

    /// Starts sending in every lane that is idle and has something.
    fn dispatch(&mut self) {
        while let Some(batch) = self.lanes.next() {
            let (net, node) = (self.net.clone(), Arc::clone(&self.node));
            self.sending.spawn(send::send(net, node, batch));
        }
    }

    async fn finish(&mut self, sent: send::Sent) {
        let send::Sent { batch, failed } = sent;
        let Batch { destination, items } = batch;
        self.lanes.idle(&destination.address);
        let mut settled = Vec::new();
        for item in items {
            let id = item.id();
            let Some(progress) = self.progress.get_mut(&id) else { continue };
            progress.left -= 1;
            if let Some(error) = &failed {
                tracing::info!(peer = destination.name, item = %id, %error, "not delivered");
                self.failed(&id, &destination, &error.to_string());
            } else {
                tracing::debug!(peer = destination.name, item = %id, "delivered");
                self.delivered(&id, &destination).await;
            }
            if self.progress.get(&id).is_some_and(|progress| progress.left == 0) {
                settled.push(id);
            }
        }
        self.settle(settled).await;
    }

    /// Notes a failure: what must be queued, or, if it was the recipient that failed, that all others are next. The
    /// recipient's own row is in the queue from the beginning.
    fn failed(&mut self, id: &ItemId, destination: &Neighbour, error: &str) {
        let owner = self.node.identity().address();
        let others = self.others(Origin::Member(destination.address), &[owner]);
        let Some(progress) = self.progress.get_mut(id) else { return };
        if progress.recipient_first.take().is_some() {
            progress.left += others.len();
            for other in others {
                self.lanes.push(other, progress.item.clone());
            }
        } else {
            progress.queue.extend(send::queue_rows(&self.node, &progress.item, destination, error));
        }
    }

    async fn delivered(&mut self, id: &ItemId, destination: &Neighbour) {
        let Some(progress) = self.progress.get_mut(id) else { return };
        let (ItemId::Transaction(transaction), Some(_)) = (id, progress.recipient_first.take()) else { return };
        let subject = transaction.to_string();
        let done = QueueChange::Supersede {
            destination: destination.address,
            kind: DELIVERY.into(),
            subject,
            version: u64::MAX >> 1,
        };
        if let Err(error) = self.node.delivered(*transaction, vec![done]).await {
            tracing::error!(id = %transaction, %error, "a delivery could not be noted");
        }
    }

    /// Takes the marks off what has been tried everywhere, and queues what failed in the same commit.
    async fn settle(&mut self, ids: Vec<ItemId>) {
        let (mut transactions, mut blocks, mut queue) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            if let Some(progress) = self.progress.remove(&id) {
                queue.extend(progress.queue);
                match id {
                    ItemId::Transaction(id) => transactions.push(id),
                    ItemId::Block(hash) => blocks.push(hash),
                }
            }
        }
        if transactions.is_empty() && blocks.is_empty() {
            return;
        }
        if let Err(error) = self.node.relayed(transactions, blocks, queue).await {
            // The marks stay: after the next start everything is tried again.
            tracing::error!(%error, "what has been relayed could not be noted");
        }
    }
}
