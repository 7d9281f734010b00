//! What is in the SQLite file of a peer that does not run: read from a copy, so that the file itself stays as the peer left
//! it, write-ahead log and all.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use raclette_chain::{
    accounts::Account,
    address::Address,
    amount::Amount,
    block::{Block, Unchecked},
    codec,
    hash::{BlockHash, NetworkId, StateHash},
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

/// Everything that must never be wrong.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) blocks: BTreeMap<BlockHash, StoredBlock>,
    pub(crate) accounts: BTreeMap<Address, Account>,
    /// Ids of pending transactions.
    pub(crate) ledger: BTreeSet<String>,
    /// Ids of transactions on the active branch.
    pub(crate) confirmed: BTreeSet<String>,
    /// Ids of what the owner sent or received.
    pub(crate) mail: BTreeSet<String>,
    /// Hashes of blocks that are still to be sent to somebody: by their mark, or by a row in the queue.
    pub(crate) to_be_sent: BTreeSet<String>,
    /// Ids of the owner's transactions that wait for their recipient.
    pub(crate) deliveries: BTreeSet<String>,
}

/// A block in the file.
#[derive(Debug)]
pub(crate) struct StoredBlock {
    pub(crate) block: Block<Unchecked>,
    pub(crate) active: bool,
    pub(crate) state_hash: Option<StateHash>,
}

impl File {
    /// Reads a copy of the file, which must be sound.
    pub(crate) async fn read(path: &Path, network: &NetworkId) -> Self {
        let copy = TempDir::new().unwrap();
        let to = copy.path().join("peer.sqlite");
        for suffix in ["", "-wal"] {
            let from = path.with_file_name(format!("peer.sqlite{suffix}"));
            if from.exists() {
                fs::copy(from, copy.path().join(format!("peer.sqlite{suffix}"))).unwrap();
            }
        }
        let mut connection = SqliteConnectOptions::new().filename(&to).connect().await.unwrap();
        let found = Self::of(&mut connection, network).await;
        connection.close().await.unwrap();
        found
    }

    async fn of(connection: &mut SqliteConnection, network: &NetworkId) -> Self {
        let sound: Vec<String> =
            sqlx::query_scalar("pragma integrity_check").fetch_all(&mut *connection).await.unwrap();
        assert_eq!(sound, ["ok"]);
        let strays = sqlx::query("pragma foreign_key_check").fetch_all(&mut *connection).await.unwrap();
        assert!(strays.is_empty());
        Self {
            blocks: blocks(connection, network).await,
            accounts: accounts(connection).await,
            ledger: texts(
                connection,
                "select lower(hex(txid)) from ledger where txid not in (select txid from recent_transactions)",
            )
            .await,
            confirmed: texts(
                connection,
                "select lower(hex(txid)) from transactions union all select lower(hex(txid)) from recent_transactions",
            )
            .await,
            mail: texts(connection, "select lower(hex(txid)) from mail").await,
            to_be_sent: texts(
                connection,
                "select lower(hex(hash)) from blocks where unrelayed = 1
                 union select subject from failed_requests where kind = 'block' and dead = 0",
            )
            .await,
            deliveries: texts(connection, "select subject from failed_requests where kind = 'delivery' and dead = 0")
                .await,
        }
    }

    /// The highest active block; none if there is only the genesis block.
    pub(crate) fn tip(&self) -> Option<BlockHash> {
        let active = self.blocks.iter().filter(|(_, stored)| stored.active);
        active.max_by_key(|(_, stored)| stored.block.header().height).map(|(hash, _)| *hash)
    }
}

async fn texts(connection: &mut SqliteConnection, sql: &'static str) -> BTreeSet<String> {
    let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(connection).await.unwrap();
    rows.into_iter().collect()
}

/// Header, body, active, state hash.
type BlockRow = (Vec<u8>, Vec<u8>, bool, Option<Vec<u8>>);

async fn blocks(connection: &mut SqliteConnection, network: &NetworkId) -> BTreeMap<BlockHash, StoredBlock> {
    let rows: Vec<BlockRow> =
        sqlx::query_as("select header, body, active, state_hash from blocks").fetch_all(connection).await.unwrap();
    let read = |(header, body, active, state_hash): BlockRow| {
        let header = codec::decode_header(&header).unwrap();
        let block = codec::decode_body(header, &body, network).unwrap();
        let state_hash = state_hash.map(|bytes| StateHash::from_bytes(bytes.try_into().unwrap()));
        (block.hash(), StoredBlock { block, active, state_hash })
    };
    rows.into_iter().map(read).collect()
}

async fn accounts(connection: &mut SqliteConnection) -> BTreeMap<Address, Account> {
    let rows: Vec<(Vec<u8>, i64, i64)> =
        sqlx::query_as("select address, balance, next_sequence from accounts").fetch_all(connection).await.unwrap();
    let read = |(address, balance, next_sequence): (Vec<u8>, i64, i64)| {
        let balance = Amount::new(balance.try_into().unwrap()).unwrap();
        let account = Account { balance, next_sequence: next_sequence.try_into().unwrap() };
        (Address::from_bytes(address.try_into().unwrap()), account)
    };
    rows.into_iter().map(read).collect()
}
