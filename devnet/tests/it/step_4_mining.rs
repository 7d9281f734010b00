//! Step 4: anyone may command a peer to mine; its block reaches all others, who append it.

use raclette_api::{
    block::BlockMessage,
    mining::{MiningJob, MiningOutcome, MiningState},
};

use crate::kit::{Network, SOON, Settings, eventually, http};

#[tokio::test(flavor = "multi_thread")]
async fn a_mined_block_reaches_everyone_and_all_agree() {
    let network = Network::of(&["alice", "bob", "carol"]).await;
    let alice = network.peer("alice");
    let ids = [alice.send("bob", None, Some("one")).await, alice.send("carol", None, Some("two")).await];
    let hash = network.peer("carol").mine().await;

    let balances = network.agreement().await;
    assert_eq!(balances["carol"], 50);
    for peer in network.peers() {
        assert_eq!(peer.tip().await, hash, "{}", peer.name);
        let block: BlockMessage = peer.get(&format!("/block/{hash}")).await;
        assert_eq!(block.header.height, 1);
        assert_eq!(block.reward.as_ref().expect("a block has a reward").miner, network.peer("carol").address());
        let found: Vec<_> = block.transactions.iter().map(|transaction| transaction.id.clone().unwrap()).collect();
        assert_eq!(found, ids, "{}", peer.name);
        assert_eq!(peer.status().await.ledger.count, 0, "{}", peer.name);
        let by_height: BlockMessage = peer.get("/block/1").await;
        assert_eq!(by_height.header, block.header);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_ledger_is_mined_too_for_that_is_how_money_begins() {
    let network = Network::of(&["alice", "bob"]).await;
    network.peer("alice").mine_blocks(3).await;
    let balances = network.agreement().await;
    assert_eq!((balances["alice"], balances["bob"]), (150, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_mine_at_once_one_wins_the_race_and_both_agree() {
    let settings = Settings { difficulty_bits: 22, ..Settings::default() };
    let network = Network::with(settings, &["alice", "bob"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    let (first, second) = tokio::join!(alice.command_to_mine(None), bob.command_to_mine(None));
    let mut outcomes = Vec::new();
    for (peer, job) in [(alice, first), (bob, second)] {
        let done: MiningJob = eventually("the search has ended", SOON, async || {
            let job: MiningJob = peer.get_as_owner(&format!("/mine/{}", job.id)).await;
            (job.state == MiningState::Done).then_some(job)
        })
        .await;
        outcomes.push(done);
    }
    network.agreement().await;
    let tip = alice.tip().await;
    assert!(outcomes.iter().any(|job| job.outcome == Some(MiningOutcome::Mined)), "{outcomes:?}");
    for job in outcomes.iter().filter(|job| job.outcome != Some(MiningOutcome::Mined)) {
        assert_eq!(job.outcome, Some(MiningOutcome::LostRace), "{job:?}");
        assert_eq!(job.winner.as_ref().expect("a lost race has a winner").block, tip);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_can_be_followed_and_cancelled() {
    let settings = Settings { difficulty_bits: 60, ..Settings::default() };
    let network = Network::with(settings, &["alice"]).await;
    let alice = network.peer("alice");
    let started = alice.command_to_mine(None).await;
    let path = format!("/mine/{}", started.id);
    eventually("it has tried some nonces", SOON, async || {
        let job: MiningJob = alice.get_as_owner(&path).await;
        (job.state == MiningState::Searching && job.attempts > 0 && job.rate > 0.0).then_some(())
    })
    .await;
    assert!(alice.status().await.mining);

    let cancelled: MiningJob = http::delete(alice.port, &path, &alice.bearer()).await.unwrap();
    assert_eq!((cancelled.state, cancelled.outcome), (MiningState::Done, Some(MiningOutcome::Cancelled)));
    assert!(!alice.status().await.mining);
    assert_eq!(alice.height().await, 0);
}
