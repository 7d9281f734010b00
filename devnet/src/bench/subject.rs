//! What is measured: a network that nobody else mines in, and the maker of its chain.

use std::{path::Path, sync::Arc, time::Duration};

use http::StatusCode;
use raclette_api::block::{BlockAnswer, BlockStatus};
use raclette_chain::{keys::PrivateKey, transaction::SignedTransaction};
use tokio::time::{Instant, sleep};

use super::{
    Failure,
    load::{Call, Connection},
    maker::{self, Maker},
    services::{Services, height_and_pending},
};

/// Settings of a network whose blocks cost nothing, so that only what comes with them is measured.
const EASY: [&str; 8] = ["--first-target-bits", "4", "--half-life", "0s", "--spacing", "1s", "--reward", "1000000000"];

/// How many transactions go into the blocks that only clear the ledger.
const LARGE_BLOCK: usize = 4_000;

/// How long something may take that always happens.
const PATIENCE: Duration = Duration::from_secs(120);

/// A network with the peers alice and bob, of which alice runs.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) services: Services,
    pub(super) maker: Maker,
    pub(super) alice: Connection,
}

impl Subject {
    /// Starts tracker and alice, and gives the senders money.
    pub(super) async fn start(under: &Path, keys: &[Arc<PrivateKey>]) -> Result<Self, Failure> {
        let mut services = Services::start(under, &EASY, &["alice", "bob"]).await?;
        services.bring_up("alice").await?;
        let mut maker = Maker::new(keys, &services.genesis("alice").await?);
        let alice = services.connect("alice").await?;
        let funding = maker.fund()?;
        let mut subject = Self { services, maker, alice };
        for block in funding {
            let body = subject.maker.whole(&block)?;
            subject.give(body).await?;
        }
        Ok(subject)
    }

    /// How many transactions the chain holds, rewards not counted.
    pub(super) fn confirmed(&self) -> usize {
        self.maker.transactions_up_to(self.maker.height())
    }

    /// Gives alice a block, and sees that it is the new tip.
    pub(super) async fn give(&mut self, body: Vec<u8>) -> Result<(), Failure> {
        give(&mut self.alice, body).await
    }

    /// Has transactions confirmed that alice's ledger holds.
    pub(super) async fn confirm(&mut self, transactions: &[Arc<SignedTransaction>]) -> Result<(), Failure> {
        for block in self.maker.blocks(transactions, LARGE_BLOCK)? {
            let body = self.maker.compact(&block)?;
            self.give(body).await?;
        }
        Ok(())
    }

    /// Extends the chain by blocks with so many transactions each, until it holds `confirmed` of them. Nobody has seen the
    /// transactions before.
    pub(super) async fn extend_to(&mut self, confirmed: usize, in_each: usize) -> Result<(), Failure> {
        let missing = confirmed.saturating_sub(self.confirmed());
        let transactions = self.maker.transactions(missing);
        for block in self.maker.blocks(&transactions, in_each)? {
            let body = self.maker.whole(&block)?;
            self.give(body).await?;
        }
        Ok(())
    }

    /// Puts transactions into alice's ledger, and does not measure it.
    pub(super) async fn submit(&mut self, transactions: &[Arc<SignedTransaction>]) -> Result<(), Failure> {
        for body in maker::as_arrays(transactions, 500)? {
            self.alice.call(&Call::post("/tx", body, StatusCode::OK)).await?;
        }
        Ok(())
    }
}

/// Gives a peer a block, and sees that it is the new tip.
pub(super) async fn give(peer: &mut Connection, body: Vec<u8>) -> Result<(), Failure> {
    let answer = peer.call(&Call::post("/block", body, StatusCode::OK)).await?;
    let answer: BlockAnswer = serde_json::from_slice(&answer)?;
    if answer.status == BlockStatus::Accepted {
        Ok(())
    } else {
        Err(format!("a block is {:?} where it should be accepted", answer.status).into())
    }
}

/// Asks a peer again and again, as quickly as it answers or with pauses, until it has that height and so many pending.
pub(super) async fn until(
    peer: &mut Connection,
    pause: Option<Duration>,
    wanted: impl Fn(u32, u64) -> bool,
) -> Result<Instant, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (height, pending) = height_and_pending(peer).await?;
        let now = Instant::now();
        if wanted(height, pending) {
            return Ok(now);
        }
        if now > deadline {
            return Err(format!("after {PATIENCE:?} it is at height {height} with {pending} pending").into());
        }
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
}
