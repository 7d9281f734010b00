//! What the pieces cost that a transaction and a block pass: signatures beside the bare library, bytes, the Merkle tree,
//! the ledger while it is small and full, and a block of 1,000 transactions.

use std::{hint::black_box, sync::Arc};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA256};
use criterion::{BatchSize, Criterion, Throughput};
use raclette_chain::{
    accounts::{Account, Accounts, Overlay},
    address::Address,
    amount::Amount,
    block::{Block, merkle_root},
    codec,
    genesis::Genesis,
    hash::{MerkleRoot, MessageDigest, NetworkId, StateHash},
    header::{BLOCK_VERSION, Header},
    keys::{PublicKey, Signature},
    ledger::{Context, Ledger},
    merkle,
    parameters::Parameters,
    rules::{Rules, connect_block},
    testing::{ALICE_PEM, BOB_PEM, key},
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};

/// How many senders share a full ledger: none of them meets its own bound.
const SENDERS: usize = 64;
const NOW: u64 = 1_767_225_600_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    signatures(&mut criterion);
    bytes(&mut criterion);
    ledger(&mut criterion, 1_000);
    ledger(&mut criterion, 49_000);
    blocks(&mut criterion);
    criterion.final_summary();
}

fn amount(units: u64) -> Amount {
    Amount::new(units).expect("a small amount")
}

fn now() -> Timestamp {
    Timestamp::new(NOW).expect("a time below 2^53")
}

fn rules() -> Rules {
    let genesis = Genesis { parameters: Parameters::default(), time: now() };
    Rules { network: genesis.network(), parameters: genesis.parameters }
}

fn transaction(sender: PublicKey, sequence: u64) -> Transaction {
    Transaction {
        sender,
        recipient: key(BOB_PEM).public().address(),
        amount: amount(1),
        fee: amount(1),
        sequence,
        created: now(),
        valid_until: 0,
        message_digest: MessageDigest::ZERO,
        message_length: 0,
    }
}

/// Keys that nobody has the private half of: good for everything but verifying.
fn public_keys() -> Vec<PublicKey> {
    let der = key(ALICE_PEM).public().der().to_vec();
    let another = |number: usize| {
        let mut der = der.clone();
        der[60..68].copy_from_slice(&(number as u64).to_be_bytes());
        PublicKey::from_der(&der).expect("any odd modulus of the right length will do")
    };
    (0..SENDERS).map(another).collect()
}

/// Transactions of all senders in turn, with signatures of the right form.
fn unsigned(count: usize, network: &NetworkId) -> Vec<Arc<SignedTransaction>> {
    let keys = public_keys();
    let signature = Signature::from_bytes(vec![0x5a; 256]);
    (0..count)
        .map(|number| transaction(keys[number % SENDERS].clone(), (number / SENDERS) as u64))
        .map(|transaction| Arc::new(SignedTransaction::new(transaction, signature.clone(), network)))
        .collect()
}

fn signatures(criterion: &mut Criterion) {
    let network = rules().network;
    let private = key(ALICE_PEM);
    let signed = transaction(private.public().clone(), 0).sign(&private, &network);
    let der = private.public().der().to_vec();
    let pem = private.public().to_pem();
    let message = signed.transaction().preimage(&network);
    let signature = signed.signature().as_bytes();
    // The PKCS#1 key begins behind 24 bytes of SubjectPublicKeyInfo.
    let parse = || ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &der[24..]).expect("a key");
    let parsed = parse();

    let mut group = criterion.benchmark_group("verifying a signature of 2048 bits");
    group.bench_function("bare aws-lc-rs, key parsed before", |bencher| {
        bencher.iter(|| parsed.verify_sig(black_box(&message), signature).expect("it verifies"));
    });
    group.bench_function("bare aws-lc-rs, with parsing", |bencher| {
        bencher.iter(|| parse().verify_sig(black_box(&message), signature).expect("it verifies"));
    });
    group.bench_function("SignedTransaction::verify, key parsed before", |bencher| {
        bencher.iter(|| black_box(&signed).verify(&network).expect("it verifies"));
    });
    group.bench_function("SignedTransaction::verify, key from PEM", |bencher| {
        bencher.iter(|| {
            let sender = PublicKey::from_pem(black_box(&pem)).expect("a key");
            sender.verify(&message, signed.signature()).expect("it verifies");
        });
    });
    group.finish();
}

