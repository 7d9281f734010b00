//! What became of transactions, as far as it does not follow from ledger and blocks: who left the ledger without being
//! confirmed, and whose block lost. The newest [`KEPT`] are kept; accepting a transaction writes none.

use std::sync::Arc;

use raclette_chain::{
    codec,
    hash::{BlockHash, NetworkId, TransactionId},
    transaction::SignedTransaction,
};
use sqlx::{QueryBuilder, SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32, from_sql, parts, to_sql, undecodable};

/// How many events are kept.
pub const KEPT: i64 = 20_000;

/// What happened to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its block lost, and it went back into the ledger.
    Returned,
    /// Its block lost, and the winning branch holds it too.
    Moved,
    /// Another transaction with its sequence number and a higher fee took its place.
    Replaced,
    /// It had to make room for one that pays more.
    Evicted,
    /// It became too old, or its last valid height passed.
    Expired,
    /// A rule or a policy keeps it out.
    Refused,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Returned, Self::Moved, Self::Replaced, Self::Evicted, Self::Expired, Self::Refused];

    /// The name in the file.
    const fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Moved => "moved",
            Self::Replaced => "replaced",
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

/// The rule or policy that keeps a transaction out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Its code.
    pub rule: String,
    /// Both sides of the comparison, in words.
    pub detail: String,
}

/// The block that held a transaction and lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostBlock {
    /// The block.
    pub hash: BlockHash,
    /// When it had become active, in milliseconds since 1970; none if that was not noted.
    pub connected: Option<u64>,
    /// Since when the transaction had been pending before; none if it never was here.
    pub since: Option<u64>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The transaction.
    pub id: TransactionId,
    /// When it happened, in milliseconds since 1970.
    pub time: u64,
    /// What happened.
    pub kind: Kind,
    /// The block that lost, if one did.
    pub lost: Option<LostBlock>,
    /// Since when it had been pending, in milliseconds since 1970, if it left the ledger. It is read from the ledger's row
    /// when the event is written.
    pub since: Option<u64>,
    /// The transaction that took its place, if one did.
    pub other: Option<TransactionId>,
    /// What keeps it out, if something does.
    pub reason: Option<Reason>,
    /// The reorganisation that it belongs to, if it does.
    pub reorg: Option<i64>,
}

/// An event to be written, with the transaction itself if it is gone: it is nowhere else then.
pub type NewEvent = (Event, Option<Arc<SignedTransaction>>);

/// Writes events, before the ledger's rows are deleted, and forgets the oldest.
///
/// # Errors
/// When SQLite fails.
pub async fn insert(connection: &mut SqliteConnection, events: &[NewEvent]) -> Result<(), StoreError> {
    // What would be forgotten at once is not written.
    let kept = events.len().saturating_sub(usize::try_from(KEPT).unwrap_or(usize::MAX));
    for rows in parts(&events[kept..]) {
        let mut sql = QueryBuilder::new(
            "insert into transaction_events (txid, time, kind, block, connected, since, other, rule, detail, reorg, body) ",
        );
        sql.push_values(rows, |mut row, (event, transaction)| {
            row.push_bind(event.id.as_bytes().to_vec())
                .push_bind(to_sql(event.time))
                .push_bind(event.kind.name())
                .push_bind(event.lost.map(|lost| lost.hash.as_bytes().to_vec()))
                .push_bind(event.lost.and_then(|lost| lost.connected).map(to_sql));
            match event.lost {
                Some(lost) => row.push_bind(lost.since.map(to_sql)),
                None => row
                    .push("(select received from ledger where txid = ")
                    .push_bind_unseparated(event.id.as_bytes().to_vec())
                    .push_unseparated(")"),
            };
            row.push_bind(event.other.map(|other| other.as_bytes().to_vec()))
                .push_bind(event.reason.as_ref().map(|reason| reason.rule.clone()))
                .push_bind(event.reason.as_ref().map(|reason| reason.detail.clone()))
                .push_bind(event.reorg)
                .push_bind(transaction.as_ref().map(|transaction| codec::encode_transaction(transaction)));
        });
        sql.build().execute(&mut *connection).await?;
    }
    if !events.is_empty() {
        sqlx::query("delete from transaction_events where id <= (select max(id) from transaction_events) - ?")
            .bind(KEPT)
            .execute(connection)
            .await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    txid: Vec<u8>,
    time: i64,
    kind: String,
    block: Option<Vec<u8>>,
    connected: Option<i64>,
    since: Option<i64>,
    other: Option<Vec<u8>>,
    rule: Option<String>,
    detail: Option<String>,
    reorg: Option<i64>,
}

fn decode(row: Row) -> Result<Event, StoreError> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == row.kind);
    let since = row.since.map(from_sql).transpose()?;
    let connected = row.connected.map(from_sql).transpose()?;
    let hash = row.block.map(|block| bytes32("a block hash", &block).map(BlockHash::from_bytes)).transpose()?;
    let id = |bytes: &[u8]| bytes32("a transaction id", bytes).map(TransactionId::from_bytes);
    Ok(Event {
        id: id(&row.txid)?,
        time: from_sql(row.time)?,
        kind: kind.ok_or_else(|| StoreError::damaged("an event of a transaction", &row.kind))?,
        lost: hash.map(|hash| LostBlock { hash, connected, since }),
        since,
        other: row.other.as_deref().map(id).transpose()?,
        reason: row.rule.zip(row.detail).map(|(rule, detail)| Reason { rule, detail }),
        reorg: row.reorg,
    })
}

/// Reads the events of a transaction, in the order in which they happened.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn of_transaction(executor: impl SqliteExecutor<'_>, id: &TransactionId) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as("select * from transaction_events where txid = ? order by id")
        .bind(id.as_bytes().as_slice())
        .fetch_all(executor)
        .await?;
    rows.into_iter().map(decode).collect()
}

/// Reads the first events of a reorganisation that are of a kind.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn of_reorg(
    executor: impl SqliteExecutor<'_>,
    reorg: i64,
    kind: Kind,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<Row> =
        sqlx::query_as("select * from transaction_events where reorg = ? and kind = ? order by id limit ?")
            .bind(reorg)
            .bind(kind.name())
            .bind(limit)
            .fetch_all(executor)
            .await?;
    rows.into_iter().map(decode).collect()
}

/// Reads a transaction that is gone.
///
/// # Errors
/// When SQLite fails or the row is damaged.
pub async fn gone(
    executor: impl SqliteExecutor<'_>,
    network: &NetworkId,
    id: &TransactionId,
) -> Result<Option<Arc<SignedTransaction>>, StoreError> {
    let body: Option<Vec<u8>> = sqlx::query_scalar(
        "select body from transaction_events where txid = ? and body is not null order by id desc limit 1",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_optional(executor)
    .await?;
    body.map(|body| codec::decode_transaction(&body, network).map(Arc::new).map_err(|error| undecodable(&error)))
        .transpose()
}
