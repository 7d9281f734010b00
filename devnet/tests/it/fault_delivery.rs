//! Delivery while links fail and processes die: everything acknowledged arrives, its effect comes once, and whoever cannot
//! be reached harms nobody else. Real services behind proxies; docs/testing.md says which promise each test shows.

use std::{collections::BTreeMap, time::Duration};

use raclette_api::{
    block::BlockMessage,
    queue::QueuePage,
    transaction::TransactionMessage,
    wallet::{SendRequest, SendResponse},
};
use raclette_service::{client::SendError, dice::Dice};
use serde_json::Value;
use trials::proxy::Fault;

use crate::kit::{Network, Peer, SOON, Settings, eventually, http, scaled, until};

/// Links that can be disturbed, and callers that soon lose patience.
fn settings() -> Settings {
    Settings { proxies: true, call_timeout: "1s", liveness: "1s", ..Settings::default() }
}

/// A network of these peers, all behind proxies; `process` is a process of its own.
async fn network_with_process(process: &str, others: &[&str]) -> Network {
    let mut network = Network::with(settings(), others).await;
    network.add(process);
    network.stand_behind_proxy(process).await;
    network.peer_mut(process).start_process();
    network.peer(process).ready().await;
    network.everybody_knows_everybody().await;
    network
}

/// Waits until nothing waits in a peer's queue, and nothing was set aside.
async fn queue_is_empty(peer: &Peer) {
    until(&format!("{}'s queue is empty", peer.name), async || peer.queue().await.counts.waiting == 0).await;
    assert_eq!(peer.queue().await.counts.dead, 0);
}

/// How often a peer has each message.
async fn received(peer: &Peer) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page: Value = peer.get_as_owner(&format!("/messages?limit=100{cursor}")).await;
        for entry in page["messages"].as_array().unwrap() {
            if let (Some("received"), Some(text)) = (entry["direction"].as_str(), entry["text"].as_str()) {
                *counts.entry(text.to_owned()).or_default() += 1;
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return counts,
        }
    }
}

/// The places at which a sender crashes: what it sends is signed, stored, begun to be sent, answered, noted, settled; and
/// begun and answered by the queue.
const PLACES: [&str; 8] = [
    "send_signed",
    "send_stored",
    "relay_sending",
    "relay_sent",
    "relay_noted",
    "relay_settling",
    "queue_sending",
    "queue_sent",
];

