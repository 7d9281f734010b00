//! Mining against bare hashing, and the memory of a peer that does nothing.

use std::{path::Path, time::Duration};

use http::{Method, StatusCode};
use raclette_api::mining::MiningJob;
use tokio::time::{Instant, sleep};

use super::{
    Failure, Scale,
    bare::{self, median},
    load::Call,
    maker::processors,
    report::{Line, Report},
    services::{Services, resident_memory},
};

/// Settings of a network whose blocks are never found.
const HARD: [&str; 4] = ["--first-target-bits", "200", "--half-life", "0s"];
/// How long a peer is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(2);

/// Measures both with a peer of its own.
pub(super) async fn measure(under: &Path, scale: &Scale, report: &mut Report) -> Result<(), Failure> {
    let mut services = Services::start(under, &HARD, &["carol"]).await?;
    services.bring_up("carol").await?;
    sleep(REST).await;
    let memory = resident_memory(services.process("carol")?)?;
    let mebibytes = memory as f64 / f64::from(1 << 20);
    let line = Line::new("Memory of an idle peer", format!("{mebibytes:.1} MiB resident"));
    report.add(line.goal("25 MB", memory < 25_000_000));

    let mut all: Vec<usize> = vec![1, processors()];
    all.dedup();
    for threads in all {
        let (mut mined, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            bare.push(bare::hashes(threads, scale.mining));
            mined.push(attempts(&services, threads, scale.mining).await?);
        }
        let (mined, bare) = (median(mined) / 1e6, median(bare) / 1e6);
        let line = Line::rate(format!("Mining on {threads} of {} processors", processors()), mined, "M attempts");
        let line = line.beside("bare search, one compression an attempt", bare, "M attempts", mined);
        report.add(line.goal("0.95", mined / bare >= 0.95));
    }
    services.stop().await;
    Ok(())
}

/// Attempts a second of a job that has begun to search already.
async fn attempts(services: &Services, threads: usize, within: Duration) -> Result<f64, Failure> {
    let mut carol = services.connect_as_owner("carol").await?;
    let order = format!("{{\"threads\":{threads}}}");
    let job = carol.call(&Call::post("/mine", order.into_bytes(), StatusCode::ACCEPTED)).await?;
    let job: MiningJob = serde_json::from_slice(&job)?;
    let path = format!("/mine/{}", job.id);
    sleep(Duration::from_millis(200)).await;
    let before: MiningJob = carol.read(&path).await?;
    let started = Instant::now();
    sleep(within).await;
    let after: MiningJob = carol.read(&path).await?;
    let elapsed = started.elapsed();
    let (status, _) = carol.send(&Method::DELETE, &path, hyper::body::Bytes::new()).await?;
    if status != StatusCode::OK {
        return Err(format!("DELETE {path}: expected 200, found {status}").into());
    }
    Ok((after.attempts - before.attempts) as f64 / elapsed.as_secs_f64())
}
