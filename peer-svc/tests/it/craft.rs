//! Blocks and transactions made by hand on top of a peer's tip: good ones, in which a test changes something.

use std::{sync::LazyLock, time::Duration};

use axum::body::Body;
use raclette_api::{block::BlockMessage, transaction::TransactionMessage};
use raclette_chain::{
    address::Address,
    amount::Amount,
    block::{Block, merkle_root},
    difficulty::next_target,
    genesis::Genesis,
    hash::{BlockHash, MerkleRoot, MessageDigest},
    header::{BLOCK_VERSION, Header},
    keys::{PrivateKey, Signature},
    parameters::Parameters,
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, key},
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};
use raclette_service::clock::now_ms;
use serde_json::{Value, json};

use crate::peer::{Answer, EASY, Peer, by_anybody, genesis};

pub(crate) static ALICE: LazyLock<PrivateKey> = LazyLock::new(|| key(ALICE_PEM));
pub(crate) static BOB: LazyLock<PrivateKey> = LazyLock::new(|| key(BOB_PEM));
pub(crate) static CAROL: LazyLock<PrivateKey> = LazyLock::new(|| key(CAROL_PEM));

pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

/// So many milliseconds from now; negative: before.
pub(crate) fn from_now(milliseconds: i64) -> Timestamp {
    Timestamp::new(now_ms().saturating_add_signed(milliseconds)).unwrap()
}

/// A network whose limits a test can reach: three transactions and 16 KiB a block, a fee of at least 1.
pub(crate) fn strict() -> Genesis {
    let easy = genesis(EASY);
    let parameters = Parameters {
        max_block_transactions: 3,
        max_block_bytes: 16_384,
        max_message_length: 6_000,
        minimum_fee: amount(1),
        ..easy.parameters
    };
    Genesis { parameters, ..easy }
}

/// A transfer by alice to bob without message, not signed.
pub(crate) fn transfer(units: u64, fee: u64, sequence: u64) -> Transaction {
    Transaction {
        sender: ALICE.public().clone(),
        recipient: BOB.public().address(),
        amount: amount(units),
        fee: amount(fee),
        sequence,
        created: from_now(0),
        valid_until: 0,
        message_digest: MessageDigest::ZERO,
        message_length: 0,
    }
}

/// The parts of a block that is still to be put together.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) header: Header,
    pub(crate) reward: Reward,
    pub(crate) transactions: Vec<SignedTransaction>,
}

impl Peer {
    /// Signs for this peer's network.
    pub(crate) fn sign(&self, transaction: Transaction, key: &PrivateKey) -> SignedTransaction {
        transaction.sign(key, &self.network())
    }

    /// A transaction with these bytes for a signature.
    pub(crate) fn with_signature(&self, transaction: Transaction, signature: Vec<u8>) -> SignedTransaction {
        SignedTransaction::new(transaction, Signature::from_bytes(signature), &self.network())
    }

    /// A good next block by alice, a minute behind the tip.
    pub(crate) fn draft(&self, transactions: Vec<SignedTransaction>) -> Draft {
        let state = self.node.state().unwrap();
        let parent = state.tip().header;
        let header = Header {
            previous: parent.hash(),
            merkle_root: MerkleRoot::ZERO,
            version: BLOCK_VERSION,
            height: parent.height + 1,
            time: parent.time.saturating_add(Duration::from_secs(60)),
            target: parent.target,
            nonce: 0,
        };
        let fees = transactions
            .iter()
            .fold(Amount::ZERO, |sum, signed| sum.checked_add(signed.transaction().fee).unwrap_or(Amount::MAX));
        let subsidy = state.rules.parameters.subsidy(header.height);
        let reward =
            Reward { miner: ALICE.public().address(), amount: subsidy.checked_add(fees).unwrap_or(Amount::MAX) };
        Draft { header, reward, transactions }.at(header.time, self)
    }

    /// Commits the header to the body, and searches a nonce for whatever target it claims.
    pub(crate) fn commit(&self, mut draft: Draft) -> Block {
        draft.header.merkle_root = merkle_root(&draft.header, &draft.reward, &draft.transactions, &self.network());
        draft.uncommitted()
    }

    /// A good next block.
    pub(crate) fn next_block(&self, transactions: Vec<SignedTransaction>) -> Block {
        self.commit(self.draft(transactions))
    }

    /// A whole block as JSON.
    pub(crate) fn json(&self, block: &Block) -> Value {
        json!(BlockMessage::full(block, &self.network()))
    }

    /// Gives this peer good blocks by alice, empty ones.
    pub(crate) async fn grow(&self, blocks: usize) {
        for _ in 0..blocks {
            let block = self.json(&self.next_block(Vec::new()));
            assert_eq!(self.post("/block", &block).await.ok()["status"], "accepted");
        }
    }

    /// Posts any text as JSON.
    pub(crate) async fn post_text(&self, path: &str, text: String) -> Answer {
        let request = by_anybody("POST", path).header("content-type", "application/json");
        self.call(request.body(Body::from(text)).unwrap()).await
    }

    /// What must stay the same when something bad comes: tip, state hash and ledger.
    pub(crate) async fn fingerprint(&self) -> Value {
        let status = self.get("/status").await.ok();
        json!([status["tip"]["hash"], status["tip"]["state_hash"], status["ledger"]])
    }
}

impl Draft {
    /// The same at another time, with the target that follows from it.
    pub(crate) fn at(mut self, time: Timestamp, peer: &Peer) -> Self {
        let state = peer.node.state().unwrap();
        if let Some(parent) = state.index.get(&self.header.previous) {
            self.header.time = time;
            self.header.target = next_target(&parent.header, time, &state.rules.parameters).compact();
        }
        self
    }

    /// The block as it is, whatever its header commits to, with a nonce for the target that it claims.
    pub(crate) fn uncommitted(self) -> Block {
        let Self { mut header, reward, transactions } = self;
        if let Some(target) = header.target.expand() {
            while !target.is_met_by(&header.hash()) {
                header.nonce += 1;
            }
        }
        Block::new(header, reward, transactions)
    }
}

/// The same block on another parent.
pub(crate) fn child_of(peer: &Peer, parent: &Block) -> Block {
    let mut draft = peer.draft(Vec::new());
    draft.header.previous = parent.hash();
    draft.header.height = parent.header().height + 1;
    draft.header.time = parent.header().time.saturating_add(Duration::from_secs(60));
    peer.commit(draft)
}

/// A hash that no block has.
pub(crate) const NOWHERE: BlockHash = BlockHash::from_bytes([0xab; 32]);

/// A transaction as JSON.
pub(crate) fn message(signed: &SignedTransaction) -> Value {
    json!(TransactionMessage::new(signed, None))
}

/// An address that nobody has the key of.
pub(crate) fn nobody() -> Address {
    Address::from_bytes([9; 32])
}

/// A signature by alice with a salt of this length.
pub(crate) fn signature_with_salt(bytes: &[u8], length: usize) -> Vec<u8> {
    use rsa::{
        pkcs8::DecodePrivateKey as _,
        pss::SigningKey,
        sha2::Sha256,
        signature::{RandomizedSigner as _, SignatureEncoding as _},
    };
    let key = rsa::PrivateKey::from_pkcs8_pem(ALICE_PEM).unwrap();
    SigningKey::<Sha256>::new_with_salt_len(key, length).sign_with_rng(&mut rand::rng(), bytes).to_vec()
}
