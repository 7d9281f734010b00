//! The node with its file beside a model of it: the same transactions, blocks, forks and restarts for both, and after each of
//! them the same tip, balances, state hash, pending transactions and answers.

mod books;
mod pending;
mod pool;
mod reference;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use peer_svc::{
    node::{
        BlockOutcome, Event, HandedIn, Identity, Incoming, Members, Node, NodeError, Origin, State, TransactionOutcome,
        TransactionPlace, writer,
    },
    store::{self, StoreError, meta},
};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use raclette_api::membership::{PeerRecord, PeerState};
use raclette_chain::{
    block::{Block, Unchecked},
    hash::TransactionId,
    testing::{ALICE_PEM, key},
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::clock::now_ms;
use reference::{Action, Reference};
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    sync::{
        broadcast::{self, error::TryRecvError},
        oneshot,
    },
    task::JoinHandle,
};

use crate::peer::{EASY, genesis};

/// A node that runs, and what ends it.
struct Running {
    node: Arc<Node>,
    events: broadcast::Receiver<Event>,
    stop: oneshot::Sender<()>,
    writing: JoinHandle<Result<(), StoreError>>,
}

impl Running {
    async fn start(directory: &TempDir) -> Self {
        let (connection, readers) = store::open(&directory.path().join("peer.sqlite")).await.unwrap();
        let owner = pool::address(pool::OWNER);
        let now = Timestamp::new(now_ms()).unwrap();
        let is_known = meta::get(&readers, meta::key::GENESIS).await.unwrap().is_some();
        let state =
            if is_known { Some(Arc::new(State::load(genesis(EASY), &readers, now).await.unwrap())) } else { None };
        let identity = Identity { name: String::from("alice"), key: Arc::new(key(ALICE_PEM)) };
        let (node, ends) = Node::new(identity, readers, state, Members::restored(owner, &members()));
        let (stop, stopped) = oneshot::channel();
        let writing = tokio::spawn(writer::run(ends, connection, owner, async {
            let _ = stopped.await;
        }));
        node.found(genesis(EASY)).await.unwrap();
        Self { events: node.events(), node, stop, writing }
    }

    async fn end(self) {
        drop(self.stop);
        self.writing.await.unwrap().unwrap();
        self.node.readers().close().await;
    }

    async fn submit(&self, transactions: &[SignedTransaction]) -> Vec<String> {
        let incoming = |transaction: &SignedTransaction| Incoming { transaction: transaction.clone(), message: None };
        let outcomes = self.node.submit(transactions.iter().map(incoming).collect(), Origin::Local).await.unwrap();
        let answer = |outcome| match outcome {
            Ok(TransactionOutcome::Accepted) => String::from("accepted"),
            Ok(TransactionOutcome::Known) => String::from("known"),
            Ok(TransactionOutcome::Confirmed) => String::from("confirmed"),
            Err(error) => code(&error),
        };
        outcomes.into_iter().map(answer).collect()
    }

    /// Hands blocks in as they come with history: verified first, then one behind the other without waiting.
    async fn take_together(&self, blocks: Vec<Block<Unchecked>>) -> Vec<String> {
        let mut handed_in: Vec<Result<HandedIn, NodeError>> = Vec::new();
        for block in blocks {
            handed_in.push(match self.node.verify_block(block).await {
                Ok(verified) => self.node.hand_in(verified, Origin::Local).await,
                Err(error) => Err(error),
            });
        }
        let mut answers = Vec::new();
        for one in handed_in {
            answers.push(block_answer(match one {
                Ok(handed_in) => handed_in.outcome().await,
                Err(error) => Err(error),
            }));
        }
        answers
    }

    /// How many blocks were taken off since the last call, and how many transactions came back.
    fn reorganised(&mut self) -> (usize, usize) {
        let mut sum = (0, 0);
        loop {
            match self.events.try_recv() {
                Ok(Event::Tip { disconnected, returned, .. }) => sum = (sum.0 + disconnected, sum.1 + returned),
                Ok(_) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return sum,
                Err(TryRecvError::Lagged(missed)) => panic!("{missed} events were missed"),
            }
        }
    }

    /// Compares where each transaction stands, and every look-up of it.
    async fn places_agree(&self, reference: &Reference) {
        let state = self.node.state().unwrap();
        let confirmed = reference.confirmed();
        for (id, (height, position)) in &confirmed {
            let (found, place) = self.node.transaction(id).await.unwrap();
            let block = state.index.at(*height).unwrap().hash;
            let confirmations = reference.height() - height + 1;
            let expected = TransactionPlace::Confirmed { height: *height, block, position: *position, confirmations };
            assert_eq!((found.id(), place), (*id, expected));
        }
        for paper in reference.pending.papers.values() {
            let (found, place) = self.node.transaction(&paper.signed.id()).await.unwrap();
            assert_eq!((&*found, place), (&paper.signed, TransactionPlace::Pending));
        }
    }
}

/// Bob and carol.
fn members() -> Vec<PeerRecord> {
    let record = |person: usize, name: &str| PeerRecord {
        name: name.to_owned(),
        address: pool::address(person).to_string(),
        public_key: pool::KEYS[person].public().to_pem(),
        state: PeerState::Offline,
        epoch: 1,
        version: 1,
        last_seen: now_ms(),
        registration: None,
    };
    vec![record(1, "bob"), record(2, "carol")]
}

fn code(error: &NodeError) -> String {
    match error {
        NodeError::Block(error) => error.code().to_owned(),
        NodeError::Ledger(error) => error.code().to_owned(),
        NodeError::KnownInvalid { .. } => String::from("known_invalid"),
        other => panic!("{other}"),
    }
}

