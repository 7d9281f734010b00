//! Attempts a second of every backend, next to the bare compression that an attempt cannot do without.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use raclette_pow::{Backend, HEADER_LEN, Search};
use sha2::block_api::compress256;

/// How many nonces one measured call tries.
const ATTEMPTS: u64 = 1 << 18;

/// No hash is as low as this, so that every call tries all its nonces.
const UNREACHABLE: [u8; 32] = [0; 32];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("attempts on one core");
    group.throughput(Throughput::Elements(ATTEMPTS));

    group.bench_function("bare compression", |bencher| bencher.iter(|| bare_compressions(black_box(0))));
    for backend in Backend::all() {
        let header = [0x5a; HEADER_LEN];
        let Some(search) = Search::with_backend(&header, &UNREACHABLE, *backend) else { continue };
        group.bench_function(backend.to_string(), |bencher| {
            bencher.iter(|| search.run(black_box(0), ATTEMPTS));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// What a miner does at the least without vectors: set the nonce, compress once, look at the first word.
fn bare_compressions(start: u64) -> Option<u64> {
    let midstate = [0x5a5a_5a5a; 8];
    let mut block = [0x5a; 64];
    (start..start + ATTEMPTS).find(|nonce| {
        block[20..28].copy_from_slice(&nonce.to_be_bytes());
        let mut state = midstate;
        compress256(&mut state, &[block]);
        state[0] == 0
    })
}
