//! Reading what can still be read of a damaged file. Nothing of it is trusted: whoever uses it checks it anew.

use std::path::Path;

use futures_util::TryStreamExt as _;
use raclette_api::membership::PeerRecord;
use raclette_chain::{
    address::Address,
    block::{Block, Unchecked},
    codec,
    genesis::Genesis,
    hash::{NetworkId, TransactionId},
    header::Header,
    message::SealedMessage,
    time::Timestamp,
    transaction::SignedTransaction,
};
use raclette_service::queue::QueuedRequest;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, FromRow, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{idempotency::Noted, mail::Item};

/// What was read.
#[derive(Debug, Default)]
pub struct Salvage {
    /// The network's genesis block.
    pub genesis: Option<Genesis>,
    /// Single values, by key.
    pub values: Vec<(String, String)>,
    /// Other members.
    pub members: Vec<PeerRecord>,
    /// Pending transactions, in the order in which they came.
    pub pending: Vec<SignedTransaction>,
    /// The owner's transactions that are to be offered again.
    pub waiting: Vec<SignedTransaction>,
    /// Sealed messages.
    pub messages: Vec<SealedMessage>,
    /// What the owner sent and received, the oldest first.
    pub mail: Vec<Item>,
    /// The owner's requests that may come again.
    pub keys: Vec<Noted>,
    /// Requests that wait for their destination.
    pub requests: Vec<QueuedRequest>,
}

/// The blocks of a damaged file, of all branches, the lowest first. Only their places are in memory.
#[derive(Debug)]
pub struct Blocks {
    from: SqliteConnection,
    network: NetworkId,
    headers: std::vec::IntoIter<(i64, Header)>,
}

impl Blocks {
    /// Reads the next one that can be read.
    pub async fn next(&mut self) -> Option<Block<Unchecked>> {
        for (place, header) in self.headers.by_ref() {
            let select = sqlx::query_scalar("select body from blocks where id = ?").bind(place);
            match select.fetch_optional(&mut self.from).await {
                Ok(Some::<Vec<u8>>(body)) => match codec::decode_body(header, &body, &self.network) {
                    Ok(block) => return Some(block),
                    Err(error) => tracing::warn!(height = header.height, %error, "a block is damaged"),
                },
                Ok(None) => tracing::warn!(height = header.height, "a block is damaged"),
                Err(error) => tracing::warn!(height = header.height, %error, "a block cannot be read"),
            }
        }
        None
    }

    /// Closes the file.
    pub async fn close(self) {
        close(self.from).await;
    }
}

/// Waits until the file is closed: it may be moved then.
async fn close(from: SqliteConnection) {
    if let Err(error) = from.close().await {
        tracing::warn!(%error, "the damaged file cannot be closed in order");
    }
}

/// Reads all that can be read; the blocks one after the other, if it is known which network they belong to.
pub async fn read(path: &Path) -> (Salvage, Option<Blocks>) {
    let mut salvage = Salvage::default();
    let opened = SqliteConnectOptions::new().filename(path).connect().await;
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(%error, "nothing of the damaged file can be read");
            return (salvage, None);
        }
    };
    let from = &mut connection;
    let values: Vec<(String, Vec<u8>)> = rows(from, "meta", "key, value").await;
    salvage.values =
        values.into_iter().filter_map(|(key, value)| Some((key, String::from_utf8(value).ok()?))).collect();
    salvage.genesis = salvage
        .values
        .iter()
        .find(|(key, _)| key == super::meta::key::GENESIS)
        .and_then(|(_, json)| serde_json::from_str::<raclette_api::network::GenesisMessage>(json).ok())
        .and_then(|message| Genesis::try_from(&message).ok());
    let members: Vec<(String,)> = rows(from, "peers", "record").await;
    salvage.members = members.iter().filter_map(|(record,)| serde_json::from_str(record).ok()).collect();
    salvage.requests = requests(from).await;
    salvage.keys = keys(from).await;
    let messages: Vec<(Vec<u8>,)> = rows(from, "messages", "sealed").await;
    salvage.messages = messages.iter().filter_map(|(sealed,)| codec::decode_message(sealed).ok()).collect();
    let headers = headers(from).await;
    // One that has changed may still be a genesis block, but not the one that the first blocks name.
    salvage.genesis = salvage.genesis.filter(|genesis| {
        let (first, hash) = (|header: &Header| header.height == 1, genesis.header().hash());
        headers.is_empty() || headers.iter().any(|(_, header)| first(header) && header.previous == hash)
    });
    if let Some(network) = salvage.genesis.as_ref().map(Genesis::network) {
        let pending: Vec<(Vec<u8>,)> = rows(from, "ledger", "body").await;
        salvage.pending = pending.iter().filter_map(|(body,)| codec::decode_transaction(body, &network).ok()).collect();
        let waiting: Vec<(Vec<u8>,)> = rows(from, "waiting", "body").await;
        let sound = |(body,): &(Vec<u8>,)| {
            codec::decode_transaction(body, &network).ok().filter(|transaction| transaction.verify(&network).is_ok())
        };
        salvage.waiting = waiting.iter().filter_map(sound).collect();
        salvage.mail = mail(from, &network).await;
        (salvage, Some(Blocks { from: connection, network, headers: headers.into_iter() }))
    } else {
        close(connection).await;
        (salvage, None)
    }
}

