//! The relay: brings new transactions and blocks to the other members, one lane for each.
//!
//! What is to be relayed carries a mark in the store until it has been sent to everybody, or a row in the queue waits for
//! whoever could not be reached; the lanes are rebuilt from the marks at start. A new transaction of the owner goes to its
//! recipient first, who passes it on; only if the recipient cannot be reached it goes to all others at once.

mod lanes;
mod send;

use std::{collections::HashMap, sync::Arc};

use lanes::{Batch, Item, Lanes};
use raclette_chain::{address::Address, block::Block, block::Checked};
use raclette_service::{clock::now_ms, crash_point::crash_point, queue::QueueChange, request_id::RequestId};
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    net::Net,
    node::{DELIVERY, Event, ItemId, Mark, Neighbour, Node, NodeError, Origin},
    store,
};
use raclette_chain::transaction::SignedTransaction;

/// How many events are taken before what they start is sent and noted.
const EVENTS: usize = 512;

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
    /// What nobody has to be told any more, until that is noted.
    settled: Vec<ItemId>,
    sending: JoinSet<send::Sent>,
}

impl Relay {
    /// A relay with nothing to do yet.
    #[must_use]
    pub fn new(node: Arc<Node>, net: Net) -> Self {
        Self {
            node,
            net,
            lanes: Lanes::default(),
            progress: HashMap::new(),
            settled: Vec::new(),
            sending: JoinSet::new(),
        }
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
        let mut storage = self.node.watch_storage();
        self.resume().await;
        loop {
            self.dispatch();
            tokio::select! {
                () = stopping.cancelled() => return,
                event = events.recv() => match event {
                    Ok(event) => self.take_all(event, &mut events).await,
                    // Too many at once: the marks in the store know what was missed.
                    Err(RecvError::Lagged(_)) => self.resume().await,
                    Err(RecvError::Closed) => return,
                },
                // What could not be noted while the disk was full still carries its mark.
                Ok(()) = storage.changed() => if self.node.has_room().is_ok() {
                    self.resume().await;
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
                    self.enqueue_transaction(transaction, message, Origin::Local, None);
                    crash_point("start", "transaction_resumed");
                }
                for block in blocks {
                    self.enqueue_block(block, Origin::Local, None);
                    crash_point("start", "block_resumed");
                }
                self.settle().await;
                crash_point("start", "relay_resumed");
            }
            Err(error) => tracing::error!(%error, "what is still to be relayed cannot be read"),
        }
    }

    async fn marked(&self) -> Result<(Vec<Arc<SignedTransaction>>, Vec<Arc<Block<Checked>>>), NodeError> {
        let network = self.node.state()?.rules.network;
        let transactions = store::ledger::unrelayed(self.node.readers(), &network).await?;
        let mut blocks = Vec::new();
        for hash in store::blocks::unrelayed(self.node.readers()).await? {
            blocks.extend(self.node.block(&hash).await?.map(Arc::new));
        }
        Ok((transactions, blocks))
    }

