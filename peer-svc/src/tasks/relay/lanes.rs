//! One lane for each member: what waits for it, and whether something is under way. A slow member holds up nobody else.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use raclette_chain::{
    address::Address,
    block::{Block, Checked},
    message::SealedMessage,
    transaction::SignedTransaction,
};
use raclette_service::request_id::RequestId;

use crate::node::{ItemId, Neighbour};

/// How many transactions go into one request.
const BATCH: usize = 500;

/// Something to be brought to a member.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Transaction { transaction: Arc<SignedTransaction>, message: Option<Arc<SealedMessage>>, request: Option<RequestId> },
    Block { block: Arc<Block<Checked>>, request: Option<RequestId> },
}

impl Item {
    pub(super) fn id(&self) -> ItemId {
        match self {
            Self::Transaction { transaction, .. } => ItemId::Transaction(transaction.id()),
            Self::Block { block, .. } => ItemId::Block(block.hash()),
        }
    }

    /// The request that brought it or had it made.
    fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Transaction { request, .. } | Self::Block { request, .. } => request.as_ref(),
        }
    }
}

impl Batch {
    /// The request that everything in the batch comes of; none if there is no such one.
    pub(super) fn request(&self) -> Option<RequestId> {
        let (first, others) = self.items.split_first()?;
        let request = first.request()?;
        others.iter().all(|item| item.request() == Some(request)).then(|| request.clone())
    }
}

/// What goes to a member in one go: many transactions, or one block.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) destination: Neighbour,
    pub(super) items: Vec<Item>,
}

#[derive(Debug)]
struct Lane {
    destination: Neighbour,
    waiting: VecDeque<Item>,
    busy: bool,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes(HashMap<Address, Lane>);

impl Lanes {
    /// Puts an item at the end of a member's lane.
    pub(super) fn push(&mut self, destination: Neighbour, item: Item) {
        let lane = self.0.entry(destination.address).or_insert_with(|| Lane {
            destination: destination.clone(),
            waiting: VecDeque::new(),
            busy: false,
        });
        // It may have moved since.
        lane.destination = destination;
        lane.waiting.push_back(item);
    }

    /// What can be sent now; its lane is busy until [`Lanes::idle`].
    pub(super) fn next(&mut self) -> Option<Batch> {
        let lane = self.0.values_mut().find(|lane| !lane.busy && !lane.waiting.is_empty())?;
        let mut items = Vec::new();
        while items.len() < BATCH
            && let Some(item) = lane.waiting.pop_front()
        {
            let is_block = matches!(item, Item::Block { .. });
            if is_block && !items.is_empty() {
                lane.waiting.push_front(item);
                break;
            }
            items.push(item);
            if is_block {
                break;
            }
        }
        lane.busy = true;
        Some(Batch { destination: lane.destination.clone(), items })
    }

    /// A member's lane is free again.
    pub(super) fn idle(&mut self, address: &Address) {
        if let Some(lane) = self.0.get_mut(address) {
            lane.busy = false;
            if lane.waiting.is_empty() {
                self.0.remove(address);
            }
        }
    }
}
