//! Traffic between the peers.

use std::{sync::Arc, time::Duration};

use raclette_api::wallet::SendRequest;
use raclette_service::{client::SendError, problem::Code};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{Caller, Counts};

/// How many may be on their way at once. When the peers are slower than the rate, the rate yields.
const UNDER_WAY: usize = 32;

/// What people write about.
const TEXTS: [&str; 4] = ["Is there any cheese left?", "The oven is hot.", "Potatoes at eight?", "Bring the pickles."];

/// Sends so many messages a second.
pub(super) async fn send(caller: Caller, rate: f64, counts: Arc<Counts>) {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        while under_way.len() >= UNDER_WAY {
            under_way.join_next().await;
        }
        while under_way.try_join_next().is_some() {}
        let (caller, counts) = (caller.clone(), Arc::clone(&counts));
        under_way.spawn(async move { send_one(&caller, number, &counts).await });
    }
}

async fn send_one(caller: &Caller, number: usize, counts: &Counts) {
    let (sender, recipient) = pair(number, caller.peers());
    let with_money = number % 2 == 1;
    let request = |amount| SendRequest {
        to: caller.name(recipient).to_owned(),
        amount,
        message: Some(TEXTS[number % TEXTS.len()].to_owned()),
        fee: None,
    };
    let mut sent = caller.send(sender, &request(with_money.then_some(1))).await;
    if sent.as_ref().is_err_and(|error| error.code() == Some(Code::InsufficientFunds)) {
        sent = caller.send(sender, &request(None)).await;
    }
    match sent {
        Ok(()) => counts.sent(),
        // It is down, as it was told to be, or has not heard of the other one yet.
        Err(SendError::Unreachable { .. } | SendError::Unsent { .. }) => {}
        Err(error) if error.code() == Some(Code::UnknownPeer) => {}
        Err(error) => counts.refused(format!("{}: {error}", caller.name(sender))),
    }
}

/// Who sends the message with this number to whom, so that everybody writes to everybody else in turn. Somebody alone
/// writes to itself.
fn pair(number: usize, peers: usize) -> (usize, usize) {
    let sender = number % peers;
    let others = peers - 1;
    if others == 0 { (0, 0) } else { (sender, (sender + 1 + number / peers % others) % peers) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::pair;

    #[test]
    fn everybody_writes_to_everybody_else() {
        for peers in [2, 3, 7] {
            let pairs: BTreeSet<_> = (0..peers * (peers - 1)).map(|number| pair(number, peers)).collect();
            assert_eq!(pairs.len(), peers * (peers - 1));
            assert!(pairs.iter().all(|(sender, recipient)| sender != recipient && *recipient < peers));
        }
        assert_eq!(pair(5, 1), (0, 0));
    }
}
