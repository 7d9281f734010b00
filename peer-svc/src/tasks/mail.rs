//! The owner's mail: tells of what arrives, and fetches messages whose transactions came without them.

use std::{sync::Arc, time::Duration};

use raclette_chain::{message::SealedMessage, transaction::SignedTransaction};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{
    net::Net,
    node::{Event, Node},
    store,
};

/// How often missing messages are asked for.
const PERIOD: Duration = Duration::from_secs(30);

/// Watches over the owner's mail until `stopping`.
pub async fn run(node: Arc<Node>, net: Net, stopping: CancellationToken) {
    let mut events = node.events();
    let mut timer = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            event = events.recv() => match event {
                Ok(Event::Received { transaction }) => tell(&node, &transaction),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            _ = timer.tick() => fetch_missing(&node, &net).await,
        }
    }
}

fn tell(node: &Node, transaction: &SignedTransaction) {
    let sender = transaction.sender();
    let from = node.members().name_of(&sender).unwrap_or_else(|| sender.to_string());
    let amount = transaction.transaction().amount;
    let message = transaction.transaction().message_length != 0;
    tracing::info!(%from, %amount, message, id = %transaction.id(), "something has arrived for the owner");
}

/// Asks the sender first and then everybody else for messages that did not come along.
async fn fetch_missing(node: &Node, net: &Net) {
    let Some(network) = node.network() else { return };
    let missing = match store::mail::without_message(node.readers(), &network).await {
        Ok(missing) => missing,
        Err(error) => {
            tracing::error!(%error, "missing messages cannot be looked for");
            return;
        }
    };
    for item in missing {
        let mut members = node.members().online();
        let sender = item.transaction.sender();
        members.sort_by_key(|member| member.address != sender);
        for member in members {
            let Ok(sealed) = net.message(&member, &item.transaction.id()).await else { continue };
            let Ok(message) = SealedMessage::try_from(&sealed) else { continue };
            match node.submit_message(&item.transaction, message).await {
                Ok(()) => {
                    tell(node, &item.transaction);
                    break;
                }
                Err(error) => tracing::info!(member = member.name, %error, "a member has another message"),
            }
        }
    }
}