/// Lets a sender crash so often, at each place in turn, while it sends; then everything that it acknowledged is there once.
/// How many items were acknowledged.
async fn crashes(times: usize) -> usize {
    let mut network = network_with_process("alice", &["bob", "carol"]).await;
    network.peer_mut("alice").kill().await;
    let mut acknowledged = Vec::new();
    for time in 0..times {
        let place = PLACES[time % PLACES.len()];
        // What the queue does is seen only while links fail. Bob gets it a second later then.
        let fault = if place.starts_with("queue") { Fault::Drop(60) } else { Fault::None };
        network.disturb("alice", "bob", fault);
        let at = format!("{place}:{}", 1 + time / PLACES.len() % 4);
        // A sender may have 64 transactions without a fee in a ledger: they have to be confirmed before it can send more.
        network.peer("bob").mine().await;
        let alice = network.peer_mut("alice");
        alice.start_process_with(&[("RACLETTE_CRASH_AT", &at)]);
        let mut number = 0;
        // It may crash at its start already, over what it took up again.
        eventually(&format!("it crashes at {at}"), 2 * SOON, async || {
            let text = format!("{time}: {place} {number}");
            if let Ok(sent) = network.peer("alice").try_send_at_once("bob", &text).await {
                acknowledged.push((text, sent));
                number += 1;
            }
            network.peer_mut("alice").has_ended().then_some(())
        })
        .await;
    }
    network.heal();
    network.peer_mut("alice").start_process();
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    alice.ready().await;
    let missing = async || {
        let received = received(bob).await;
        acknowledged.iter().filter(|(text, _)| !received.contains_key(text)).map(|(text, _)| text).collect::<Vec<_>>()
    };
    eventually("bob has all that was acknowledged", 3 * SOON, async || missing().await.is_empty().then_some(())).await;
    queue_is_empty(alice).await;
    // Once: as one message, and as one transaction in the chain.
    assert!(received(bob).await.values().all(|count| *count == 1));
    bob.mine().await;
    network.agreement().await;
    for (text, id) in &acknowledged {
        assert_eq!(network.peer("carol").state_of(id).await, "confirmed", "{text}");
    }
    acknowledged.len()
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_point_of_sending_a_crash_meets_all_that_was_acknowledged_arrives_once() {
    crashes(PLACES.len()).await;
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
#[expect(clippy::print_stdout, reason = "the figure is what it is run for")]
async fn after_300_crashes_of_a_sender_all_that_was_acknowledged_arrived_once() {
    let times = scaled(300.0) as usize;
    println!("{times} crashes, {} items acknowledged", crashes(times).await);
}

/// Something that is delivered.
enum Item {
    Block(Box<BlockMessage>),
    Transaction(Box<TransactionMessage>),
}

/// So many transactions in so many blocks of alice, of whom nobody heard, in the order in which they happened.
async fn history(network: &Network, blocks: usize, each: usize) -> Vec<Item> {
    let alice = network.peer("alice");
    let mined = async || {
        let hash = alice.mine().await;
        let block: BlockMessage = alice.get(&format!("/block/{hash}")).await;
        Item::Block(Box::new(BlockMessage { work: None, state_hash: None, ..block }))
    };
    let mut items = vec![mined().await];
    for _ in 0..blocks {
        for number in 0..each {
            let request = SendRequest {
                to: String::from("bob"),
                amount: Some(number as u64 % 2),
                message: Some(String::from("again and again")),
                fee: None,
            };
            let headers = [("authorization", &*alice.bearer())];
            let sent: SendResponse = http::post(alice.port, "/send", &request, &headers).await.expect("it is taken");
            items.push(Item::Transaction(Box::new(sent.transaction)));
        }
        items.push(mined().await);
    }
    items
}

async fn deliver(peer: &Peer, item: &Item) -> Result<Value, SendError> {
    match item {
        Item::Block(block) => http::post(peer.port, "/block", block, &[]).await,
        Item::Transaction(transaction) => http::post(peer.port, "/tx", transaction, &[]).await,
    }
}

/// Brings a history to bob three times in random order, to carol once and in order: both end in the same state.
async fn delivered_thrice(blocks: usize, each: usize) {
    let network = Network::with(settings(), &["alice", "bob", "carol"]).await;
    network.split(&[&["tracker", "alice"], &["tracker", "bob"], &["tracker", "carol"]], Fault::Reset);
    let items = history(&network, blocks, each).await;
    let (bob, carol) = (network.peer("bob"), network.peer("carol"));
    for item in &items {
        deliver(carol, item).await.expect("it fits");
    }
    let dice = Dice::system();
    for _ in 0..3 {
        let mut left: Vec<_> = items.iter().collect();
        while !left.is_empty() {
            // A block without its parent, or a transaction whose money is not there yet, is refused, and that is right.
            let _ = deliver(bob, left.swap_remove(dice.pick(left.len()))).await;
        }
    }
    // What came too early, and so was refused, fits now, if it is not too much for the ledger before the next block.
    for item in &items {
        let _ = deliver(bob, item).await;
    }
    let expected = Peer::state_at(carol.port).await.expect("carol has the chain");
    assert_eq!(carol.height().await as usize, blocks + 1);
    assert_eq!(Peer::state_at(bob.port).await.as_ref(), Some(&expected));
    // And whatever comes once more changes nothing; only bob gets the messages of what was too much for his ledger, as those
    // that came in random order took the places of those that came first, and then was in a block without its message.
    for item in &items {
        deliver(carol, item).await.expect("it is known");
        deliver(bob, item).await.expect("it is known");
    }
    assert_eq!(Peer::state_at(bob.port).await.as_ref(), Some(&expected));
    assert_eq!(Peer::state_at(carol.port).await, Some(expected));
    assert_eq!(Peer::state_at(carol.port).await, Peer::state_at(network.peer("alice").port).await);
    let everybody = network.peers();
    assert_eq!(carol.balances_of(everybody).await, bob.balances_of(everybody).await);
    // All of them have the same text.
    assert_eq!(received(bob).await["again and again"], blocks * each, "each message is there once");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_delivered_three_times_in_random_order_has_its_effect_once() {
    delivered_thrice(4, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn ten_thousand_transactions_delivered_three_times_in_random_order_have_their_effect_once() {
    // An account may have 64 transactions without a fee in a ledger.
    delivered_thrice(scaled(200.0) as usize, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_its_sender_was_killed_is_sent_again() {
    let mut network = network_with_process("alice", &["bob"]).await;
    network.disturb("alice", "bob", Fault::BlackHole);
    for number in 0..40 {
        network.peer("alice").try_send_at_once("bob", &format!("message {number}")).await.unwrap();
    }
    let held = || network.peer("bob").proxy().counts().connections;
    let before = held();
    until("the queue tries too", async || {
        let queue: QueuePage = network.peer("alice").queue().await;
        queue.entries.iter().any(|entry| entry.attempts > 0) && held() > before
    })
    .await;
    network.peer_mut("alice").kill().await;
    network.heal();
    network.peer_mut("alice").start_process();
    network.peer("alice").ready().await;
    until("bob has all of them", async || received(network.peer("bob")).await.len() == 40).await;
    queue_is_empty(network.peer("alice")).await;
    assert!(received(network.peer("bob")).await.values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_brings_the_request_again_and_its_effect_once() {
    let network = Network::with(settings(), &["alice", "bob"]).await;
    // Requests arrive, and their answers never do.
    network.disturb("alice", "bob", Fault::CutAfter(0));
    let sent = network.peer("alice").try_send_at_once("bob", "did you get this?").await.unwrap();
    network.peer("bob").receives("did you get this?").await;
    network.heal();
    // Soon, and not only when the queue's table is swept after half a minute.
    eventually("alice has asked again", Duration::from_secs(20), async || {
        (network.peer("alice").queue().await.counts.waiting == 0).then_some(())
    })
    .await;
    assert_eq!(received(network.peer("bob")).await["did you get this?"], 1);
    network.peer("bob").mine().await;
    network.agreement().await;
    assert_eq!(network.peer("alice").state_of(&sent).await, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_swallows_everything_holds_up_nobody_else() {
    let network = Network::with(settings(), &["alice", "bob", "carol", "dave"]).await;
    network.disturb("alice", "bob", Fault::BlackHole);
    let alice = network.peer("alice");
    for number in 0..20 {
        alice.try_send_at_once("bob", &format!("into the dark {number}")).await.unwrap();
        for other in ["carol", "dave"] {
            alice.try_send_at_once(other, &format!("to {other} {number}")).await.unwrap();
        }
    }
    for other in ["carol", "dave"] {
        until("the others have theirs", async || received(network.peer(other)).await.len() == 20).await;
    }
    network.heal();
    until("bob has his when he can be reached", async || received(network.peer("bob")).await.len() == 20).await;
    queue_is_empty(alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_cut_and_reset_at_random_lose_nothing_and_double_nothing() {
    let network = Network::with(settings(), &["alice", "bob", "carol"]).await;
    network.peer("alice").mine().await;
    network.agreement().await;
    let faults = [Fault::Drop(40), Fault::CutAfter(300), Fault::Reset, Fault::Delay(Duration::from_millis(30))];
    for (round, fault) in faults.into_iter().enumerate() {
        network.peer("bob").proxy().set(fault);
        network.peer("carol").proxy().set(faults[(round + 1) % faults.len()]);
        for number in 0..5 {
            network.peer("alice").try_send_at_once("bob", &format!("{round} {number}")).await.unwrap();
            network.peer("carol").try_send_at_once("bob", &format!("carol's {round} {number}")).await.unwrap();
        }
        network.peer("alice").mine().await;
    }
    network.heal();
    until("bob has all of them", async || received(network.peer("bob")).await.len() == 40).await;
    network.peer("bob").mine().await;
    network.agreement().await;
    for peer in network.peers() {
        queue_is_empty(peer).await;
    }
    assert!(received(network.peer("bob")).await.values().all(|count| *count == 1));
}

/// While these peers are away, so many transactions are sent to all others in turn; then they return. The most rows that
/// waited, and the size of alice's file then.
async fn outage(away: &[&str], transactions: usize) -> (u64, u64) {
    let names: Vec<_> = ["alice", "bob"].iter().chain(away).copied().collect();
    let mut network = Network::with(settings(), &names).await;
    for name in away {
        network.peer_mut(name).stop().await;
    }
    let recipient = |number: usize| names[1 + number % (names.len() - 1)];
    let mut most = 0;
    for number in 0..transactions {
        let text = format!("message {number}");
        network.peer("alice").try_send_at_once(recipient(number), &text).await.unwrap();
        if number % 50 == 49 {
            network.peer("bob").mine().await;
            most = most.max(network.peer("alice").queue().await.counts.waiting);
        }
    }
    most = most.max(network.peer("alice").queue().await.counts.waiting);
    let size = std::fs::metadata(network.peer("alice").directory.join("peer.sqlite")).unwrap().len();
    for name in away {
        network.peer_mut(name).start().await;
    }
    for name in away {
        network.peer(name).ready().await;
        let expected = (0..transactions).filter(|number| recipient(*number) == *name).count();
        eventually("it has all that was sent to it", 5 * SOON, async || {
            (received(network.peer(name)).await.len() == expected).then_some(())
        })
        .await;
    }
    network.agreement().await;
    queue_is_empty(network.peer("alice")).await;
    (most, size)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_peers_that_are_away_is_bounded_and_arrives() {
    let (most, _) = outage(&["carol", "dave"], 60).await;
    // Their own 40 messages, and the last block; everything else they fetch when they are back.
    assert!(most <= 50, "{most} rows");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
#[expect(clippy::print_stdout, reason = "the figure is what it is run for")]
async fn what_waits_in_an_hour_of_peers_down_is_bounded_and_arrives() {
    let transactions = scaled(3_600.0) as usize;
    let (most, size) = outage(&["carol", "dave", "erin", "frank", "grace"], transactions).await;
    println!("{transactions} transactions, five peers down: at most {most} rows, {} KiB of file", size >> 10);
    assert!(most <= 20_000 && size <= 64 << 20);
}