fn bytes(criterion: &mut Criterion) {
    let network = rules().network;
    let one = unsigned(1, &network).remove(0);
    let encoded = codec::encode_transaction(&one);
    let mut group = criterion.benchmark_group("a transaction as bytes");
    group.bench_function("encode", |bencher| bencher.iter(|| codec::encode_transaction(black_box(&one))));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| codec::decode_transaction(black_box(&encoded), &network).expect("what was encoded"));
    });
    group.finish();

    let mut group = criterion.benchmark_group("an address");
    let address = one.sender();
    let text = address.to_string();
    group.bench_function("write", |bencher| bencher.iter(|| black_box(&address).to_string()));
    group.bench_function("read", |bencher| bencher.iter(|| black_box(&text).parse::<Address>().expect("an address")));
    group.finish();

    let leaves: Vec<_> = unsigned(1_000, &network).iter().map(|one| one.leaf()).collect();
    let mut group = criterion.benchmark_group("Merkle tree");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("root of 1,000 leaves", |bencher| bencher.iter(|| merkle::root(black_box(&leaves))));
    group.finish();
}

/// A ledger that has been published: whoever changes a copy of it must copy what it changes.
fn ledger(criterion: &mut Criterion, pending: usize) {
    const BATCH: usize = 64;
    let rules = rules();
    let account = Account { balance: Amount::MAX, next_sequence: 0 };
    let context = Context { parameters: &rules.parameters, next_height: 1, now: now(), registered: true };
    let mut transactions = unsigned(pending + BATCH, &rules.network);
    let more = transactions.split_off(pending);
    let mut ledger = Ledger::default();
    for transaction in transactions {
        ledger.add(transaction, &account, &context).expect("there is room");
    }
    let add = |ledger: &Ledger| {
        let mut copy = ledger.clone();
        for transaction in &more {
            copy.add(Arc::clone(transaction), &account, &context).expect("there is room");
        }
        copy
    };
    let fuller = add(&ledger);
    let mut group = criterion.benchmark_group(format!("the ledger with {pending} pending"));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("add 64 to a copy", |bencher| bencher.iter(|| add(black_box(&ledger))));
    group.bench_function("remove 64 from a copy", |bencher| {
        bencher.iter(|| {
            let mut copy = black_box(&fuller).clone();
            more.iter().filter(|transaction| copy.remove(&transaction.id()).is_some()).count()
        });
    });
    group.finish();
}

fn blocks(criterion: &mut Criterion) {
    let rules = rules();
    let transactions: Vec<SignedTransaction> =
        unsigned(1_000, &rules.network).iter().map(|one| SignedTransaction::clone(one)).collect();
    let accounts: Accounts = transactions
        .iter()
        .map(|one| (one.sender(), Account { balance: amount(1_000_000), next_sequence: 0 }))
        .collect();
    let reward = Reward { miner: key(BOB_PEM).public().address(), amount: amount(50 + 1_000) };
    let mut header = Header {
        previous: raclette_chain::hash::BlockHash::ZERO,
        merkle_root: MerkleRoot::ZERO,
        version: BLOCK_VERSION,
        height: 1,
        time: now(),
        target: rules.parameters.first_target,
        nonce: 0,
    };
    header.merkle_root = merkle_root(&header, &reward, &transactions, &rules.network);
    let block = Block::new(header, reward, transactions);
    let body = codec::encode_body(&block);

    let mut group = criterion.benchmark_group("a block of 1,000 transactions");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("connect", |bencher| {
        bencher.iter(|| {
            let mut overlay = Overlay::new(&accounts);
            connect_block(black_box(&block), &mut overlay, &StateHash::ZERO, &rules).expect("it is valid")
        });
    });
    group.bench_function("encode the body", |bencher| bencher.iter(|| codec::encode_body(black_box(&block))));
    group.bench_function("decode the body", |bencher| {
        bencher.iter(|| codec::decode_body(header, black_box(&body), &rules.network).expect("what was encoded"));
    });
    group.bench_function("clone", |bencher| {
        bencher.iter_batched(|| (), |()| black_box(&block).clone(), BatchSize::LargeInput);
    });
    group.finish();
}
