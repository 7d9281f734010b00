//! Which pending transactions go into the next block.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use crate::{
    accounts::{Account, Overlay},
    address::Address,
    amount::Amount,
    ledger::Ledger,
    parameters::Parameters,
    rules::check_transaction,
    time::Timestamp,
    transaction::SignedTransaction,
};

/// A sender's next transaction, ordered by fee, then by age.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    fee: Amount,
    created: Reverse<Timestamp>,
    sender: Address,
    sequence: u64,
}

impl Ledger {
    /// Chooses transactions for a block at `height`: the highest fees first, each sender's in order, at most `limit` in all,
    /// and without fee at most a quarter of the block's places and bytes. One without fee always finds a place, however
    /// small blocks are.
    #[must_use]
    pub fn select(
        &self,
        overlay: &mut Overlay<'_>,
        parameters: &Parameters,
        height: u32,
        limit: usize,
    ) -> Vec<Arc<SignedTransaction>> {
        let places = limit.min(parameters.max_block_transactions as usize);
        let mut free_places = (parameters.max_block_transactions as usize / 4).max(1);
        let mut bytes = parameters.max_block_bytes as usize;
        let mut free_bytes = bytes / 4;
        let mut is_first_free = true;
        let mut heads: BinaryHeap<Candidate> = self
            .by_sender
            .keys()
            .filter_map(|sender| self.candidate(*sender, overlay.get(sender).next_sequence))
            .collect();
        let mut chosen = Vec::new();
        while chosen.len() < places
            && let Some(head) = heads.pop()
        {
            let Some(transaction) = self.by_sender.get(&head.sender).and_then(|pending| pending.get(head.sequence))
            else {
                continue;
            };
            let is_free = head.fee == Amount::ZERO;
            let free_fits = free_places > 0 && (is_first_free || transaction.size() <= free_bytes);
            if transaction.size() > bytes
                || (is_free && !free_fits)
                || check_transaction(transaction.transaction(), height, parameters).is_err()
                || !pay(transaction, overlay)
            {
                continue;
            }
            bytes -= transaction.size();
            if is_free {
                free_places -= 1;
                free_bytes = free_bytes.saturating_sub(transaction.size());
                is_first_free = false;
            }
            heads.extend(self.candidate(head.sender, head.sequence + 1));
            chosen.push(Arc::clone(transaction));
        }
        chosen
    }

    fn candidate(&self, sender: Address, sequence: u64) -> Option<Candidate> {
        let transaction = self.by_sender.get(&sender)?.get(sequence)?.transaction();
        Some(Candidate { fee: transaction.fee, created: Reverse(transaction.created), sender, sequence })
    }
}

/// Takes the cost from the sender and credits the recipient, if the sender can pay.
fn pay(transaction: &SignedTransaction, overlay: &mut Overlay<'_>) -> bool {
    let sender = transaction.sender();
    let account = overlay.get(&sender);
    let Some(balance) = transaction.cost().and_then(|cost| account.balance.checked_sub(cost)) else {
        return false;
    };
    let content = transaction.transaction();
    overlay.set(sender, Account { balance, next_sequence: account.next_sequence + 1 });
    let recipient = overlay.get(&content.recipient);
    let Some(credited) = recipient.balance.checked_add(content.amount) else {
        overlay.set(sender, account);
        return false;
    };
    overlay.set(content.recipient, Account { balance: credited, ..recipient });
    true
}