fn block_answer(outcome: Result<BlockOutcome, NodeError>) -> String {
    match outcome {
        Ok(BlockOutcome::Accepted) => String::from("accepted"),
        Ok(BlockOutcome::Stored) => String::from("stored"),
        Ok(BlockOutcome::Known) => String::from("known"),
        Ok(BlockOutcome::Orphan) => String::from("orphan"),
        Ok(other) => panic!("no block is {other:?} here"),
        Err(error) => code(&error),
    }
}

/// The node on its file.
struct Peer {
    runtime: Runtime,
    directory: TempDir,
    running: Option<Running>,
}

impl Peer {
    fn new(reference: &Reference) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let directory = TempDir::new().unwrap();
        let running = runtime.block_on(Running::start(&directory));
        let mut peer = Self { runtime, directory, running: Some(running) };
        peer.act(reference);
        peer
    }

    fn act(&mut self, reference: &Reference) {
        let running = self.running.as_mut().expect("it runs between actions");
        match &reference.action {
            Action::Nothing => {}
            Action::Submit(transactions) => {
                let (transactions, expected): (Vec<_>, Vec<_>) = transactions.iter().cloned().unzip();
                assert_eq!(self.runtime.block_on(running.submit(&transactions)), expected);
            }
            Action::Block(block, expected) => {
                let outcome = self.runtime.block_on(running.node.submit_block(block.clone(), Origin::Local));
                assert_eq!(block_answer(outcome), *expected);
            }
            Action::Blocks(blocks) => {
                let (blocks, expected): (Vec<_>, Vec<_>) = blocks.iter().cloned().unzip();
                assert_eq!(self.runtime.block_on(running.take_together(blocks)), expected);
            }
            Action::Restart => self.restart(),
        }
        let running = self.running.as_mut().expect("it runs between actions");
        assert_eq!(
            running.reorganised(),
            (reference.disconnected, reference.returned),
            "blocks off, transactions back"
        );
    }

    fn restart(&mut self) {
        let running = self.running.take().expect("it runs between actions");
        let directory = &self.directory;
        self.running = Some(self.runtime.block_on(async {
            running.end().await;
            Running::start(directory).await
        }));
    }
}

/// The comparison of the two.
struct Beside;

impl StateMachineTest for Beside {
    type SystemUnderTest = Peer;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> Peer {
        Peer::new(reference)
    }

    fn apply(mut peer: Peer, reference: &Reference, _: <Reference as ReferenceStateMachine>::Transition) -> Peer {
        peer.act(reference);
        peer
    }

    fn check_invariants(peer: &Peer, reference: &Reference) {
        let state = peer.running.as_ref().expect("it runs between actions").node.state().unwrap();
        let books = reference.books();
        assert_eq!(state.tip().hash, reference.tip, "the tip");
        let accounts: BTreeMap<_, _> = state.accounts.iter().map(|(address, account)| (*address, *account)).collect();
        assert_eq!(accounts, books.accounts());
        assert_eq!(state.tip().state_hash, Some(books.state_hash));
        let papers = &reference.pending.papers;
        let pending: BTreeSet<TransactionId> = state.ledger.iter().map(|transaction| transaction.id()).collect();
        let expected: BTreeSet<TransactionId> = papers.values().map(|paper| paper.signed.id()).collect();
        assert_eq!(pending, expected, "the ledger");
        for person in 0..pool::PEOPLE {
            let address = pool::address(person);
            let outgoing: u64 = papers.values().filter(|one| one.sender == person).map(pool::Paper::cost).sum();
            let incoming: u64 = papers.values().filter(|one| one.recipient == person).map(|one| one.amount).sum();
            let next = (books.next[person]..).find(|next| !papers.contains_key(&(person, *next)));
            let found = (state.ledger.outgoing(&address).units(), state.ledger.incoming(&address).units());
            assert_eq!(found, (outgoing, incoming), "on its way from and to person {person}");
            assert_eq!(Some(state.ledger.next_sequence(&address, &state.account(&address))), next);
        }
        let waiting: BTreeMap<u64, TransactionId> =
            state.waiting.iter().map(|(sequence, transaction)| (*sequence, transaction.id())).collect();
        let expected = reference.pending.waiting.iter().map(|(sequence, paper)| (*sequence, paper.signed.id()));
        assert_eq!(waiting, expected.collect(), "what the owner offers again");
        assert!(state.left_out.is_empty(), "a restart leaves nothing out");
    }

    fn teardown(mut peer: Peer, reference: Reference) {
        let running = peer.running.as_ref().expect("it runs between actions");
        peer.runtime.block_on(running.places_agree(&reference));
        peer.restart();
        Self::check_invariants(&peer, &reference);
        let running = peer.running.take().expect("it runs between actions");
        peer.runtime.block_on(async {
            running.places_agree(&reference).await;
            running.end().await;
        });
    }
}

fn runs(cases: u32) -> ProptestConfig {
    // Hashes differ from process to process: what failed is shown, but could not be read back.
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() }
}

proptest_state_machine::prop_state_machine! {
    #![proptest_config(runs(100))]

    #[test]
    fn the_node_does_what_the_model_does(sequential 50 => Beside);
}

proptest_state_machine::prop_state_machine! {
    #![proptest_config(runs(1_000))]

    #[test]
    #[ignore = "minutes: the same ten times as often"]
    fn the_node_does_what_the_model_does_in_1_000_runs(sequential 50 => Beside);
}
