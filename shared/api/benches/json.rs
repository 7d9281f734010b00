//! What JSON costs: a transaction and a block of 1,000, read, decoded and written, beside bare `serde_json`.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use raclette_api::{block::BlockMessage, transaction::TransactionMessage};
use raclette_chain::{
    amount::Amount,
    block::{Block, merkle_root},
    genesis::Genesis,
    hash::{BlockHash, MerkleRoot, MessageDigest, NetworkId},
    header::{BLOCK_VERSION, Header},
    keys::Signature,
    parameters::Parameters,
    testing::{ALICE_PEM, BOB_PEM, key},
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};
use serde_json::Value;

/// How many transactions the block has.
const TRANSACTIONS: u64 = 1_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let time = Timestamp::new(1_767_225_600_000).expect("a time below 2^53");
    let parameters = Parameters::default();
    let network = Genesis { parameters: parameters.clone(), time }.network();
    let block = block(&network, &parameters, time);
    transaction(&mut criterion, &block.transactions()[0], &network);
    whole_block(&mut criterion, &block, &network);
    criterion.final_summary();
}

fn block(network: &NetworkId, parameters: &Parameters, time: Timestamp) -> Block {
    let (sender, recipient) = (key(ALICE_PEM).public().clone(), key(BOB_PEM).public().address());
    let one = Amount::new(1).expect("a small amount");
    let transactions: Vec<_> = (0..TRANSACTIONS)
        .map(|sequence| {
            let transaction = Transaction {
                sender: sender.clone(),
                recipient,
                amount: one,
                fee: one,
                sequence,
                created: time,
                valid_until: 0,
                message_digest: MessageDigest::ZERO,
                message_length: 0,
            };
            SignedTransaction::new(transaction, Signature::from_bytes(vec![0x5a; 256]), network)
        })
        .collect();
    let reward = Reward { miner: recipient, amount: one };
    let mut header = Header {
        previous: BlockHash::ZERO,
        merkle_root: MerkleRoot::ZERO,
        version: BLOCK_VERSION,
        height: 1,
        time,
        target: parameters.first_target,
        nonce: 0,
    };
    header.merkle_root = merkle_root(&header, &reward, &transactions, network);
    Block::new(header, reward, transactions)
}

fn transaction(criterion: &mut Criterion, signed: &SignedTransaction, network: &NetworkId) {
    let message = TransactionMessage::new(signed, None);
    let text = serde_json::to_vec(&message).expect("a message becomes JSON");
    let mut group = criterion.benchmark_group("a transaction as JSON");
    group.bench_function("bare reading as a value", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(&text)).expect("JSON"));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| serde_json::from_slice::<TransactionMessage>(black_box(&text)).expect("a transaction"));
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| black_box(&message).decode(network).expect("a transaction"));
    });
    group.bench_function("make", |bencher| bencher.iter(|| TransactionMessage::new(black_box(signed), None)));
    group.bench_function("write", |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&message)).expect("a message becomes JSON"));
    });
    group.finish();
}

fn whole_block(criterion: &mut Criterion, block: &Block, network: &NetworkId) {
    let whole = BlockMessage::full(block, network);
    let compact = BlockMessage::compact(block, network);
    let text = serde_json::to_vec(&whole).expect("a message becomes JSON");
    let compact_text = serde_json::to_vec(&compact).expect("a message becomes JSON");
    let mut group = criterion.benchmark_group("a block of 1,000 transactions as JSON");
    group.throughput(Throughput::Elements(TRANSACTIONS));
    group.bench_function("bare reading as a value", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(&text)).expect("JSON"));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| serde_json::from_slice::<BlockMessage>(black_box(&text)).expect("a block"));
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| black_box(&whole).decode(network).expect("a block"));
    });
    group.bench_function("make", |bencher| bencher.iter(|| BlockMessage::full(black_box(block), network)));
    group.bench_function("write", |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&whole)).expect("a message becomes JSON"));
    });
    group.bench_function("read the compact form", |bencher| {
        bencher.iter(|| {
            let message: BlockMessage = serde_json::from_slice(black_box(&compact_text)).expect("a block");
            message.leaves().expect("leaves")
        });
    });
    group.finish();
}
