//! What the store costs: pending transactions written many to a statement, and taken out again, each in a commit that is
//! synced.

use std::sync::Arc;

use criterion::{Criterion, Throughput};
use peer_svc::store::{self, ledger::NewRow};
use raclette_chain::{
    amount::Amount,
    hash::{MessageDigest, NetworkId},
    keys::Signature,
    testing::{ALICE_PEM, BOB_PEM, key},
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use sqlx::{Connection as _, SqliteConnection};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("peer.sqlite");
    let (mut writer, readers) = runtime.block_on(store::open(&path)).expect("a new file");
    for rows in [1, 64, 1_000] {
        let mut group = criterion.benchmark_group(format!("{rows} pending transactions, one commit each way"));
        group.throughput(Throughput::Elements(rows));
        let mut next = 0;
        group.bench_function("insert and delete", |bencher| {
            bencher.iter_custom(|times| {
                let batches: Vec<_> = (0..times).map(|_| batch(&mut next, rows)).collect();
                let started = std::time::Instant::now();
                for rows in batches {
                    runtime.block_on(there_and_back(&mut writer, &rows)).expect("the store works");
                }
                started.elapsed()
            });
        });
        group.finish();
    }
    runtime.block_on(async {
        readers.close().await;
        store::close(writer).await.expect("the file is closed");
    });
    criterion.final_summary();
}

/// Rows that were never written before.
fn batch(next: &mut u64, rows: u64) -> Vec<NewRow> {
    let (sender, recipient) = (key(ALICE_PEM).public().clone(), key(BOB_PEM).public().address());
    let row = |sequence| {
        let transaction = Transaction {
            sender: sender.clone(),
            recipient,
            amount: Amount::ZERO,
            fee: Amount::ZERO,
            sequence,
            created: Timestamp::default(),
            valid_until: 0,
            message_digest: MessageDigest::ZERO,
            message_length: 0,
        };
        let signature = Signature::from_bytes(vec![0x5a; 256]);
        let transaction = Arc::new(SignedTransaction::new(transaction, signature, &NetworkId::ZERO));
        NewRow { transaction, received: 0, unrelayed: true }
    };
    let first = *next;
    *next += rows;
    (first..first + rows).map(row).collect()
}

async fn there_and_back(writer: &mut SqliteConnection, rows: &[NewRow]) -> Result<(), store::StoreError> {
    let mut transaction = writer.begin_with("begin immediate").await?;
    store::ledger::insert(&mut transaction, rows).await?;
    transaction.commit().await?;
    let ids: Vec<_> = rows.iter().map(|row| row.transaction.id()).collect();
    let mut transaction = writer.begin_with("begin immediate").await?;
    store::ledger::delete(&mut transaction, &ids).await?;
    transaction.commit().await?;
    Ok(())
}