async fn headers(from: &mut SqliteConnection) -> Vec<(i64, Header)> {
    let stored: Vec<(i64, Vec<u8>)> = rows(from, "blocks", "id, header").await;
    let decode = |(place, header): (i64, Vec<u8>)| Some((place, codec::decode_header(&header).ok()?));
    let mut headers: Vec<_> = stored.into_iter().filter_map(decode).collect();
    headers.sort_by_key(|(_, header)| header.height);
    headers
}

async fn mail(from: &mut SqliteConnection, network: &NetworkId) -> Vec<Item> {
    type Row = (i64, Vec<u8>, bool, i64, Option<i64>, Option<Vec<u8>>);
    // Receipts are asked for anew: the recipients' peers give them again.
    let stored: Vec<Row> = rows(from, "mail", "id, body, sent, received, delivered, replaced_by").await;
    let decode = |(id, body, sent, received, delivered, replaced_by): Row| {
        let transaction = codec::decode_transaction(&body, network).ok()?;
        // Whether the signature holds says whether the transaction is the one that was stored.
        transaction.verify(network).ok()?;
        let (received, delivered) = (u64::try_from(received).ok()?, delivered.and_then(|when| when.try_into().ok()));
        let replaced_by = replaced_by.and_then(|id| id.try_into().ok()).map(TransactionId::from_bytes);
        Some(Item { id, transaction: transaction.into(), sent, received, delivered, replaced_by, receipt: None })
    };
    stored.into_iter().filter_map(decode).collect()
}

async fn keys(from: &mut SqliteConnection) -> Vec<Noted> {
    type Row = (String, Vec<u8>, String, Option<String>);
    let stored: Vec<Row> = rows(from, "idempotency_keys", "key, request, subject, answer").await;
    let decode =
        |(key, request, subject, answer): Row| Some(Noted { key, request: request.try_into().ok()?, subject, answer });
    stored.into_iter().filter_map(decode).collect()
}

async fn requests(from: &mut SqliteConnection) -> Vec<QueuedRequest> {
    type Row = (String, String, String, String, String, String, i64, Vec<u8>, Option<i64>);
    let columns = "destination, destination_name, url, path, kind, subject, version, body, expires_at";
    let stored: Vec<Row> = rows(from, "failed_requests", columns).await;
    let decode = |(destination, destination_name, url, path, kind, subject, version, body, expires_at): Row| {
        // A body that has changed would be refused by its recipient for good.
        serde_json::from_slice::<serde::de::IgnoredAny>(&body).ok()?;
        Some(QueuedRequest {
            destination: destination.parse::<Address>().ok()?,
            destination_name,
            url,
            path,
            kind,
            subject,
            version: version.try_into().ok()?,
            body,
            expires_at: expires_at.and_then(|at| Timestamp::new(at.try_into().ok()?).ok()),
        })
    };
    stored.into_iter().filter_map(decode).collect()
}

/// Reads the rows of a table from its beginning to where it is damaged, and from its end down to there.
async fn rows<T>(from: &mut SqliteConnection, table: &str, columns: &str) -> Vec<T>
where
    T: for<'row> FromRow<'row, SqliteRow> + Send + Unpin,
{
    let mut read = Vec::new();
    let mut last = i64::MIN;
    let up = format!("select {columns}, rowid as place from {table} order by rowid");
    if let Err(error) = take(from, up, &mut read, &mut last).await {
        tracing::warn!(table, rows = read.len(), %error, "the table is damaged");
        let mut rest = Vec::new();
        let down = format!("select {columns}, rowid as place from {table} where rowid > {last} order by rowid desc");
        let mut lowest = i64::MAX;
        if let Err(error) = take(from, down, &mut rest, &mut lowest).await {
            tracing::warn!(table, rows = rest.len(), %error, "from its end it is damaged, too");
        }
        read.extend(rest.into_iter().rev());
    }
    read
}

async fn take<T>(from: &mut SqliteConnection, sql: String, into: &mut Vec<T>, last: &mut i64) -> Result<(), sqlx::Error>
where
    T: for<'row> FromRow<'row, SqliteRow> + Send + Unpin,
{
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(from);
    while let Some(row) = rows.try_next().await? {
        *last = sqlx::Row::try_get(&row, "place")?;
        if let Ok(decoded) = T::from_row(&row) {
            into.push(decoded);
        }
    }
    Ok(())
}
