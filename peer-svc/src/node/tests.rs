//! What the node promises, with its real store and its real miner.

use std::sync::Arc;

use raclette_api::wallet::{SendOrder, SendTo};
use raclette_chain::{
    address::Address,
    amount::Amount,
    block::Block,
    genesis::Genesis,
    hash::BlockHash,
    keys::PrivateKey,
    ledger::LedgerError,
    parameters::Parameters,
    rules::BlockError,
    target::Target,
    testing::{ALICE_PEM, BOB_PEM, key},
    time::Timestamp,
    transaction::Reward,
};
use raclette_service::tasks::Tasks;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    BlockOutcome, Identity, Members, Node, NodeError, Origin, State, TransactionPlace, mempool::Incoming, writer,
};
use crate::{
    miner::{Miner, Order, Outcome},
    store::{self, StoreError, meta},
};

/// A node with everything it needs, and nothing that calls others.
struct Fixture {
    node: Arc<Node>,
    miner: Miner,
    stop: oneshot::Sender<()>,
    writing: JoinHandle<Result<(), StoreError>>,
}

fn genesis() -> Genesis {
    let first_target = Target::of_bits(6).compact();
    let parameters = Parameters { first_target, half_life_seconds: 0, ..Parameters::default() };
    Genesis { parameters, time: Timestamp::new(1_700_000_000_000).unwrap() }
}

impl Fixture {
    async fn open(directory: &TempDir, name: &str, key: PrivateKey) -> Self {
        let (connection, readers) = store::open(&directory.path().join(format!("{name}.sqlite"))).await.unwrap();
        let owner = key.public().address();
        let now = Timestamp::new(raclette_service::clock::now_ms()).unwrap();
        let known = meta::get(&readers, meta::key::GENESIS).await.unwrap().is_some();
        let state = if known { Some(Arc::new(State::load(genesis(), &readers, now).await.unwrap())) } else { None };
        let identity = Identity { name: name.to_owned(), key: Arc::new(key) };
        let (node, ends) = Node::new(identity, readers, state, Members::restored(owner, &[]));
        let (stop, stopped) = oneshot::channel();
        let writing = tokio::spawn(writer::run(ends, connection, owner, async {
            let _ = stopped.await;
        }));
        node.found(genesis()).await.unwrap();
        Self { miner: Miner::new(Arc::clone(&node), Tasks::new()), node, stop, writing }
    }

    async fn close(self) {
        drop(self.stop);
        self.writing.await.unwrap().unwrap();
    }

    async fn mine(&self) -> BlockHash {
        let job = self.miner.new_job().unwrap();
        self.miner.start(&job, Order::default()).unwrap();
        match job.done().await {
            Outcome::Mined { block } => block,
            other => panic!("expected a block, found {other:?}"),
        }
    }

    fn balance(&self) -> u64 {
        self.state().account(&self.node.identity().address()).balance.units()
    }

    fn state(&self) -> Arc<State> {
        self.node.state().unwrap()
    }

    async fn send(&self, to: Address, amount: u64) -> Result<raclette_chain::hash::TransactionId, NodeError> {
        let amount = Amount::new(amount).unwrap();
        let order = SendOrder { to: SendTo::Address(to), amount, message: None, fee: None };
        self.node.send(order, None).await.map(|transaction| transaction.id())
    }

    /// Gives this node every block of another's active branch.
    async fn learn_from(&self, other: &Self) -> Vec<BlockOutcome> {
        let theirs = other.state();
        let mut outcomes = Vec::new();
        for height in 1..theirs.next_height() {
            let hash = theirs.index.at(height).unwrap().hash;
            let block = other.node.block(&hash).await.unwrap().unwrap();
            let block = Block::new(*block.header(), *block.reward(), block.transactions().to_vec());
            outcomes.push(self.node.submit_block(block, Origin::Local).await.unwrap());
        }
        outcomes
    }
}

fn bob() -> Address {
    key(BOB_PEM).public().address()
}

#[tokio::test]
async fn mining_pays_and_what_is_mined_can_be_spent() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let refused = alice.send(bob(), 25).await;
    assert!(matches!(refused, Err(NodeError::InsufficientFunds { .. })), "{refused:?}");
    alice.mine().await;
    assert_eq!(alice.balance(), 50);
    let id = alice.send(bob(), 25).await.unwrap();
    assert_eq!(alice.node.transaction(&id).await.unwrap().1, TransactionPlace::Pending);
    let block = alice.mine().await;
    let place = alice.node.transaction(&id).await.unwrap().1;
    assert_eq!(place, TransactionPlace::Confirmed { height: 2, block, position: 0, confirmations: 1 });
    assert_eq!(alice.balance(), 50 - 25 + 50);
    assert_eq!(alice.state().account(&bob()).balance.units(), 25);
    alice.close().await;
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    alice.mine().await;
    let confirmed = alice.send(bob(), 1).await.unwrap();
    alice.mine().await;
    let pending = alice.send(bob(), 2).await.unwrap();
    let before = alice.state();
    alice.close().await;

    let again = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let after = again.state();
    assert_eq!(after.tip(), before.tip());
    assert_eq!(after.accounts, before.accounts);
    assert_eq!(after.ledger.digest(), before.ledger.digest());
    assert_eq!(again.node.transaction(&pending).await.unwrap().1, TransactionPlace::Pending);
    assert!(matches!(again.node.transaction(&confirmed).await.unwrap().1, TransactionPlace::Confirmed { .. }));
    assert_eq!(again.node.mail(i64::MAX, 10).await.unwrap().len(), 2);
    again.close().await;
}

