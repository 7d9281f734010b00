//! Receipts for what the owner sent: asks the recipients' peers for them, verifies and stores them.
//!
//! A reconciler over the mail: what was sent and has no receipt is asked for when its delivery was acknowledged, and in every
//! round. A recipient that says that it has not got something gets it delivered again, so that neither a lost row of the queue
//! nor somebody who acknowledged it in the recipient's name loses a message.

use std::{collections::HashSet, sync::Arc, time::Duration};

use raclette_chain::{address::Address, hash::TransactionId};
use raclette_service::{client::SendError, problem::Code};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    net::Net,
    node::{Event, Node, NodeError},
    store::{self, mail::Item},
};

/// How many transactions are looked after in a round; those behind them are next.
const ROUND: u32 = 200;

/// Collects receipts.
#[derive(Debug)]
pub struct Receipts {
    node: Arc<Node>,
    net: Net,
    /// Behind this item of the mail the next round begins.
    after: i64,
}

impl Receipts {
    /// A collector that has not looked yet.
    #[must_use]
    pub fn new(node: Arc<Node>, net: Net) -> Self {
        Self { node, net, after: 0 }
    }

    /// Collects every `period`, and what was delivered at once, until `stopping`.
    pub async fn run(mut self, period: Duration, stopping: CancellationToken) {
        let mut events = self.node.events();
        let mut rounds = interval(period);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let work = async {
                tokio::select! {
                    event = events.recv() => match event {
                        Ok(Event::Delivered { id }) => self.after_delivery(&id).await,
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        // The node is gone; whoever stops this task does so at once.
                        Err(RecvError::Closed) => std::future::pending().await,
                    },
                    _ = rounds.tick() => self.activate().await,
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = work => {}
            }
        }
    }

    /// One round.
    async fn activate(&mut self) {
        let Some(network) = self.node.network() else { return };
        let items = match store::mail::without_receipt(self.node.readers(), &network, self.after, ROUND).await {
            Ok(items) => items,
            Err(error) => {
                tracing::error!(%error, "receipts cannot be looked for");
                return;
            }
        };
        self.after = items.last().filter(|_| items.len() == ROUND as usize).map_or(0, |last| last.id);
        let mut silent = HashSet::new();
        for item in items {
            self.look_after(&item, &mut silent).await;
        }
    }

    async fn after_delivery(&self, id: &TransactionId) {
        let Some(network) = self.node.network() else { return };
        if let Ok(Some(item)) = store::mail::get(self.node.readers(), &network, id).await
            && item.sent
            && item.receipt.is_none()
        {
            self.look_after(&item, &mut HashSet::new()).await;
        }
    }

    /// Asks for one receipt, unless the recipient is `silent`.
    async fn look_after(&self, item: &Item, silent: &mut HashSet<Address>) {
        let recipient = item.transaction.transaction().recipient;
        let (neighbour, key) = (self.node.members().neighbour(&recipient), self.node.members().key_of(&recipient));
        let (Some(neighbour), Some(key)) = (neighbour, key) else { return };
        let id = item.transaction.id();
        if recipient == self.node.identity().address() || silent.contains(&recipient) {
            return;
        }
        match self.net.receipt(&neighbour, &id).await {
            Ok(receipt) => {
                let Some(network) = self.node.network() else { return };
                match receipt.verify(&network, &id, &key) {
                    Ok(_) => noted(self.node.receipted(&item.transaction, receipt).await),
                    Err(error) => tracing::warn!(recipient = neighbour.name, %id, %error, "a receipt does not hold"),
                }
            }
            Err(SendError::Refused { code: Some(Code::UnknownTransaction | Code::UnknownMessage), .. }) => {
                match self.node.deliver_again(&item.transaction).await {
                    Ok(true) => {
                        tracing::warn!(recipient = neighbour.name, %id, "it is delivered again: its recipient lacks it")
                    }
                    Ok(false) => {}
                    Err(error) => noted(Err(error)),
                }
            }
            Err(SendError::Refused { .. }) => {}
            Err(error) => {
                tracing::debug!(recipient = neighbour.name, %error, "its receipts are asked for later");
                silent.insert(recipient);
            }
        }
    }
}

fn noted(result: Result<(), NodeError>) {
    if let Err(error) = result {
        tracing::info!(%error, "a receipt could not be noted; it is asked for again");
    }
}
