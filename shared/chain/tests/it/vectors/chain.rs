//! A short chain: genesis, rewards, headers, blocks, work and state hashes.

use raclette_chain::{
    accounts::Account,
    address::Address,
    block::Block,
    encoding::{Preimage, sha256, tag},
    genesis::{Genesis, NOTE},
    hash::{NetworkId, StateHash},
    message::SealedMessage,
    rules::Connected,
    transaction::{SignedTransaction, Transaction},
};
use serde_json::{Value, json};

use super::{
    file,
    json::{self, hex, keep_message, keep_signed},
};
use crate::test_chain::{ALICE, BOB, CAROL, START, TestChain, at, parameters, transfer};

#[test]
fn chain() {
    file::check("chain.json", |stored| {
        let genesis = Genesis { parameters: parameters(), time: at(START) };
        let mut chain = TestChain::new(parameters());
        let network = chain.rules.network;
        let first = push(&mut chain, Vec::new());
        let (with_message, message) = message_to_bob(stored, &network);
        let second_transactions = vec![
            with_message,
            keep_signed(
                stored.pointer("/blocks/1/transactions/1/transaction/signature"),
                transfer(&ALICE, CAROL.public().address(), 10, 2, 1),
                &ALICE,
                &network,
            ),
        ];
        let mut second = push(&mut chain, second_transactions);
        second["messages"] = json!([json::jwe(&message)]);
        let third = push(&mut chain, Vec::new());
        json!({
            "about": "A chain of three blocks, all mined by alice. Block 2 holds two transactions; signatures are kept, so all hashes are.",
            "genesis": {
                "genesis": { "note": NOTE, "parameters": json::parameters(&genesis.parameters), "time": START },
                "bytes": hex(&genesis.preimage()),
                "header": json::header(&genesis.header()),
                "header_bytes": hex(&genesis.header().bytes()),
                "network_id": network.to_string(),
            },
            "blocks": [first, second, third],
        })
    });
}

/// The first transaction of block 2, from alice to bob with a message, whose digest it commits to.
fn message_to_bob(stored: &Value, network: &NetworkId) -> (SignedTransaction, SealedMessage) {
    let plain = transfer(&ALICE, BOB.public().address(), 25, 1, 0);
    let kept = stored.pointer("/blocks/1/messages/0");
    let message = keep_message(kept, "Here are 25 for the cheese.", &BOB, &ALICE, &plain.binding(*network));
    let (message_digest, message_length) = message.digest(network);
    let kept = stored.pointer("/blocks/1/transactions/0/transaction/signature");
    (keep_signed(kept, Transaction { message_digest, message_length, ..plain }, &ALICE, network), message)
}

/// Mines the next block, and writes down everything about it.
fn push(chain: &mut TestChain, transactions: Vec<SignedTransaction>) -> Value {
    let state_before = chain.state_hash;
    let block = chain.mine(chain.draft(transactions));
    chain.now = block.header().time;
    let connected = chain.check(block.clone()).unwrap();
    chain.push(&block).unwrap();
    let network = chain.rules.network;
    let entry = chain.index.tip();
    let mut json = block_vector(&block, &network);
    json["work"] = entry.work.to_string().into();
    json["state"] = json!({
        "before": state_before.to_string(),
        "changes": changes(&connected),
        "bytes": hex(&state_bytes(&network, &state_before, &block, &connected)),
        "hash": connected.state_hash.to_string(),
    });
    json
}

/// The bytes behind a state hash, put together a second time.
fn state_bytes(network: &NetworkId, before: &StateHash, block: &Block, connected: &Connected) -> Vec<u8> {
    let count = u32::try_from(connected.changes.0.len()).unwrap();
    let mut preimage =
        Preimage::new(tag::STATE, network).fixed(before.as_bytes()).fixed(block.hash().as_bytes()).u32(count);
    for (address, account) in &connected.changes.0 {
        preimage = preimage.fixed(address.as_bytes()).u64(account.balance.units()).u64(account.next_sequence);
    }
    let bytes = preimage.finish();
    assert_eq!(sha256(&bytes), *connected.state_hash.as_bytes());
    bytes
}

/// The bytes behind a reward's id, put together a second time.
fn reward_bytes(network: &NetworkId, block: &Block) -> Vec<u8> {
    let (header, reward) = (block.header(), block.reward());
    let bytes = Preimage::new(tag::REWARD, network)
        .fixed(header.previous.as_bytes())
        .u32(header.height)
        .fixed(reward.miner.as_bytes())
        .u64(reward.amount.units())
        .finish();
    assert_eq!(sha256(&bytes), *reward.id(network, &header.previous, header.height).as_bytes());
    bytes
}

fn changes(connected: &Connected) -> Vec<Value> {
    let change = |(address, account): &(Address, Account)| {
        json!({
            "address": address.to_string(),
            "address_bytes": hex(address.as_bytes()),
            "balance": account.balance.units(),
            "next_sequence": account.next_sequence,
        })
    };
    connected.changes.0.iter().map(change).collect()
}

fn block_vector(block: &Block, network: &NetworkId) -> Value {
    let (header, reward) = (block.header(), block.reward());
    let name = |position: usize| format!("transaction {position} of block {}", header.height);
    let transactions: Vec<Value> = block
        .transactions()
        .iter()
        .enumerate()
        .map(|(position, signed)| json::transaction_vector(&name(position + 1), signed, network))
        .collect();
    json!({
        "header": json::header(header),
        "header_bytes": hex(&header.bytes()),
        "reward": {
            "id": reward.id(network, &header.previous, header.height).to_string(),
            "miner": reward.miner.to_string(),
            "amount": reward.amount.units(),
            "bytes": hex(&reward_bytes(network, block)),
        },
        "transactions": transactions,
        "leaves": block.leaves(network).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "size": block.size(),
    })
}
