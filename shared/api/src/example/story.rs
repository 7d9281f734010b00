//! The network that the examples are taken from.
//!
//! Dave's key is the tracker's. Alice registered first and made the genesis block, then block 1. She sends bob 25 and a
//! message; carol mines them into block 2. Bob is offline at the end, so something waits in the queues.

use raclette_chain::{
    accounts::{Accounts, Overlay},
    address::Address,
    amount::Amount,
    block::{Block, merkle_root},
    difficulty::next_target,
    genesis::Genesis,
    hash::{MerkleRoot, NetworkId, StateHash},
    header::{BLOCK_VERSION, Header},
    keys::PrivateKey,
    ledger::{Context, Ledger},
    merkle,
    message::SealedMessage,
    parameters::Parameters,
    rules::{
        Explanation, Parent, Rules, connect_block, explain_arrival, explain_body, explain_header, explain_signatures,
        explain_state,
    },
    target::Work,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM, key},
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::type_name;
use crate::{
    agreement::*, ban::*, block::*, build::*, chain::*, chaos::*, conversation::*, encoding::to_hex, event::*,
    explain::*, history::*, membership::*, message::*, mining::*, network::*, notice::*, propagation::*, queue::*,
    receipt::*, timeline::*, transaction::*, wallet::*,
};

/// When the genesis block was made: the first second of 2026.
const START: u64 = 1_767_225_600_000;

/// What alice writes to bob.
const TEXT: &str = "Here are 25 for the cheese.";

pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::new(START + seconds * 1000).unwrap()
}

/// Everybody, and the chain they made.
pub(super) struct Story {
    alice: PrivateKey,
    bob: PrivateKey,
    carol: PrivateKey,
    tracker: PrivateKey,
    genesis: Genesis,
    network: NetworkId,
    blocks: Vec<(Block, Tip)>,
    sent: SignedTransaction,
    sealed: SealedMessage,
}

impl Story {
    pub(super) fn tell() -> Self {
        let [alice, bob, carol, tracker] = [ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM].map(key);
        let genesis = Genesis { parameters: Parameters::default(), time: at(0) };
        let network = genesis.network();
        let mut transaction = Transaction {
            sender: alice.public().clone(),
            recipient: bob.public().address(),
            amount: Amount::new(25).unwrap(),
            fee: Amount::new(1).unwrap(),
            sequence: 0,
            created: at(60),
            valid_until: 8_641,
            message_digest: Default::default(),
            message_length: 0,
        };
        let sealed = SealedMessage::seal(TEXT, bob.public(), alice.public(), &transaction.binding(network)).unwrap();
        (transaction.message_digest, transaction.message_length) = sealed.digest(&network);
        let sent = transaction.sign(&alice, &network);
        let mut story = Self { alice, bob, carol, tracker, genesis, network, blocks: Vec::new(), sent, sealed };
        story.make_blocks();
        story
    }

    fn make_blocks(&mut self) {
        let rules = Rules { network: self.network, parameters: self.genesis.parameters.clone() };
        let accounts = Accounts::default();
        let mut overlay = Overlay::new(&accounts);
        let (mut parent, mut work, mut state) = (self.genesis.header(), Work::ZERO, StateHash::ZERO);
        let alice = Reward { miner: self.alice.public().address(), amount: Amount::new(50).unwrap() };
        let carol = Reward { miner: self.carol.public().address(), amount: Amount::new(51).unwrap() };
        for (reward, transactions, time) in [(alice, vec![], at(30)), (carol, vec![self.sent.clone()], at(90))] {
            let target = next_target(&parent, time, &rules.parameters);
            let mut header = Header {
                previous: parent.hash(),
                merkle_root: MerkleRoot::ZERO,
                version: BLOCK_VERSION,
                height: parent.height + 1,
                time,
                target: target.compact(),
                nonce: 0,
            };
            header.merkle_root = merkle_root(&header, &reward, &transactions, &self.network);
            while !target.is_met_by(&header.hash()) {
                header.nonce += 1;
            }
            let block = Block::new(header, reward, transactions);
            state = connect_block(&block, &mut overlay, &state, &rules).unwrap().state_hash;
            work = work.saturating_add(target.work());
            let tip = Tip { hash: block.hash(), height: header.height, work, time, state_hash: state };
            self.blocks.push((block, tip));
            parent = header;
        }
    }

