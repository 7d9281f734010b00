//! Reading: calls that programs make again and again, beside a bare answer.

use std::{net::SocketAddr, sync::Arc};

use http::StatusCode;
use raclette_chain::transaction::SignedTransaction;

use super::{
    Failure, Scale,
    bare::median,
    load::{Call, drive},
    maker,
    prototype::Prototype,
    report::{Line, Report},
    subject::Subject,
};

/// How many requests are under way at a time.
const IN_FLIGHT: usize = 64;

/// Measures the calls, and the bare echo of a transaction for comparison.
pub(super) async fn measure(subject: &mut Subject, scale: &Scale, report: &mut Report) -> Result<(), Failure> {
    let confirmed = subject.maker.transactions(200);
    subject.submit(&confirmed).await?;
    subject.confirm(&confirmed).await?;
    let pending = subject.maker.transactions(200);
    subject.submit(&pending).await?;
    let height = subject.maker.height();
    let prototype = Prototype::start(&scale.under, *subject.maker.network())?;

    let bare = rate_of(prototype.socket(), scale, scale.reads, &[String::from("/small")]).await?;
    let ids = |transactions: &[Arc<SignedTransaction>]| -> Vec<String> {
        transactions.iter().map(|one| format!("/tx/{}", one.id())).collect()
    };
    let accounts: Vec<String> = pending.iter().map(|one| format!("/accounts/{}", one.sender())).collect();
    // Large answers take longer, and are asked for less often.
    let calls = [
        ("GET /status", 1, vec![String::from("/status")]),
        ("GET /accounts/{address}", 1, accounts),
        ("GET /tx/{id}, pending", 1, ids(&pending)),
        ("GET /tx/{id}, confirmed", 5, ids(&confirmed)),
        ("GET /block/{height}, 200 transactions", 20, vec![format!("/block/{height}")]),
    ];
    for (what, divisor, paths) in calls {
        let socket = subject.services.socket("alice")?;
        let measured = rate_of(socket, scale, scale.reads / divisor, &paths).await?;
        let line = Line::rate(format!("{what}, {IN_FLIGHT} in flight"), measured, "call");
        report.add(line.beside("bare small answer", bare, "call", measured));
    }

    let bodies = maker::as_json(&pending)?;
    let calls = (0..scale.reads)
        .map(|number| Call::post("/echo", bodies[number % bodies.len()].clone(), StatusCode::CREATED))
        .collect();
    let echoed = drive(prototype.socket(), IN_FLIGHT, calls).await?.rate();
    report.add(Line::rate(format!("(bare echo of a transaction, {IN_FLIGHT} in flight)"), echoed, "call"));
    subject.confirm(&pending).await
}

async fn rate_of(to: SocketAddr, scale: &Scale, reads: usize, paths: &[String]) -> Result<f64, Failure> {
    let mut rates = Vec::new();
    for _ in 0..scale.rounds {
        let calls = (0..reads).map(|number| Call::get(&paths[number % paths.len()])).collect();
        rates.push(drive(to, IN_FLIGHT, calls).await?.rate());
    }
    Ok(median(rates))
}
