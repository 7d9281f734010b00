//! Two halves of a network that could not see each other agree when they meet: the chain with the most work wins, and
//! what only the other chain had returns to the ledger.

use crate::kit::{Network, until};

#[tokio::test(flavor = "multi_thread")]
async fn two_halves_that_mined_apart_agree_after_they_meet() {
    let mut network = Network::of(&["alice", "bob", "carol", "dave"]).await;
    for name in ["alice", "bob"] {
        network.peer(name).mine().await;
        network.agreement().await;
    }

    // Half one alone: two blocks, with a payment and a message.
    for name in ["bob", "dave"] {
        network.peer_mut(name).stop().await;
    }
    let alice = network.peer("alice");
    let payment = alice.send("carol", Some(20), Some("from half one")).await;
    network.peer("carol").receives("from half one").await;
    alice.mine_blocks(2).await;
    let balances = network.agreement().await;
    assert_eq!((balances["alice"], balances["carol"]), (130, 20));

    // Half two alone: three blocks, with a payment of its own.
    for name in ["alice", "carol"] {
        network.peer_mut(name).stop().await;
    }
    for name in ["bob", "dave"] {
        network.peer_mut(name).start().await;
    }
    for name in ["bob", "dave"] {
        network.peer(name).ready().await;
    }
    let bob = network.peer("bob");
    assert_eq!(bob.height().await, 2);
    let other = bob.send("dave", Some(5), Some("from half two")).await;
    network.peer("dave").receives("from half two").await;
    bob.mine_blocks(3).await;
    let tip = bob.tip().await;

    // They meet. Half two has more work; half one's payment waits in every ledger.
    for name in ["alice", "carol"] {
        network.peer_mut(name).start().await;
    }
    let balances = network.agreement().await;
    assert_eq!(network.peer("carol").tip().await, tip);
    assert_eq!((balances["alice"], balances["bob"], balances["carol"], balances["dave"]), (50, 195, 0, 5));
    for peer in network.peers() {
        until(&format!("the payment is back in the ledger of {}", peer.name), async || {
            peer.state_of(&payment).await == "pending"
        })
        .await;
        assert_eq!(peer.state_of(&other).await, "confirmed", "{}", peer.name);
    }

    network.peer("carol").mine().await;
    let balances = network.agreement().await;
    assert_eq!((balances["alice"], balances["bob"], balances["carol"], balances["dave"]), (30, 195, 70, 5));
    for peer in network.peers() {
        assert_eq!(peer.state_of(&payment).await, "confirmed", "{}", peer.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_chains_with_the_same_work_all_choose_the_same() {
    let mut network = Network::of(&["alice", "bob"]).await;
    network.peer_mut("bob").stop().await;
    let one = network.peer("alice").mine().await;
    network.peer_mut("alice").stop().await;
    network.peer_mut("bob").start().await;
    network.peer("bob").ready().await;
    let two = network.peer("bob").mine().await;
    network.peer_mut("alice").start().await;
    network.agreement().await;
    assert_eq!(network.peer("alice").tip().await, one.min(two), "the lowest hash wins among equals");
}