    /// Bob's word that he has what alice sent him.
    fn receipt(&self) -> Receipt {
        Receipt::signed(&self.network, &self.sent.id(), at(61), &self.bob)
    }

    fn address(&self, key: &PrivateKey) -> String {
        key.public().address().to_string()
    }

    fn registration(&self, name: &str, port: u16, epoch: u64, key: &PrivateKey) -> Registration {
        let tracker: Address = self.tracker.public().address();
        let new =
            NewRegistration { network: self.network, tracker, name, host: "127.0.0.1", port, epoch, time: at(10) };
        Registration::signed(&new, key)
    }

    fn record(&self, name: &str, key: &PrivateKey, state: PeerState, registration: Option<Registration>) -> PeerRecord {
        PeerRecord {
            name: name.to_owned(),
            address: self.address(key),
            public_key: key.public().to_pem(),
            state,
            epoch: 1,
            version: at(95).milliseconds(),
            last_seen: at(94).milliseconds(),
            registration,
        }
    }

    fn peers(&self) -> Vec<PeerRecord> {
        vec![
            self.record(
                "alice",
                &self.alice,
                PeerState::Online,
                Some(self.registration("alice", 7701, 1, &self.alice)),
            ),
            self.record("bob", &self.bob, PeerState::Offline, None),
            self.record(
                "carol",
                &self.carol,
                PeerState::Online,
                Some(self.registration("carol", 7703, 1, &self.carol)),
            ),
        ]
    }

    fn network_info(&self) -> NetworkInfo {
        NetworkInfo {
            protocol: 1,
            tracker_key: self.tracker.public().to_pem(),
            tracker: self.address(&self.tracker),
            network_id: Some(self.network.to_string()),
            genesis: Some((&self.genesis).into()),
            parameters: (&self.genesis.parameters).into(),
            genesis_lease: None,
            peers: PeerCounts { online: 2, suspect: 0, offline: 1 },
            self_preservation: false,
            join_token_required: false,
            membership_version: at(95).milliseconds(),
            version: String::from("0.1.0"),
        }
    }

    /// An example of every message, keyed by the name of its type.
    pub(super) fn examples(&self) -> Map<String, Value> {
        let mut all = Examples::default();
        self.add_network(&mut all);
        self.add_chain(&mut all);
        self.add_peer(&mut all);
        self.add_events(&mut all);
        self.add_explanations(&mut all);
        self.add_history(&mut all);
        all.0
    }

    fn add_network(&self, all: &mut Examples) {
        let online = NoticeChange {
            kind: ChangeKind::Online,
            name: String::from("carol"),
            address: self.address(&self.carol),
            epoch: 1,
            version: at(11).milliseconds(),
            registration: Some(self.registration("carol", 7703, 1, &self.carol)),
        };
        let offline = NoticeChange {
            kind: ChangeKind::Offline,
            name: String::from("bob"),
            address: self.address(&self.bob),
            epoch: 1,
            version: at(95).milliseconds(),
            registration: None,
        };
        let [alice, bob, _] = <[PeerRecord; 3]>::try_from(self.peers()).unwrap();
        all.add(ParametersMessage::from(&self.genesis.parameters));
        all.add(GenesisMessage::from(&self.genesis));
        all.add(GenesisReport::signed(&self.genesis, at(2), &self.alice));
        all.add(GenesisAccepted::from(&self.genesis));
        all.add(self.network_info());
        all.add(self.registration("carol", 7703, 1, &self.carol));
        all.add(RegisterResponse {
            status: RegisterStatus::Member,
            network: self.network_info(),
            epoch: 1,
            peers: self.peers(),
            retry_after_ms: None,
        });
        all.add(alice.clone());
        all.add(PeerPage {
            peers: vec![alice, bob],
            membership_version: at(95).milliseconds(),
            next_cursor: Some(String::from("bob")),
            notice: None,
        });
        all.add(Leave::signed(&self.network, 1, at(300), &self.carol));
        all.add(ChallengeAnswer::signed(Some(&self.network), &[0xa5; 32], 1, &self.carol));
        all.add(offline.clone());
        all.add(Notice::signed(&self.network, at(95), vec![online, offline], &self.tracker).unwrap());
        all.add(NoticeAck { applied: 1, stale: 1 });
        self.add_tracker(all);
    }