    /// Takes an event and what else has happened by now, so that all of it is noted in one commit.
    async fn take_all(&mut self, first: Event, events: &mut Receiver<Event>) {
        self.take(first);
        for _ in 1..EVENTS {
            match events.try_recv() {
                Ok(event) => self.take(event),
                Err(TryRecvError::Lagged(_)) => {
                    self.resume().await;
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.settle().await;
    }

    fn take(&mut self, event: Event) {
        self.note_origin(&event);
        match event {
            Event::Transaction { transaction, message, origin, relay: true, request } => {
                self.enqueue_transaction(transaction, message, origin, request);
            }
            Event::Block { block, origin, relay: true, request } => self.enqueue_block(block, origin, request),
            Event::Transaction { .. }
            | Event::Block { .. }
            | Event::Tip { .. }
            | Event::Received { .. }
            | Event::Queued
            | Event::Delivered { .. } => {}
        }
    }

    /// Whoever sent something here has it.
    fn note_origin(&self, event: &Event) {
        let (item, origin) = match event {
            Event::Transaction { transaction, origin, .. } => (ItemId::Transaction(transaction.id()), origin),
            Event::Block { block, origin, .. } => (ItemId::Block(block.hash()), origin),
            Event::Tip { .. } | Event::Received { .. } | Event::Queued | Event::Delivered { .. } => return,
        };
        if let Origin::Member(member) = origin
            && *member != self.node.identity().address()
        {
            self.node.propagation().mark(item, *member, Mark::Shown, now_ms());
        }
    }

    fn enqueue_transaction(
        &mut self,
        transaction: Arc<SignedTransaction>,
        message: Option<Arc<raclette_chain::message::SealedMessage>>,
        origin: Origin,
        request: Option<RequestId>,
    ) {
        let owner = self.node.identity().address();
        let (sender, recipient) = (transaction.sender(), transaction.transaction().recipient);
        let item = Item::Transaction { transaction, message, request };
        let to_recipient = self
            .node
            .members()
            .neighbour(&recipient)
            .filter(|_| sender == owner && recipient != owner && origin == Origin::Local);
        if let Some(destination) = to_recipient {
            self.start(item, vec![destination], Some(recipient));
        } else {
            let others = self.others(origin, &[sender, recipient]);
            self.start(item, others, None);
        }
    }

    fn enqueue_block(&mut self, block: Arc<Block<Checked>>, origin: Origin, request: Option<RequestId>) {
        let others = self.others(origin, &[]);
        self.start(Item::Block { block, request }, others, None);
    }

    /// All members that are online, but for where it came from and who has it anyway.
    fn others(&self, origin: Origin, except: &[Address]) -> Vec<Neighbour> {
        let is_origin = |address: &Address| matches!(origin, Origin::Member(origin) if origin == *address);
        let mut others = self.node.members().online();
        others.retain(|destination| !is_origin(&destination.address) && !except.contains(&destination.address));
        others
    }

    fn start(&mut self, item: Item, destinations: Vec<Neighbour>, recipient_first: Option<Address>) {
        let id = item.id();
        if self.progress.contains_key(&id) {
            return;
        }
        let left = destinations.len();
        for destination in destinations {
            self.push(destination, &item);
        }
        let progress = Progress { left, queue: Vec::new(), item, recipient_first };
        let nobody_to_tell = progress.left == 0;
        self.progress.insert(id, progress);
        if nobody_to_tell {
            self.settled.push(id);
        }
    }

    fn push(&mut self, destination: Neighbour, item: &Item) {
        self.node.propagation().mark(item.id(), destination.address, Mark::Sending, now_ms());
        self.lanes.push(destination, item.clone());
    }

    /// Starts sending in every lane that is idle and has something.
    fn dispatch(&mut self) {
        while let Some(batch) = self.lanes.next() {
            let (net, node) = (self.net.clone(), Arc::clone(&self.node));
            self.sending.spawn(send::send(net, node, batch));
        }
    }

    async fn finish(&mut self, sent: send::Sent) {
        let send::Sent { batch, failed, mut refused } = sent;
        let Batch { destination, items } = batch;
        self.lanes.idle(&destination.address);
        refused.resize(items.len(), None);
        for (item, refused) in items.into_iter().zip(refused) {
            let id = item.id();
            self.note(id, &destination.address, failed.is_some(), refused.as_ref());
            let not_now = refused.filter(|refusal| !refusal.for_ever).map(|refusal| refusal.why);
            let Some(progress) = self.progress.get_mut(&id) else { continue };
            progress.left -= 1;
            // The recipient has to have it: it may lack the block with the money, or the room. Whoever else does not take
            // it now finds it when it compares its ledger with others'.
            if let Some(why) = not_now.filter(|_| progress.recipient_first.is_some()) {
                tracing::info!(peer = destination.name, item = %id, why, "not taken now");
                self.failed(&id, &destination, &why);
            } else if let Some(error) = &failed {
                self.failed(&id, &destination, &error.to_string());
            } else {
                self.delivered(&id, &destination).await;
            }
            if self.progress.get(&id).is_some_and(|progress| progress.left == 0) {
                self.settled.push(id);
            }
        }
        self.settle().await;
    }

    /// Marks what is known of a member and an item after an attempt.
    fn note(&self, id: ItemId, member: &Address, failed: bool, refused: Option<&send::Refusal>) {
        let propagation = self.node.propagation();
        match refused {
            _ if failed => propagation.failed(id, member),
            Some(refusal) => propagation.mark(id, *member, Mark::Refused(refusal.why.clone()), now_ms()),
            None => propagation.mark(id, *member, Mark::Acknowledged, now_ms()),
        }
    }

    /// Notes a failure: what must be queued, or, if it was the recipient that failed, that all others are next. The
    /// recipient's own row is in the queue from the beginning.
    fn failed(&mut self, id: &ItemId, destination: &Neighbour, error: &str) {
        let owner = self.node.identity().address();
        let others = self.others(Origin::Member(destination.address), &[owner]);
        let Some(progress) = self.progress.get_mut(id) else { return };
        if progress.recipient_first.take().is_some() {
            progress.left += others.len();
            let item = progress.item.clone();
            for other in others {
                self.push(other, &item);
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
        crash_point("relay_noted", "noted");
    }

    /// Takes the marks off what has been tried everywhere, and queues what failed in the same commit.
    async fn settle(&mut self) {
        let (mut transactions, mut blocks, mut queue) = (Vec::new(), Vec::new(), Vec::new());
        for id in std::mem::take(&mut self.settled) {
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
        crash_point("relay_settling", "begun");
        if let Err(error) = self.node.relayed(transactions, blocks, queue).await {
            // The marks stay: after the next start everything is tried again.
            tracing::error!(%error, "what has been relayed could not be noted");
        }
    }
}
