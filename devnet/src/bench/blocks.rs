//! Blocks on their way to others: the history to a newcomer, and a block of known transactions to a neighbour.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Failure, Scale, bare,
    load::rate,
    report::{Line, Report, milliseconds},
    services::height_and_pending,
    subject::{Subject, give, until},
};

/// How many transactions the blocks have.
const TRANSACTIONS: usize = 1_000;
/// How often a peer that fetches the history is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);

/// Starts bob, and measures how quickly he fetches and verifies what alice has.
pub(super) async fn history(subject: &mut Subject, scale: &Scale, report: &mut Report) -> Result<(), Failure> {
    subject.extend_to(scale.confirmed, TRANSACTIONS).await?;
    let sample = subject.maker.transactions(scale.submitted.min(10_000));
    let verified = bare::verifications(&sample, subject.maker.network())?;
    let commits = bare::commits(&scale.under, &sample, 256).await?;
    subject.submit(&sample).await?;
    subject.confirm(&sample).await?;

    let started = Instant::now();
    subject.services.launch("bob")?;
    let mut bob = loop {
        match subject.services.connect("bob").await {
            Ok(connection) => break connection,
            Err(_) if started.elapsed() < Duration::from_secs(30) => tokio::time::sleep(LOOK).await,
            Err(error) => return Err(error),
        }
    };
    // The clock starts when the first block is there: before that he makes a key and registers.
    let goal = subject.maker.height();
    let first = until(&mut bob, Some(LOOK), |height, _| height > 0).await?;
    let (from, _) = height_and_pending(&mut bob).await?;
    let last = until(&mut bob, Some(LOOK), |height, _| height >= goal).await?;
    let total = subject.confirmed();
    let fetched = total - subject.maker.transactions_up_to(from);
    let measured = rate(fetched, last - first);
    let what = format!("History to a new peer, {total} transactions in {goal} blocks");
    let all = format!("; {:.1} s from the start of its process", (last - started).as_secs_f64());
    let line = Line::rate(what.clone(), measured, "tx").and(&all);
    let verification = format!("bare verification, {}", bare::on_processors());
    report.add(line.beside(&verification, verified, "signature", measured).goal("20,000 tx/s", measured >= 20_000.0));
    report.add(Line::rate(what, measured, "tx").beside("bare group commit of rows", commits, "row", measured));
    subject.services.bring_up("bob").await
}

/// Measures how quickly a block of transactions that bob knows is validated by him: given to him directly, and found at
/// alice's and passed on.
pub(super) async fn known(subject: &mut Subject, scale: &Scale, report: &mut Report) -> Result<(), Failure> {
    let mut bob = subject.services.connect("bob").await?;
    let (mut direct, mut passed_on) = (Vec::new(), Vec::new());
    for _ in 0..scale.blocks {
        for given_to_bob in [true, false] {
            let transactions = subject.maker.transactions(TRANSACTIONS);
            subject.submit(&transactions).await?;
            until(&mut bob, Some(LOOK), |_, pending| pending >= TRANSACTIONS as u64).await?;
            // What the relay still notes has to be through.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let block = subject.maker.block(&transactions)?;
            let body = subject.maker.compact(&block)?;
            let height = subject.maker.height();
            let started = Instant::now();
            if given_to_bob {
                give(&mut bob, body).await?;
                direct.push(started.elapsed());
                until(&mut subject.alice, Some(LOOK), |at, _| at >= height).await?;
            } else {
                subject.give(body).await?;
                passed_on.push(until(&mut bob, None, |at, _| at >= height).await? - started);
            }
        }
    }
    direct.sort_unstable();
    passed_on.sort_unstable();
    let middle = direct[direct.len() / 2];
    let what = "A compact block of 1,000 known transactions: given to a neighbour, and his answer";
    let line = Line::new(what, milliseconds(middle));
    report.add(line.goal("10 ms", middle <= Duration::from_millis(10)));
    let middle = passed_on[passed_on.len() / 2];
    let what = "The same given to alice: until she has it, and her neighbour too";
    report.add(Line::new(what, milliseconds(middle)));
    Ok(())
}