    /// What the tracker finds out when bob does not answer any more.
    fn add_tracker(&self, all: &mut Examples) {
        let registration = self.registration("bob", 7702, 1, &self.bob);
        let probe = NewProbe {
            network: self.network,
            helper: self.alice.public().address(),
            subject: &registration,
            nonce: [0x5a; 32],
            timeout_ms: 2_500,
            time: at(94),
        };
        all.add(ProbeRequest::signed(&probe, &self.tracker).unwrap());
        all.add(ProbeAnswer { answer: None, reason: Some(String::from("connection refused")) });
        let event = TimelineEvent {
            id: 17,
            time: at(95).milliseconds(),
            kind: TimelineKind::Offline,
            name: Some(String::from("bob")),
            address: Some(self.address(&self.bob)),
            epoch: Some(1),
            version: Some(at(95).milliseconds()),
            acknowledged: vec![Acknowledgement {
                name: String::from("alice"),
                address: self.address(&self.alice),
                time: at(95).milliseconds() + 12,
            }],
        };
        all.add(event.clone());
        all.add(TimelinePage { events: vec![event], next_cursor: Some(String::from("17")) });
        let tip = |number: usize| TipMessage::from(&self.blocks[number].1);
        let view = |name: &str, key: &PrivateKey, tip: TipMessage, differs| PeerView {
            name: name.to_owned(),
            address: self.address(key),
            tip: Some(tip),
            ledger_count: 0,
            ledger_digest: "0".repeat(64),
            differs,
        };
        all.add(Agreement {
            asked: at(96).milliseconds(),
            agree: false,
            best: Some(tip(1)),
            differing: vec![String::from("alice")],
            peers: vec![
                view("alice", &self.alice, tip(0), vec![Difference::Tip]),
                view("carol", &self.carol, tip(1), vec![]),
            ],
            not_asked: vec![NotAsked {
                name: String::from("bob"),
                address: self.address(&self.bob),
                reason: String::from("it is offline"),
            }],
        });
    }

    fn add_chain(&self, all: &mut Examples) {
        let [(first, first_tip), (second, tip)] = self.blocks.as_slice() else { unreachable!("there are two blocks") };
        let transaction = TransactionMessage::new(&self.sent, Some(&self.sealed));
        let bare = TransactionMessage::new(&self.sent, None);
        let id = self.sent.id().to_string();
        let block =
            |block: &Block, tip: &Tip| BlockMessage::full(block, &self.network).in_chain(&tip.work, &tip.state_hash);
        all.add(SealedMessageJson::from(&self.sealed));
        all.add(self.receipt());
        all.add(transaction.clone());
        all.add(BuildRequest {
            sender_key: Some(self.alice.public().to_pem()),
            sender: None,
            to: String::from("bob"),
            amount: Some(25),
            fee: Some(1),
            sequence: None,
            created: None,
            valid_until: Some(8_641),
            message: Some(String::from(TEXT)),
            sealed_message: None,
            message_digest: None,
            message_length: None,
        });
        let built = BuiltTransaction::new(self.sent.transaction(), Some(&self.sealed), &self.network);
        all.add(built.transaction.clone());
        all.add(built);
        all.add(SubmitAnswer { id: id.clone(), status: SubmitStatus::Accepted });
        let problem = SubmitProblem {
            code: String::from("insufficient_funds"),
            status: 409,
            detail: String::from("the transaction costs 26, the account has 0"),
        };
        all.add(SubmitResults {
            results: vec![
                SubmitResult { id: Some(id), status: Some(SubmitStatus::Known), problem: None },
                SubmitResult { id: Some("5d".repeat(32)), status: None, problem: Some(problem) },
            ],
        });
        all.add(TransactionStatus {
            transaction: bare,
            signed_bytes: to_hex(&self.sent.transaction().preimage(&self.network)),
            status: TransactionState::Confirmed,
            height: Some(2),
            block: Some(second.hash().to_string()),
            position: Some(1),
            confirmations: Some(1),
            reason: None,
            received: Some(at(61).milliseconds()),
            delivered: Some(at(61).milliseconds() + 14),
            receipt: Some(self.receipt()),
            life: vec![
                LifeEvent { time: Some(at(61).milliseconds()), ..event(LifeEventKind::Pending) },
                LifeEvent {
                    time: Some(at(91).milliseconds()),
                    height: Some(2),
                    block: Some(second.hash().to_string()),
                    ..event(LifeEventKind::Confirmed)
                },
            ],
        });
        all.add(LedgerPage {
            count: 1,
            bytes: self.sent.size() as u64,
            digest: self.sent.leaf().to_string(),
            transactions: vec![transaction],
            next_cursor: None,
        });
        all.add(HeaderMessage::from(second.header()));
        all.add(RewardMessage::new(second.reward(), second.header(), &self.network));
        all.add(block(second, tip));
        all.add(BlockAnswer {
            status: BlockStatus::Missing,
            hash: second.hash().to_string(),
            missing: Some(vec![self.sent.leaf().to_string()]),
        });
        all.add(TipMessage::from(tip));
        all.add(ChainPage { blocks: vec![block(first, first_tip)], tip: tip.into(), next: Some(2) });
        let headers = vec![first.header().into(), second.header().into()];
        all.add(HeadersPage { headers, tip: tip.into() });
        all.add(MiningComplete::signed(second.header(), &self.network, at(90), &self.carol));
        all.add(MiningCompleteAnswer { accepted: true, paused: true, reason: None });
        all.add(AccountMessage {
            address: self.address(&self.bob),
            name: Some(String::from("bob")),
            balance: 25,
            next_sequence: 0,
            pending_in: 0,
            pending_out: 0,
        });
    }

