//! Long reorganisations: thousands of blocks off, thousands on, and what the losing ones had confirmed comes back.

use raclette_chain::{
    header::Header,
    rules::Rules,
    testing::{CAROL_PEM, DAVE_PEM, next_block},
    transaction::{SignedTransaction, Transaction},
};
use raclette_service::clock::now_ms;
use tokio::sync::broadcast::error::TryRecvError;

use super::{super::Event, *};

/// So many blocks are taken off.
const DEPTH: usize = 4_200;

/// A branch in the making.
struct Branch {
    rules: Arc<Rules>,
    tip: Header,
    blocks: Vec<Block>,
}

impl Branch {
    fn grow(&mut self, miner: &PrivateKey, transactions: Vec<SignedTransaction>) {
        let time = Timestamp::new(self.tip.time.milliseconds() + 1).unwrap();
        let block = next_block(&self.rules, &self.tip, time, miner.public().address(), transactions);
        self.tip = *block.header();
        self.blocks.push(block);
    }
}

/// A payment of nothing but its fee, so that it can be afforded often.
fn payment(from: &PrivateKey, sequence: u64, rules: &Rules) -> SignedTransaction {
    let transaction = Transaction {
        sender: from.public().clone(),
        recipient: bob(),
        amount: Amount::ZERO,
        fee: Amount::new(1).unwrap(),
        sequence,
        created: Timestamp::new(now_ms()).unwrap(),
        valid_until: 0,
        message_digest: raclette_chain::hash::MessageDigest::ZERO,
        message_length: 0,
    };
    transaction.sign(from, &rules.network)
}

impl Fixture {
    /// Takes blocks as they come when the history is fetched.
    async fn take(&self, blocks: Vec<Block>) -> Vec<BlockOutcome> {
        let mut waiting = Vec::with_capacity(blocks.len());
        for block in blocks {
            let verified = self.node.verify_block(block).await.unwrap();
            waiting.push(self.node.hand_in(verified, Origin::Local).await.unwrap());
        }
        let mut outcomes = Vec::with_capacity(waiting.len());
        for handed_in in waiting {
            outcomes.push(handed_in.outcome().await.unwrap());
        }
        outcomes
    }
}

