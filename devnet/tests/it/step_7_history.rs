//! Step 7: a newcomer asks for the history of the chain and verifies all of it.

use raclette_api::chain::{ChainPage, HeadersPage, SyncState};

use crate::kit::Network;

#[tokio::test(flavor = "multi_thread")]
async fn a_late_peer_has_the_same_tip_balances_and_state_hash() {
    let mut network = Network::of(&["alice", "bob"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    for round in 0..5 {
        alice.mine_blocks(3).await;
        network.agreement().await;
        alice.send("bob", Some(10 + round), Some("some of it")).await;
        bob.send("alice", None, Some("thank you")).await;
        bob.mine().await;
        network.agreement().await;
    }
    alice.send("bob", Some(1), Some("not confirmed yet")).await;
    let before = network.agreement().await;

    network.add("dave").start().await;
    let dave = network.peer("dave");
    dave.ready().await;
    let status = dave.status().await;
    assert_eq!((status.sync.state, status.tip.as_ref().unwrap().height), (SyncState::Synced, 20));
    let after = network.agreement().await;
    assert!(before.iter().all(|(name, balance)| after[name] == *balance), "{before:?} {after:?}");
    assert_eq!(after.values().sum::<u64>(), 20 * 50);

    let pages: [ChainPage; 2] =
        [dave.get("/chain?from=0&limit=100").await, network.peer("alice").get("/chain?from=0&limit=100").await];
    assert_eq!(pages[0].blocks.len(), 21);
    let headers = |page: &ChainPage| page.blocks.iter().map(|block| block.header.clone()).collect::<Vec<_>>();
    assert_eq!(headers(&pages[0]), headers(&pages[1]));

    // And it is a peer like any other from now on.
    dave.send("alice", None, Some("hello from dave")).await;
    network.peer("alice").receives("hello from dave").await;
    dave.mine().await;
    assert_eq!(network.agreement().await["dave"], 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_is_read_in_pages() {
    let network = Network::of(&["alice"]).await;
    let alice = network.peer("alice");
    alice.mine_blocks(7).await;
    let (mut from, mut heights) = (Some(0), Vec::new());
    while let Some(begin) = from {
        let page: ChainPage = alice.get(&format!("/chain?from={begin}&limit=3")).await;
        assert!(page.blocks.len() <= 3);
        heights.extend(page.blocks.iter().map(|block| block.header.height));
        from = page.next;
    }
    assert_eq!(heights, (0..=7).collect::<Vec<_>>());
    let headers: HeadersPage = alice.get("/chain/headers?from=5&limit=10").await;
    assert_eq!(headers.headers.iter().map(|header| header.height).collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(headers.tip.height, 7);
}