    /// Alice's transaction as bob's peer would judge it before block 2, and block 2 as everybody does.
    fn add_explanations(&self, all: &mut Examples) {
        let [(first, first_tip), (second, tip)] = self.blocks.as_slice() else { unreachable!("there are two blocks") };
        let rules = Rules { network: self.network, parameters: self.genesis.parameters.clone() };
        let accounts = Accounts::default();
        let mut overlay = Overlay::new(&accounts);
        connect_block(first, &mut overlay, &StateHash::ZERO, &rules).unwrap();
        let account = overlay.get(&self.alice.public().address());
        let context = Context { parameters: &rules.parameters, next_height: 2, now: at(61), registered: true };
        let mut explanation = Explanation::new();
        explain_arrival(&self.sent, Some(&self.sealed), &rules, &mut explanation);
        Ledger::default().explain(&self.sent, &account, &context, &mut explanation);
        all.add(TransactionCheck {
            id: self.sent.id().to_string(),
            outcome: CheckOutcome::Accepted,
            height: 2,
            rules: RuleStep::list(&explanation),
        });
        let parent = Parent { header: *first.header(), median_time: first_tip.time };
        let mut explanation = Explanation::new();
        explain_header(second.header(), &parent, &rules, at(91), &mut explanation);
        explain_body(second, &rules, &mut explanation);
        explain_signatures(second, &rules, &mut explanation);
        explain_state(second, &mut overlay, &first_tip.state_hash, &rules, &mut explanation);
        all.add(BlockVerification {
            hash: second.hash().to_string(),
            height: 2,
            active: true,
            valid: true,
            reason: None,
            rules: RuleStep::list(&explanation),
        });
        let leaves = second.leaves(&self.network);
        all.add(MerkleProof {
            id: self.sent.id().to_string(),
            leaf: leaves[1].to_string(),
            siblings: Sibling::list(&merkle::proof(&leaves, 1).unwrap()),
            root: second.header().merkle_root.to_string(),
            header: second.header().into(),
            height: tip.height,
            position: 1,
            confirmations: 1,
        });
    }

