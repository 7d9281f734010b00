//! The audit of the whole chain: the stored bytes of every active block, the accounts in the file, and those in memory, all
//! against [`raclette_chain::audit`].
//!
//! It goes slice by slice: bytes are read asynchronously, checked on a blocking thread, and forgotten. The active branch is
//! that of one published state, so that no long transaction holds back the file; at the end the audit catches up with what
//! was mined meanwhile.

use std::sync::Arc;

use raclette_chain::{
    audit::{Auditor, Difference, Fault, StoredBlock},
    hash::{BlockHash, StateHash},
    time::Timestamp,
};
use raclette_service::clock::now_ms;
use sqlx::Connection as _;
use tokio::sync::Mutex;

use super::{Node, NodeError, State};
use crate::store::{self, StoreError};

/// A slice ends after so many blocks, or so many bytes.
const SLICE_BLOCKS: usize = 256;
const SLICE_BYTES: usize = 4 << 20;

/// How often an audit begins again because a reorganisation took away what it had checked.
const ATTEMPTS: usize = 3;

/// How far an audit is, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// How many have been checked.
    pub checked: u64,
    /// How many there are.
    pub all: u64,
}

/// Held by the audit that runs; how far it is.
#[derive(Debug, Default)]
pub(super) struct AuditTurn {
    turn: Mutex<()>,
    progress: std::sync::Mutex<Progress>,
}

impl AuditTurn {
    fn set(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = progress;
    }

    fn get(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Accounts compared with those that follow from the blocks: those that differ, or why they cannot be read.
pub type Compared = Result<Vec<Difference>, String>;

/// What an audit found.
#[derive(Debug)]
pub struct Audit {
    /// The last block that was checked, or the bad one.
    pub tip: (u32, BlockHash),
    /// What is wrong with it, if something is.
    pub fault: Option<Fault>,
    /// How many blocks were checked.
    pub blocks: u64,
    /// How many transactions were checked.
    pub transactions: u64,
    /// The money that the blocks issued.
    pub issued: u64,
    /// The sum of all balances that follow from the blocks.
    pub balances: u128,
    /// How many accounts there are.
    pub accounts: usize,
    /// The state hash that the audit computed.
    pub state_hash: StateHash,
    /// The one that this peer works with, after the same block.
    pub node_state_hash: StateHash,
    /// The accounts in the file and those in memory; none after a fault.
    pub compared: Option<(Compared, Compared)>,
}

/// What a slice brought.
type Checked = (Box<Auditor>, Result<(), (u32, BlockHash, Fault)>);

impl Node {
    /// Audits the whole chain. The inner error is the progress of another audit that is running.
    ///
    /// # Errors
    /// Not ready, shutting down, the file cannot be read, or the chain changes faster than it can be audited.
    pub async fn audit(&self) -> Result<Result<Audit, Progress>, NodeError> {
        let Ok(_turn) = self.auditing.turn.try_lock() else { return Ok(Err(self.auditing.get())) };
        for _ in 0..ATTEMPTS {
            if let Some(audit) = self.audit_once().await? {
                return Ok(Ok(audit));
            }
        }
        Err(NodeError::NotReady { waiting_for: "the chain to stop changing under the audit" })
    }

    /// None if a reorganisation took away what was checked.
    async fn audit_once(&self) -> Result<Option<Audit>, NodeError> {
        let mut state = self.state()?;
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        let mut auditor = Box::new(Auditor::new((*state.genesis).clone(), now));
        if state.index.at(0).is_none_or(|genesis| genesis.hash != auditor.tip()) {
            let (expected, seen) = (auditor.tip().to_string(), state.rules.network.to_string());
            let fault = Fault { rule: "wrong_genesis", expected, seen };
            let at = (0, state.rules.network.into());
            return Ok(Some(report(&auditor, &state, at, Some(fault), None)));
        }
        loop {
            if !state.index.is_active(&auditor.tip()) {
                return Ok(None);
            }
            while auditor.height() < state.tip().header.height {
                self.auditing.set(Progress { checked: auditor.blocks(), all: state.tip().header.height.into() });
                let slice = self.slice(&state, auditor.height()).await?;
                let (next, result) = check(auditor, slice).await?;
                auditor = next;
                if let Err((height, hash, fault)) = result {
                    return Ok(Some(report(&auditor, &state, (height, hash), Some(fault), None)));
                }
            }
            if let Some(compared) = self.compare(&auditor, &state).await? {
                let at = (auditor.height(), auditor.tip());
                return Ok(Some(report(&auditor, &state, at, None, Some(compared))));
            }
            state = self.state()?;
        }
    }

    /// Reads the next blocks behind a height.
    async fn slice(&self, state: &State, height: u32) -> Result<Vec<(u32, StoredBlock)>, NodeError> {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        let mut next = height + 1;
        while let Some(entry) = state.index.at(next).filter(|_| blocks.len() < SLICE_BLOCKS && bytes < SLICE_BYTES) {
            let block = store::blocks::raw(&self.readers, &entry.hash).await?;
            bytes += block.body.len();
            blocks.push((next, block));
            next += 1;
        }
        Ok(blocks)
    }

    /// Compares accounts in the file and in memory; none if the file's tip is another one by now.
    async fn compare(&self, auditor: &Auditor, state: &State) -> Result<Option<(Compared, Compared)>, NodeError> {
        let mut connection = self.readers.acquire().await?;
        let mut snapshot = connection.begin().await?;
        let tip = store::blocks::active_tip(&mut *snapshot).await?.unwrap_or(state.rules.network.into());
        if tip != auditor.tip() {
            return Ok(None);
        }
        let stored = match store::accounts::all(&mut *snapshot).await {
            Ok(accounts) => Ok(auditor.compare(&accounts)),
            Err(error @ StoreError::Damaged { .. }) => Err(error.to_string()),
            Err(error) => return Err(error.into()),
        };
        Ok(Some((stored, Ok(auditor.compare(&state.accounts)))))
    }
}

/// Checks a slice away from the async threads.
async fn check(mut auditor: Box<Auditor>, slice: Vec<(u32, StoredBlock)>) -> Result<Checked, NodeError> {
    let work = move || {
        let result = slice
            .iter()
            .try_for_each(|(height, block)| auditor.check(block).map_err(|fault| (*height, block.hash, fault)));
        (auditor, result)
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| NodeError::ShuttingDown)
}

fn report(
    auditor: &Auditor,
    state: &Arc<State>,
    tip: (u32, BlockHash),
    fault: Option<Fault>,
    compared: Option<(Compared, Compared)>,
) -> Audit {
    Audit {
        tip,
        fault,
        blocks: auditor.blocks(),
        transactions: auditor.transactions(),
        issued: auditor.issued(),
        balances: auditor.balances(),
        accounts: auditor.accounts(),
        state_hash: auditor.state_hash(),
        node_state_hash: state.index.get(&auditor.tip()).and_then(|entry| entry.state_hash).unwrap_or_default(),
        compared,
    }
}
