//! Blocks on their way in: one at a time, or many behind each other when the history is fetched.

use std::{
    sync::{Arc, PoisonError},
    time::Instant,
};

use raclette_chain::{
    block::{Block, Unchecked},
    header::Header,
    rules::{self, BlockError, TransactionError},
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::{clock::now_ms, request_id::RequestId};
use tokio::sync::oneshot;

use super::{Node, NodeError, Origin, State, command::Command};

/// What became of a block that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockOutcome {
    /// It is on the active branch now.
    Accepted,
    /// It is stored, on a branch that does not win.
    Stored,
    /// It is on a branch that does not win, and too much of such branches is kept already. If the branch ever wins, it is
    /// fetched.
    Unkept,
    /// It was there already.
    Known,
    /// Its parent is not known here; the history has to be fetched.
    Orphan,
    /// It is from the near future, and kept until its time comes.
    Later,
}

/// A block whose body is the one that its header commits to, and whose body and signatures keep the rules. What depends on
/// its parent and on the accounts is still to be checked, which the writer does.
#[derive(Debug)]
pub struct VerifiedBlock(Block<Unchecked>);

impl VerifiedBlock {
    /// The block.
    #[must_use]
    pub fn block(&self) -> &Block<Unchecked> {
        &self.0
    }

    pub(super) fn into_block(self) -> Block<Unchecked> {
        self.0
    }
}

/// A block that waits for the writer.
#[derive(Debug)]
pub struct HandedIn(oneshot::Receiver<Result<BlockOutcome, NodeError>>);

impl HandedIn {
    /// Waits until it is committed or refused.
    ///
    /// # Errors
    /// When the block is not valid, or cannot be stored.
    pub async fn outcome(self) -> Result<BlockOutcome, NodeError> {
        self.0.await.map_err(|_| NodeError::ShuttingDown)?
    }
}

impl Node {
    /// Says what can be said of a block by its header alone: none if its body has to be looked at. The work comes first,
    /// and descendants of a block that broke a rule are refused unread.
    ///
    /// # Errors
    /// The rule that the header breaks, or that the block stands on one that is known to be invalid.
    pub fn judge_header(
        &self,
        header: &Header,
        origin: Origin,
        state: &State,
    ) -> Result<Option<BlockOutcome>, NodeError> {
        let (hash, parameters) = (header.hash(), &state.rules.parameters);
        if let Some(entry) = state.index.get(&hash) {
            return if entry.invalid { Err(NodeError::KnownInvalid { hash }) } else { Ok(Some(BlockOutcome::Known)) };
        }
        if self.refused.contains(&hash) {
            return Err(NodeError::KnownInvalid { hash });
        }
        let parent = &header.previous;
        if self.refused.contains(parent) || state.index.get(parent).is_some_and(|entry| entry.invalid) {
            // Its own descendants are to be refused, too; but nobody shall fill the memory without work.
            if rules::check_work(header, None, parameters).is_ok() {
                self.refused.insert([hash]);
            }
            return Err(NodeError::KnownInvalid { hash });
        }
        let Some(parent) = state.index.parent(parent) else {
            rules::check_work(header, None, parameters)?;
            return Ok(Some(BlockOutcome::Orphan));
        };
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        match rules::check_header(header, &parent, &state.rules, now) {
            Ok(()) => Ok(None),
            Err(BlockError::TimeTooNew { .. }) if self.later.contains(&hash) => Ok(Some(BlockOutcome::Later)),
            Err(BlockError::TimeTooNew { .. }) if self.later.has_place_for(header, origin, now) => Ok(None),
            Err(error) => {
                // The only rule that a header with its work done can break for good.
                if matches!(error, BlockError::TimeTooOld { .. }) {
                    self.refused.insert([hash]);
                }
                Err(error.into())
            }
        }
    }