    /// A branch that carol's block would have lost to; the audit of the chain as it is.
    fn add_history(&self, all: &mut Examples) {
        let [(first, _), (second, tip)] = self.blocks.as_slice() else { unreachable!("there are two blocks") };
        let reference = |height, hash: String| BlockReference { height, hash };
        let reorg = Reorganisation {
            id: 1,
            time: at(120).milliseconds(),
            ancestor: reference(1, first.hash().to_string()),
            depth: 1,
            alarm: false,
            lost: vec![reference(2, second.hash().to_string())],
            won_count: 2,
            won: vec![reference(2, "0b".repeat(32)), reference(3, "0a".repeat(32))],
            returned_count: 1,
            returned: vec![self.sent.id().to_string()],
            moved_count: 0,
            moved: Vec::new(),
            not_returned_count: 0,
            not_returned: Vec::new(),
        };
        all.add(reorg.clone());
        all.add(ReorganisationPage { reorgs: vec![reorg], next_cursor: None });
        let same = AccountsCompared { differences: 0, first: Vec::new(), unreadable: None };
        all.add(AuditReport {
            sound: true,
            tip: reference(2, second.hash().to_string()),
            blocks: 2,
            transactions: 1,
            bad_block: None,
            issued: 100,
            balances: 100,
            accounts: 3,
            state_hash: tip.state_hash.to_string(),
            node_state_hash: tip.state_hash.to_string(),
            stored_accounts: Some(same.clone()),
            working_accounts: Some(same),
            milliseconds: 3,
        });
        all.add(AuditProgress { blocks: 1, of: 2 });
    }

    fn add_peer(&self, all: &mut Examples) {
        let (second, tip) = &self.blocks[1];
        let id = self.sent.id().to_string();
        all.add(StatusMessage {
            protocol: 1,
            software: String::from("raclette-peer/0.1.0"),
            name: String::from("alice"),
            address: self.address(&self.alice),
            epoch: 1,
            network_id: Some(self.network.to_string()),
            tip: Some(tip.into()),
            ledger: LedgerSummary { count: 0, bytes: 0, digest: "0".repeat(64) },
            mining: false,
            sync: SyncStatus::at_rest(SyncState::Synced, 2),
            membership_version: at(95).milliseconds(),
            tracker: TrackerStatus {
                url: String::from("http://127.0.0.1:7700"),
                reachable: true,
                last_seen: Some(at(95).milliseconds()),
            },
            peers: KnownPeers { online: 1, offline: 1 },
            reorganisation_alarm: None,
            chaos: None,
        });
        let slow = ChaosLink {
            delay_ms: 250,
            drop_percent: 10,
            address: Some(self.address(&self.bob)),
            ..ChaosLink::to("bob")
        };
        all.add(ChaosState { links: vec![slow] });
        all.add(Wallet {
            name: String::from("alice"),
            address: self.address(&self.alice),
            public_key: self.alice.public().to_pem(),
            balance: 24,
            spendable: 24,
            pending_in: 0,
            pending_out: 0,
            next_sequence: 1,
        });
        all.add(SendRequest {
            to: String::from("bob"),
            amount: Some(25),
            message: Some(String::from(TEXT)),
            fee: Some(1),
        });
        all.add(SendResponse {
            transaction: TransactionMessage::new(&self.sent, Some(&self.sealed)),
            status: SendStatus::Delivered,
            recipient_name: Some(String::from("bob")),
        });
        let entry = MessageEntry {
            id,
            direction: Direction::Sent,
            from: self.address(&self.alice),
            to: self.address(&self.bob),
            from_name: Some(String::from("alice")),
            to_name: Some(String::from("bob")),
            text: Some(String::from(TEXT)),
            unreadable: None,
            amount: 25,
            fee: 1,
            created: at(60).milliseconds(),
            status: MessageStatus::Confirmed,
            delivered: Some(at(61).milliseconds() + 14),
            receipt: Some(self.receipt()),
            height: Some(2),
            confirmations: Some(1),
            replaced_by: None,
        };
        all.add(entry.clone());
        let conversation = Conversation {
            address: self.address(&self.bob),
            name: Some(String::from("bob")),
            count: 1,
            sent: 1,
            pending: 0,
            last: at(60).milliseconds(),
        };
        all.add(conversation.clone());
        all.add(ConversationList { conversations: vec![conversation], next_cursor: None });
        all.add(ConversationPage {
            address: self.address(&self.bob),
            name: Some(String::from("bob")),
            messages: vec![entry.clone()],
            next_cursor: None,
        });
        all.add(MessagePage { messages: vec![entry], next_cursor: None });
        all.add(MineRequest { threads: Some(2), max_transactions: Some(100) });
        all.add(MiningJob {
            id: String::from("7"),
            state: MiningState::Done,
            outcome: Some(MiningOutcome::LostRace),
            attempts: 3_145_728,
            rate: 12_500_000.0,
            started: at(80).milliseconds(),
            height: 2,
            target: second.header().target.to_string(),
            expected_attempts: 4_194_304.0,
            block: None,
            winner: Some(MiningWinner {
                address: self.address(&self.carol),
                name: Some(String::from("carol")),
                block: second.hash().to_string(),
            }),
            reason: None,
        });
        let waiting = QueueEntry {
            id: 12,
            destination: self.address(&self.bob),
            destination_name: Some(String::from("bob")),
            url: String::from("http://127.0.0.1:7702/block"),
            kind: String::from("block"),
            subject: second.hash().to_string(),
            version: 2,
            state: QueueState::Waiting,
            attempts: 3,
            created: at(90).milliseconds(),
            next_try: at(98).milliseconds(),
            expires: None,
            last_error: Some(String::from("connection refused")),
        };
        let ban = Ban {
            ip: String::from("192.0.2.7"),
            claimed: Some(self.address(&self.carol)),
            until: at(700).milliseconds(),
            seconds: 600,
            count: 1,
        };
        all.add(ban.clone());
        all.add(BanPage { bans: vec![ban] });
        all.add(waiting.clone());
        let summary = QueueDestination {
            destination: waiting.destination.clone(),
            destination_name: waiting.destination_name.clone(),
            reachable: false,
            waiting: 1,
            dead: 0,
            attempts: waiting.attempts,
            oldest: waiting.created,
            next_try: Some(waiting.next_try),
            last_error: waiting.last_error.clone(),
        };
        all.add(summary.clone());
        all.add(QueueDestinations { destinations: vec![summary], next_cursor: None });
        let peer = |name: &str, key: &PrivateKey, state| PeerPropagation {
            name: name.to_owned(),
            address: self.address(key),
            online: state == PropagationState::Acknowledged,
            state,
            time: Some(at(90).milliseconds() + 7),
            attempts: None,
            next_try: None,
            reason: None,
        };
        let bob = PeerPropagation {
            attempts: Some(waiting.attempts),
            next_try: Some(waiting.next_try),
            reason: waiting.last_error.clone(),
            ..peer("bob", &self.bob, PropagationState::Waiting)
        };
        all.add(Propagation {
            id: waiting.subject.clone(),
            remembered: true,
            counts: PropagationCounts { have: 1, waiting: 1, refused: 0, not_asked: 0 },
            peers: vec![peer("alice", &self.alice, PropagationState::Acknowledged), bob],
            next_cursor: None,
        });
        all.add(QueuePage { counts: QueueCounts { waiting: 1, dead: 0 }, entries: vec![waiting], next_cursor: None });
    }