/// A figure of this process in KiB, such as `VmRSS:`.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Carol owns what `common` blocks bring; in the losing branch she pays once in every `every`th block. Returns by how many KiB
/// the memory of this process exceeded, while the branches changed, what it was before.
async fn reorganise(common: usize, every: usize) -> u64 {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let (carol, other) = (key(CAROL_PEM), key(BOB_PEM));
    let rules = Arc::clone(&alice.state().rules);
    let mut losing = Branch { rules: Arc::clone(&rules), tip: genesis().header(), blocks: Vec::new() };
    for _ in 0..common {
        losing.grow(&carol, Vec::new());
    }
    let mut winning = Branch { rules: Arc::clone(&rules), tip: losing.tip, blocks: Vec::new() };
    let mut paid = Vec::new();
    for number in 0..DEPTH {
        let payments = if number % every == 0 { vec![payment(&carol, paid.len() as u64, &rules)] } else { Vec::new() };
        paid.extend(payments.iter().map(SignedTransaction::id));
        losing.grow(&carol, payments);
        winning.grow(&other, Vec::new());
    }
    winning.grow(&other, Vec::new());
    let (loser, winner) = (losing.tip.hash(), winning.tip.hash());

    let outcomes = alice.take(losing.blocks).await;
    assert!(outcomes.iter().all(|outcome| *outcome == BlockOutcome::Accepted));
    assert_eq!(alice.state().tip().hash, loser);
    assert!(alice.state().ledger.is_empty());
    let mut events = alice.node.events();
    // With as many blocks it may win already, by its hash.
    let decisive = winning.blocks.split_off(DEPTH - 1);
    alice.take(winning.blocks).await;
    // The highest mark begins anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    let outcomes = alice.take(decisive).await;
    let grown = memory("VmHWM:").saturating_sub(before);
    assert_eq!(*outcomes.last().unwrap(), BlockOutcome::Accepted);

    let state = alice.state();
    assert_eq!(state.tip().hash, winner);
    assert_eq!(state.account(&carol.public().address()).balance.units(), common as u64 * 50);
    assert_eq!(state.ledger.len(), paid.len(), "everything that lost its block waits again");
    assert!(paid.iter().all(|id| state.ledger.get(id).is_some()));
    let mut deepest = (0, 0);
    loop {
        match events.try_recv() {
            Ok(Event::Tip { disconnected, returned, .. }) => deepest = deepest.max((disconnected, returned)),
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    assert!(deepest.0 >= DEPTH - 1, "{deepest:?}");
    assert_eq!(deepest.1, paid.len());

    // What is on disk is the same.
    drop(state);
    alice.close().await;
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    assert_eq!(alice.state().tip().hash, winner);
    assert_eq!(alice.state().ledger.len(), paid.len());
    alice.close().await;
    grown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_of_4_200_blocks_returns_every_losing_transaction() {
    reorganise(3, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of the whole process: run it alone"]
#[expect(clippy::print_stderr, reason = "the figure is what it is for")]
async fn a_reorganisation_of_4_200_blocks_takes_little_memory() {
    let grown = reorganise(3, 30).await;
    eprintln!("a reorganisation of {DEPTH} blocks: {grown} KiB of memory");
    assert!(grown < 64 << 10, "{grown} KiB");
}

#[tokio::test]
async fn nobody_is_brought_what_lost_its_money_or_its_number_in_a_reorganisation() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let (carol, dave, bob) = (key(CAROL_PEM), key(DAVE_PEM), key(BOB_PEM));
    let rules = Arc::clone(&alice.state().rules);
    let mut common = Branch { rules: Arc::clone(&rules), tip: genesis().header(), blocks: Vec::new() };
    common.grow(&carol, Vec::new());
    let mut losing = Branch { rules: Arc::clone(&rules), tip: common.tip, blocks: Vec::new() };
    let mut winning = Branch { rules: Arc::clone(&rules), tip: common.tip, blocks: Vec::new() };
    // What dave has, he has in the losing branch only. Of carol's, one is in both branches, and one has a rival.
    let (in_both, loses_number, loses_money) =
        (payment(&carol, 0, &rules), payment(&carol, 1, &rules), payment(&dave, 0, &rules));
    let rival = Transaction { amount: Amount::new(2).unwrap(), ..loses_number.transaction().clone() };
    let rival = rival.sign(&carol, &rules.network);
    losing.grow(&dave, Vec::new());
    losing.grow(&dave, vec![in_both.clone(), loses_number.clone(), loses_money.clone()]);
    winning.grow(&bob, vec![in_both.clone(), rival.clone()]);
    winning.grow(&bob, Vec::new());
    winning.grow(&bob, Vec::new());
    alice.take(common.blocks).await;
    alice.take(losing.blocks).await;
    for one in [&in_both, &loses_number, &loses_money, &rival] {
        let request = raclette_service::queue::QueuedRequest {
            destination: bob.public().address(),
            destination_name: String::from("bob"),
            url: String::new(),
            path: String::from("/tx"),
            kind: String::from(super::super::DELIVERY),
            subject: one.id().to_string(),
            version: 1,
            body: b"{}".to_vec(),
            expires_at: None,
        };
        let put = raclette_service::queue::QueueChange::put(request, Timestamp::new(now_ms()).unwrap());
        alice.node.change_queue(vec![put]).await.unwrap();
    }
    alice.take(winning.blocks).await;
    assert_eq!(alice.state().tip().header.height, 4);
    let subjects: Vec<String> = sqlx::query_scalar("select subject from failed_requests order by id")
        .fetch_all(alice.node.readers())
        .await
        .unwrap();
    assert_eq!(subjects, [in_both.id().to_string(), rival.id().to_string()]);
    alice.close().await;
}

#[tokio::test]
async fn a_longer_branch_that_is_invalid_in_its_middle_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let rules = Arc::clone(&alice.state().rules);
    let mut good = Branch { rules: Arc::clone(&rules), tip: genesis().header(), blocks: Vec::new() };
    let mut bad = Branch { rules: Arc::clone(&rules), tip: genesis().header(), blocks: Vec::new() };
    for number in 0..4 {
        good.grow(&key(CAROL_PEM), Vec::new());
        // Bob spends in the third block what he never had: from the first on his branch brings him nothing.
        let spent = if number == 2 { vec![payment(&key(BOB_PEM), 0, &rules)] } else { Vec::new() };
        bad.grow(&key(ALICE_PEM), spent);
    }
    bad.grow(&key(ALICE_PEM), Vec::new());
    alice.take(good.blocks).await;
    let before = alice.state();
    for block in bad.blocks {
        let verified = alice.node.verify_block(block).await.unwrap();
        // The last ones are refused, since the branch they stand on is.
        let _ = alice.node.hand_in(verified, Origin::Local).await.unwrap().outcome().await;
    }
    let after = alice.state();
    assert_eq!((after.tip(), &after.accounts), (before.tip(), &before.accounts));
    alice.close().await;
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    assert_eq!((alice.state().tip(), &alice.state().accounts), (before.tip(), &before.accounts));
    for height in 1..=4 {
        let hash = before.index.at(height).unwrap().hash;
        assert!(alice.node.block(&hash).await.unwrap().is_some());
    }
    alice.close().await;
}
