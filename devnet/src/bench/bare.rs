//! Limits without any network: what the processors and the disk can do at best in this very run.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA256};
use raclette_chain::{codec, hash::NetworkId, transaction::SignedTransaction};
use raclette_pow::{HEADER_LEN, Search};
use tokio::task::JoinSet;

use super::{
    Failure,
    load::rate,
    maker::{on_all_processors, processors},
    prototype::{self, Row},
};

/// Bytes before the PKCS#1 key in a SubjectPublicKeyInfo, which is what the library reads.
const BEFORE_PKCS1: usize = 24;

/// Signatures verified a second on all processors, with keys that are parsed already: nothing but the library.
pub(super) fn verifications(transactions: &[Arc<SignedTransaction>], network: &NetworkId) -> Result<f64, Failure> {
    let prepared = transactions.iter().map(|signed| {
        let transaction = signed.transaction();
        let key = ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &transaction.sender.der()[BEFORE_PKCS1..])?;
        Ok((key, transaction.preimage(network), signed.signature().as_bytes().to_vec()))
    });
    let prepared: Vec<_> = prepared.collect::<Result<_, aws_lc_rs::error::KeyRejected>>()?;
    let started = Instant::now();
    let verified =
        on_all_processors(prepared, |(key, message, signature)| key.verify_sig(&message, &signature).is_ok());
    let elapsed = started.elapsed();
    if verified.iter().all(|verified| *verified) {
        Ok(rate(verified.len(), elapsed))
    } else {
        Err("a signature that was just made does not verify".into())
    }
}

/// Attempts a second at a block on so many threads, by the fastest way that this processor has: nothing but the search.
pub(super) fn hashes(threads: usize, within: Duration) -> f64 {
    const SLICE: u64 = 1 << 20;
    let (stop, tried) = (AtomicBool::new(false), AtomicU64::new(0));
    let started = Instant::now();
    thread::scope(|scope| {
        for number in 0..threads {
            let (stop, tried) = (&stop, &tried);
            scope.spawn(move || {
                // No hash is as low as this: every slice is tried to its end.
                let search = Search::new(&[0x5a; HEADER_LEN], &[0; 32]);
                let mut next = (number as u64) << 56;
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box(search.run(next, SLICE));
                    next += SLICE;
                    tried.fetch_add(SLICE, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(within);
        stop.store(true, Ordering::Relaxed);
    });
    let tried = usize::try_from(tried.into_inner()).unwrap_or(usize::MAX);
    rate(tried, started.elapsed())
}

/// Rows a second that SQLite stores durably, so many callers waiting for their commit at a time.
pub(super) async fn commits(
    under: &Path,
    transactions: &[Arc<SignedTransaction>],
    in_flight: usize,
) -> Result<f64, Failure> {
    let directory = tempfile::Builder::new().prefix("raclette-bench-").tempdir_in(under)?;
    let store = prototype::Store::open(&directory.path().join("bare.sqlite")).await?;
    let rows: Vec<_> =
        transactions.iter().map(|one| (one.id().as_bytes().to_vec(), codec::encode_transaction(one))).collect();
    let mut callers = JoinSet::new();
    let share = rows.len().div_ceil(in_flight);
    let started = Instant::now();
    for part in rows.chunks(share) {
        let (part, store) = (part.to_vec(), store.clone());
        callers.spawn(async move {
            for (id, body) in part {
                store.keep(Row { id, body }).await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(rate(rows.len(), started.elapsed()))
}

/// The same, measured three times, and the middle of them.
pub(super) fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() / 2).copied().unwrap_or_default()
}

/// All processors in words.
pub(super) fn on_processors() -> String {
    format!("{} threads", processors())
}