    /// What carol's peer told everybody when block 2 came.
    fn add_events(&self, all: &mut Examples) {
        let (second, tip) = &self.blocks[1];
        let at = |id, body| EventMessage { id: Some(id), time: at(91).milliseconds(), body };
        let block = BlockEvent {
            hash: second.hash().to_string(),
            previous: second.header().previous.to_string(),
            height: tip.height,
            miner: self.address(&self.carol),
            transactions: 1,
            active: true,
        };
        let confirmed = TransactionEvent {
            id: self.sent.id().to_string(),
            status: TransactionStep::Confirmed,
            sender: self.address(&self.alice),
            recipient: self.address(&self.bob),
            amount: 25,
            fee: 1,
            height: Some(tip.height),
        };
        let block = at(17, EventBody::Block(block));
        let gap = EventGap { since: 3, resumed: 16, reason: GapReason::Pruned };
        all.add(block.clone());
        all.add(gap);
        all.add(EventPage { events: vec![block, at(18, EventBody::Transaction(confirmed))], next: 18, gap: Some(gap) });
    }
}

/// An event with nothing but its kind.
fn event(event: LifeEventKind) -> LifeEvent {
    LifeEvent { event, time: None, height: None, block: None, by: None, rule: None, detail: None }
}

#[derive(Default)]
struct Examples(Map<String, Value>);

impl Examples {
    fn add<T: Serialize>(&mut self, message: T) {
        self.0.insert(type_name::<T>().to_owned(), serde_json::to_value(message).unwrap());
    }
}