#[tokio::test]
async fn the_branch_with_more_work_wins_and_the_losers_transactions_return() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let bob = Fixture::open(&directory, "bob", key(BOB_PEM)).await;
    alice.mine().await;
    bob.learn_from(&alice).await;
    let common = alice.state().tip().hash;
    assert_eq!(bob.state().tip().hash, common);

    // Apart: alice confirms a payment in one block, bob mines two.
    let id = alice.send(bob.node.identity().address(), 25).await.unwrap();
    alice.mine().await;
    bob.mine().await;
    bob.mine().await;

    // They meet.
    alice.learn_from(&bob).await;
    assert_eq!(alice.state().tip(), bob.state().tip());
    assert_eq!(alice.state().accounts, bob.state().accounts);
    assert_eq!(alice.node.transaction(&id).await.unwrap().1, TransactionPlace::Pending, "it is back in the ledger");
    assert_eq!(bob.learn_from(&alice).await, [BlockOutcome::Known; 3]);

    alice.mine().await;
    bob.learn_from(&alice).await;
    assert_eq!(bob.state().tip().state_hash, alice.state().tip().state_hash);
    assert_eq!(bob.balance(), 50 + 50 + 25);

    // The same after a restart, when everything is read back.
    let before = alice.state();
    alice.close().await;
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    assert_eq!(alice.state().accounts, before.accounts);
    assert!(alice.state().ledger.is_empty());
    alice.close().await;
    bob.close().await;
}

#[tokio::test]
async fn a_bad_block_changes_nothing_and_a_mutated_copy_does_not_poison_the_good_one() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let bob = Fixture::open(&directory, "bob", key(BOB_PEM)).await;
    let hash = alice.mine().await;
    let good = alice.node.block(&hash).await.unwrap().unwrap();
    let greedy = Reward { amount: Amount::new(51).unwrap(), ..*good.reward() };
    let mutated = Block::new(*good.header(), greedy, Vec::new());
    let refused = bob.node.submit_block(mutated, Origin::Local).await;
    assert!(matches!(refused, Err(NodeError::Block(BlockError::WrongMerkleRoot { .. }))), "{refused:?}");
    assert_eq!(bob.state().tip().header.height, 0);
    assert_eq!(bob.learn_from(&alice).await, [BlockOutcome::Accepted]);
    alice.close().await;
    bob.close().await;
}

#[tokio::test]
async fn a_transaction_offered_twice_has_one_effect_and_a_forged_one_none() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let bob = Fixture::open(&directory, "bob", key(BOB_PEM)).await;
    alice.mine().await;
    bob.learn_from(&alice).await;
    let id = alice.send(bob.node.identity().address(), 5).await.unwrap();
    let (transaction, _) = alice.node.transaction(&id).await.unwrap();
    let offer = || vec![Incoming { transaction: (*transaction).clone(), message: None }];
    let free = bob.node.submit(offer(), Origin::Local).await.unwrap().remove(0);
    assert!(matches!(free, Err(NodeError::Ledger(LedgerError::FreeForMembersOnly))), "{free:?}");

    let paying =
        raclette_chain::transaction::Transaction { fee: Amount::new(1).unwrap(), ..transaction.transaction().clone() };
    let network = bob.state().rules.network;
    let signed = paying.clone().sign(&key(ALICE_PEM), &network);
    let forged = paying.sign(&key(BOB_PEM), &network);
    let batch = [&signed, &signed, &forged].map(|one| Incoming { transaction: one.clone(), message: None }).to_vec();
    let outcomes = bob.node.submit(batch, Origin::Local).await.unwrap();
    assert!(matches!(outcomes[0], Ok(super::TransactionOutcome::Accepted)), "{outcomes:?}");
    assert!(matches!(outcomes[1], Ok(super::TransactionOutcome::Known)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Err(NodeError::Ledger(LedgerError::Rule(_)))), "{outcomes:?}");
    assert_eq!(bob.state().ledger.len(), 1);
    alice.close().await;
    bob.close().await;
}

#[tokio::test]
async fn a_message_can_be_read_by_the_recipient_and_the_sender() {
    let directory = TempDir::new().unwrap();
    let alice = Fixture::open(&directory, "alice", key(ALICE_PEM)).await;
    let to = SendTo::Address(alice.node.identity().address());
    let order = SendOrder { to, amount: Amount::ZERO, message: Some(String::from("hello")), fee: None };
    alice.node.send(order, None).await.unwrap();
    let mail = alice.node.mail(i64::MAX, 10).await.unwrap();
    assert_eq!(mail[0].text, Some(Ok("hello".into())));
    alice.close().await;
}

mod reorganisation;
