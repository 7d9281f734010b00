//! Durable `POST /tx`: one transaction a request at several degrees of haste, many a request, and whether the cost grows
//! with the chain or the ledger.

use std::sync::Arc;

use http::StatusCode;
use raclette_chain::transaction::SignedTransaction;

use super::{
    Failure, Scale,
    bare::{self, median},
    load::{Call, Outcome, drive, rate},
    maker,
    prototype::Prototype,
    report::{Line, Report, milliseconds},
    services::processor_seconds,
    subject::Subject,
};

/// How many requests are under way at a time.
const IN_FLIGHT: [usize; 3] = [1, 16, 64];
/// How many transactions go into one request.
const ARRAY: usize = 100;

/// Measures all of it. What the prototype does at 64 in flight is the limit of the arrays too.
pub(super) async fn measure(subject: &mut Subject, scale: &Scale, report: &mut Report) -> Result<(), Failure> {
    for in_flight in IN_FLIGHT {
        // One at a time waits for the disk most of the time.
        let count = if in_flight == 1 { scale.submitted / 10 } else { scale.submitted };
        let (mut bare, mut peer, mut p99, mut cost) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            let transactions = subject.maker.transactions(count);
            bare.push(submit_to_prototype(subject, scale, &transactions, in_flight).await?);
            let before = processor_seconds(subject.services.process("alice")?)?;
            let outcome = submit_one_by_one(subject, &transactions, in_flight).await?;
            let used = processor_seconds(subject.services.process("alice")?)? - before;
            cost.push(used * 1e6 / rate(count, std::time::Duration::from_secs(1)));
            peer.push(outcome.rate());
            p99.push(outcome.percentile(99));
            subject.confirm(&transactions).await?;
        }
        let (bare, peer) = (median(bare), median(peer));
        p99.sort_unstable();
        let what = format!("POST /tx, durable, {in_flight} in flight");
        let cost =
            format!("; p99 {}; {:.0} us of processor a transaction", milliseconds(p99[p99.len() / 2]), median(cost));
        let line =
            Line::rate(what, peer, "tx").and(&cost).beside("bare decode, verify, group commit", bare, "tx", peer);
        report.add(if in_flight == 64 { line.goal("10,000 tx/s", peer >= 10_000.0) } else { line });
    }
    arrays(subject, scale, report).await
}

async fn arrays(subject: &mut Subject, scale: &Scale, report: &mut Report) -> Result<(), Failure> {
    let (mut peer, mut commits, mut verified) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let transactions = subject.maker.transactions(scale.submitted);
        verified.push(bare::verifications(&transactions, subject.maker.network())?);
        commits.push(bare::commits(&scale.under, &transactions, 256).await?);
        let bodies = maker::as_arrays(&transactions, ARRAY)?;
        let calls = bodies.into_iter().map(|body| Call::post("/tx", body, StatusCode::OK)).collect();
        let outcome = drive(subject.services.socket("alice")?, 4, calls).await?;
        peer.push(rate(transactions.len(), outcome.elapsed()));
        // It fails unless every one of them was taken.
        subject.confirm(&transactions).await?;
    }
    let (peer, commits, verified) = (median(peer), median(commits), median(verified));
    let what = format!("POST /tx, durable, {ARRAY} a request, 4 in flight");
    report.add(Line::rate(what.clone(), peer, "tx").beside("bare group commit of rows", commits, "row", peer));
    let line = Line::rate(what, peer, "tx");
    let verification = format!("bare verification, {}", bare::on_processors());
    report.add(line.beside(&verification, verified, "signature", peer));
    Ok(())
}

/// Whether a transaction costs more on a long chain, or beside many others that wait.
pub(super) async fn growth(subject: &mut Subject, scale: &Scale, report: &mut Report) -> Result<(), Failure> {
    subject.extend_to(1_000, 1_000).await?;
    let small = subject.confirmed();
    let few = cost(subject, scale).await?;
    let name = format!("{small} confirmed, an empty ledger");
    report.add(Line::new(format!("A transaction with {name}"), format!("{few:.0} us of processor")));

    subject.extend_to(scale.confirmed, 1_000).await?;
    let large = subject.confirmed();
    let many = cost(subject, scale).await?;
    let line = Line::new(
        format!("A transaction with {large} confirmed, an empty ledger"),
        format!("{many:.0} us of processor"),
    );
    report.add(line.against(name.clone(), many / few).goal("independent", many / few < 1.25));

    let waiting = subject.maker.transactions(scale.pending);
    subject.submit(&waiting).await?;
    let full = cost_of(subject, scale).await?;
    let line = Line::new(
        format!("A transaction with {large} confirmed, {} pending", waiting.len()),
        format!("{:.0} us of processor", full.0),
    );
    report.add(line.against(name, full.0 / few).goal("independent", full.0 / few < 1.25));
    subject.confirm(&[waiting, full.1].concat()).await
}

/// What a transaction costs now, in microseconds of the peer's processor time; those that it cost are confirmed then.
async fn cost(subject: &mut Subject, scale: &Scale) -> Result<f64, Failure> {
    let (cost, transactions) = cost_of(subject, scale).await?;
    subject.confirm(&transactions).await?;
    Ok(cost)
}

async fn cost_of(subject: &mut Subject, scale: &Scale) -> Result<(f64, Vec<Arc<SignedTransaction>>), Failure> {
    let transactions = subject.maker.transactions(scale.submitted.min(5_000));
    let before = processor_seconds(subject.services.process("alice")?)?;
    submit_one_by_one(subject, &transactions, 64).await?;
    let used = processor_seconds(subject.services.process("alice")?)? - before;
    Ok((used * 1e6 / rate(transactions.len(), std::time::Duration::from_secs(1)), transactions))
}

async fn submit_one_by_one(
    subject: &Subject,
    transactions: &[Arc<SignedTransaction>],
    in_flight: usize,
) -> Result<Outcome, Failure> {
    let bodies = maker::as_json(transactions)?;
    let calls = bodies.into_iter().map(|body| Call::post("/tx", body, StatusCode::CREATED)).collect();
    drive(subject.services.socket("alice")?, in_flight, calls).await
}

async fn submit_to_prototype(
    subject: &Subject,
    scale: &Scale,
    transactions: &[Arc<SignedTransaction>],
    in_flight: usize,
) -> Result<f64, Failure> {
    let prototype = Prototype::start(&scale.under, *subject.maker.network())?;
    let bodies = maker::as_json(transactions)?;
    let calls = bodies.into_iter().map(|body| Call::post("/tx", body, StatusCode::CREATED)).collect();
    Ok(drive(prototype.socket(), in_flight, calls).await?.rate())
}
