//! Comparing the ledger with another member's, and fetching what is missing.

use super::SyncError;
use crate::{
    net::Net,
    node::{Incoming, Neighbour, Node, Origin},
};

/// Fetches pending transactions that a member has and this peer has not.
///
/// # Errors
/// When the member does not answer as it should, or this peer cannot store them.
pub(super) async fn compare(node: &Node, net: &Net, member: &Neighbour) -> Result<(), SyncError> {
    let status = net.status(member).await?;
    let state = node.state()?;
    if status.ledger.digest == raclette_api::encoding::to_hex(state.ledger.digest()) || status.ledger.count == 0 {
        return Ok(());
    }
    let mut cursor = None;
    loop {
        let page = net.ledger(member, cursor.as_deref()).await?;
        let mut unknown = Vec::new();
        for message in &page.transactions {
            let (transaction, message) = message.decode(&state.rules.network)?;
            if state.ledger.get(&transaction.id()).is_none() {
                unknown.push(Incoming { transaction, message });
            }
        }
        if !unknown.is_empty() {
            let count = unknown.len();
            node.submit(unknown, Origin::Member(member.address)).await?;
            tracing::info!(member = member.name, count, "pending transactions that were missing here");
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
