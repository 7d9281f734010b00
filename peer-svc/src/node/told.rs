//! What happened in the node, in the words of `GET /events`.

use raclette_api::{
    event::{
        BlockEvent, EventBody, MemberEvent, MemberStep, MessageEvent, ReorgEvent, TransactionEvent, TransactionStep,
    },
    membership::{PeerRecord, PeerState},
};
use raclette_chain::{
    address::Address,
    block::{Block, Checked},
    hash::BlockHash,
    index::Entry,
    transaction::SignedTransaction,
};
use raclette_service::membership::base_url;

use super::BlockOutcome;

/// A step of a transaction; `height` is that of its block.
pub(super) fn transaction(signed: &SignedTransaction, status: TransactionStep, height: Option<u32>) -> EventBody {
    transaction_between(signed, status, height, |address| address.to_string())
}

/// As [`transaction`], by a caller that writes addresses in a way of its own.
pub(super) fn transaction_between(
    signed: &SignedTransaction,
    status: TransactionStep,
    height: Option<u32>,
    mut write: impl FnMut(Address) -> String,
) -> EventBody {
    let transaction = signed.transaction();
    EventBody::Transaction(TransactionEvent {
        id: signed.id().to_string(),
        status,
        sender: write(signed.sender()),
        recipient: write(transaction.recipient),
        amount: transaction.amount.units(),
        fee: transaction.fee.units(),
        height,
    })
}

/// A block was stored.
pub(super) fn block(block: &Block<Checked>, outcome: BlockOutcome) -> EventBody {
    EventBody::Block(BlockEvent {
        hash: block.hash().to_string(),
        previous: block.header().previous.to_string(),
        height: block.header().height,
        miner: block.reward().miner.to_string(),
        transactions: u32::try_from(block.transactions().len()).unwrap_or(u32::MAX),
        active: outcome == BlockOutcome::Accepted,
    })
}

/// Another branch is active, up to this tip.
pub(super) fn reorg(old: &BlockHash, tip: &Entry, connected: usize, disconnected: usize, returned: usize) -> EventBody {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    EventBody::Reorg(ReorgEvent {
        old_tip: old.to_string(),
        new_tip: tip.hash.to_string(),
        height: tip.header.height,
        disconnected: count(disconnected),
        connected: count(connected),
        returned: count(returned),
    })
}

/// Something for the owner arrived.
pub(super) fn message(signed: &SignedTransaction) -> EventBody {
    let transaction = signed.transaction();
    EventBody::Message(MessageEvent {
        id: signed.id().to_string(),
        from: signed.sender().to_string(),
        amount: transaction.amount.units(),
        has_message: transaction.message_length != 0,
    })
}

/// News about a member.
pub(super) fn member(record: &PeerRecord) -> EventBody {
    let state = match record.state {
        PeerState::Online | PeerState::Suspect => MemberStep::Online,
        PeerState::Offline => MemberStep::Offline,
        PeerState::Left => MemberStep::Left,
    };
    EventBody::Member(MemberEvent {
        name: record.name.clone(),
        address: record.address.clone(),
        state,
        epoch: record.epoch,
        version: record.version,
        url: record.registration.as_ref().map(|registration| base_url(&registration.host, registration.port)),
    })
}
