//! Waiting until all is well again, and how long that took.

use std::{
    collections::BTreeSet,
    future::Future,
    time::{Duration, Instant},
};

use raclette_service::{client::SendError, clock::now_ms};
use serde_json::{Value, json};
use trials::{proxy::Fault, verdict::Settled};

use super::{
    Failure,
    ask::{Caller, number, text},
    ground::{Ground, TRACKER_INDEX},
};

/// How long anybody waits for each.
const MINUTE: Duration = Duration::from_secs(60);
const TWO_MINUTES: Duration = Duration::from_secs(120);
const PERIOD: Duration = Duration::from_millis(150);

/// Splits the network in two halves, and has both mine until their chains have the same work: only the rule for such ties
/// decides which of them all follow when they meet.
pub(super) async fn tie(ground: &Ground) -> Result<(), Failure> {
    let callers: Vec<_> = ground.peers().map(Caller::new).collect::<Result<_, _>>()?;
    let half = callers.len() / 2;
    let (one, other) = (&callers[0], &callers[half]);
    // The tracker stays with the first.
    ground.split(|index| usize::from(index > half), Fault::BlackHole);
    let begun = Instant::now();
    loop {
        let (height, others) = (height(one).await?, height(other).await?);
        if height.0 == others.0 && height.1 != others.1 {
            return Ok(());
        }
        if begun.elapsed() > MINUTE {
            return Err("the halves of the network never had chains of the same work".into());
        }
        let slower = if height.0 < others.0 { one } else { other };
        // It may be lost to another peer of the same half, which is as good.
        slower.post("/mine", &json!({ "threads": 1 }), &[("prefer", "wait=2")]).await.ok();
    }
}

/// Height and hash of a peer's tip.
async fn height(peer: &Caller) -> Result<(u64, String), SendError> {
    let status = peer.get_in_calm("/status").await?;
    Ok((number(&status["tip"], "height"), text(&status["tip"], "hash")))
}

/// The longer of two healings in each respect; what never happened in one of them never happened.
pub(super) fn longer(one: &Settled, other: &Settled) -> Settled {
    let longer = |one: Option<u64>, other: Option<u64>| Some(one?.max(other?));
    Settled {
        tips: longer(one.tips, other.tips),
        ledgers: longer(one.ledgers, other.ledgers),
        lists: longer(one.lists, other.lists),
        queues: longer(one.queues, other.queues),
        spread: longer(one.spread, other.spread),
        confirmed: longer(one.confirmed, other.confirmed),
    }
}

/// Waits for agreement and empty queues, and then tries whether news spreads.
pub(super) async fn wait(ground: &Ground) -> Result<Settled, Failure> {
    let callers: Vec<_> = ground.services().map(Caller::new).collect::<Result<_, _>>()?;
    let (tracker, peers) = callers.split_at(TRACKER_INDEX + 1);
    let (tips, ledgers, lists, queues) = tokio::join!(
        until(MINUTE, || same(peers, |status| text(&status["tip"], "hash"))),
        until(MINUTE, || same(peers, |status| text(&status["ledger"], "digest"))),
        until(MINUTE, || lists_are_true(&tracker[0], peers)),
        until(TWO_MINUTES, || queues_are_empty(&callers)),
    );
    let (spread, confirmed) = news(peers).await?;
    Ok(Settled { tips, ledgers, lists, queues, spread, confirmed })
}

/// How many milliseconds it took until this was so; none if it took too long.
async fn until<F: Future<Output = Result<bool, SendError>>>(
    within: Duration,
    mut ask: impl FnMut() -> F,
) -> Option<u64> {
    let begun = Instant::now();
    while begun.elapsed() < within {
        // Whoever does not answer is not well.
        if ask().await.unwrap_or(false) {
            return u64::try_from(begun.elapsed().as_millis()).ok();
        }
        tokio::time::sleep(PERIOD).await;
    }
    None
}

async fn same(peers: &[Caller], part: impl Fn(&Value) -> String) -> Result<bool, SendError> {
    let mut seen = BTreeSet::new();
    for peer in peers {
        seen.insert(part(&peer.get("/status").await?));
    }
    Ok(seen.len() == 1)
}

/// Whether everybody is online, and everybody lists everybody else as the tracker does.
async fn lists_are_true(tracker: &Caller, peers: &[Caller]) -> Result<bool, SendError> {
    let entry = |record: &Value| (text(record, "name"), text(record, "state"), number(record, "epoch"));
    let truth: BTreeSet<_> = tracker.all("/peers?limit=500", "peers").await?.iter().map(entry).collect();
    if truth.iter().any(|(_, state, _)| state != "online") {
        return Ok(false);
    }
    for peer in peers {
        let listed: BTreeSet<_> = peer.all("/peers?limit=500", "peers").await?.iter().map(entry).collect();
        if truth.iter().any(|member| member.0 != peer.name() && !listed.contains(member)) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn queues_are_empty(callers: &[Caller]) -> Result<bool, SendError> {
    for caller in callers {
        if number(&caller.get("/queue?limit=1").await?["counts"], "waiting") > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How long a new transaction takes to everybody, and then into everybody's chain.
async fn news(peers: &[Caller]) -> Result<(Option<u64>, Option<u64>), Failure> {
    let (first, last) = (&peers[0], &peers[peers.len() - 1]);
    // Every order has a text of its own: the checker takes one that comes twice for an effect that comes twice.
    let order = json!({ "to": last.name(), "message": format!("is all well again? ({})", now_ms()) });
    let sent = first.post("/send", &order, &[]).await?;
    let path = format!("/tx/{}", text(&sent["transaction"], "id"));
    let path = path.as_str();
    let everywhere = |wanted: &'static [&'static str]| async move {
        for peer in peers {
            if !wanted.contains(&peer.get(path).await?["status"].as_str().unwrap_or_default()) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let spread = until(MINUTE, || everywhere(&["pending", "confirmed"])).await;
    let begun = Instant::now();
    first.post("/mine", &json!({ "threads": 1 }), &[]).await?;
    let confirmed = until(MINUTE, || everywhere(&["confirmed"])).await;
    let whole = confirmed.and_then(|_| u64::try_from(begun.elapsed().as_millis()).ok());
    Ok((spread, whole))
}