    /// Takes a block: the header's work first, then the signatures that were not seen before (on blocking threads), then
    /// the writer. One from the near future is kept until its time comes.
    ///
    /// # Errors
    /// When the block is not valid, or cannot be stored.
    pub async fn submit_block(&self, block: Block<Unchecked>, origin: Origin) -> Result<BlockOutcome, NodeError> {
        self.has_room()?;
        let state = self.state()?;
        if let Some(outcome) = self.judge_header(block.header(), origin, &state)? {
            return Ok(outcome);
        }
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        if let Err(error) = rules::time_is_not_ahead(block.header(), now) {
            let block = self.verify_block(block).await?.into_block();
            return if self.later.keep(block, origin, now) { Ok(BlockOutcome::Later) } else { Err(error.into()) };
        }
        if !self.may_keep(&block, &state) {
            return Ok(BlockOutcome::Unkept);
        }
        drop(state);
        self.hand_in(self.verify_block(block).await?, origin).await?.outcome().await
    }

    /// Whether a block wins, by its work, or there is room for one that does not.
    fn may_keep(&self, block: &Block<Unchecked>, state: &State) -> bool {
        let ours = state.tip();
        let wins = state
            .index
            .work_of(block.header())
            .is_some_and(|work| work > ours.work || (work == ours.work && block.hash() < ours.hash));
        // A budget is right or wrong by itself; a panic elsewhere cannot have broken it.
        wins || self.side.lock().unwrap_or_else(PoisonError::into_inner).take(block.size(), Instant::now())
    }

    /// Checks body and signatures away from the async threads, on all processors. A block that breaks one of these rules for
    /// good is remembered: the root comes first, so that any later verdict is about the body that the header commits to.
    ///
    /// # Errors
    /// The rule that the block breaks, or this peer is stopping.
    pub async fn verify_block(&self, block: Block<Unchecked>) -> Result<VerifiedBlock, NodeError> {
        let hash = block.hash();
        let verified = self.verify_body(block).await;
        if matches!(&verified, Err(NodeError::Block(error)) if error.is_final()) {
            self.refused.insert([hash]);
        }
        verified
    }

    async fn verify_body(&self, block: Block<Unchecked>) -> Result<VerifiedBlock, NodeError> {
        let rules = Arc::clone(&self.state()?.rules);
        let check = {
            let rules = Arc::clone(&rules);
            move || rules::check_body(&block, &rules).map(|()| Arc::new(block))
        };
        let block = self.verifier.run(check).await.ok_or(NodeError::ShuttingDown)??;
        let leaves = block.transactions().iter().map(SignedTransaction::leaf).enumerate();
        let unknown: Vec<usize> =
            leaves.filter(|(_, leaf)| !self.verified.contains(leaf)).map(|(position, _)| position).collect();
        let verify = {
            let block = Arc::clone(&block);
            move |position: usize| {
                let verified = block.transactions()[position].verify(&rules.network);
                verified
                    .map_err(|error| BlockError::Transaction { position, error: TransactionError::Signature(error) })
            }
        };
        let verdicts = self.verifier.map(unknown, verify).await.ok_or(NodeError::ShuttingDown)?;
        verdicts.into_iter().collect::<Result<(), _>>()?;
        self.verified.insert(block.transactions().iter().map(SignedTransaction::leaf));
        Ok(VerifiedBlock(Arc::unwrap_or_clone(block)))
    }

    /// Hands a block to the writer and does not wait: blocks that are handed in one after the other are taken in this order,
    /// many to a commit.
    ///
    /// # Errors
    /// When the disk is full, or this peer is stopping.
    pub async fn hand_in(&self, block: VerifiedBlock, origin: Origin) -> Result<HandedIn, NodeError> {
        self.has_room()?;
        let (answer, answered) = oneshot::channel();
        let command = Command::Block(Box::new(block), origin, RequestId::current(), answer);
        self.commands.send(command).await.map_err(|_| NodeError::ShuttingDown)?;
        Ok(HandedIn(answered))
    }
}
