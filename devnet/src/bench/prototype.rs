//! The barest program that does what a peer promises: it decodes, verifies, commits and answers, and nothing else.
//!
//! It has no ledger, no rules and no layers, and is what a peer's `POST /tx` is held against. It serves a bare echo too.

use std::{net::SocketAddr, path::Path, thread};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::{get, post},
};
use raclette_api::transaction::TransactionMessage;
use raclette_chain::{codec, hash::NetworkId};
use sqlx::{
    ConnectOptions as _, Connection as _, QueryBuilder, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Failure;

/// How many rows share a commit at most.
const BATCH: usize = 256;

/// A row of the size that a transaction has.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// A SQLite file with one table; everybody who waits shares the next commit.
#[derive(Debug, Clone)]
pub(super) struct Store(mpsc::Sender<(Row, oneshot::Sender<Result<(), String>>)>);

impl Store {
    /// Makes the file.
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        sqlx::raw_sql(
            "create table ledger (id integer primary key, txid blob not null, body blob not null) strict;
             create unique index ledger_txid on ledger (txid);",
        )
        .execute(&mut connection)
        .await?;
        let (sender, receiver) = mpsc::channel(4 * BATCH);
        tokio::spawn(commit_together(connection, receiver));
        Ok(Self(sender))
    }

    /// Stores a row, and returns when it is committed.
    pub(super) async fn keep(&self, row: Row) -> Result<(), Failure> {
        let (answer, answered) = oneshot::channel();
        self.0.send((row, answer)).await.map_err(|_| "the store has ended")?;
        Ok(answered.await??)
    }
}

async fn commit_together(
    mut connection: SqliteConnection,
    mut waiting: mpsc::Receiver<(Row, oneshot::Sender<Result<(), String>>)>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (rows, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let committed = insert(&mut connection, rows).await.map_err(|error| error.to_string());
        for answer in answers {
            // Whoever asked may have gone away.
            drop(answer.send(committed.clone()));
        }
    }
}

async fn insert(connection: &mut SqliteConnection, mut rows: Vec<Row>) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    // Powers of two, so that few statements have to be prepared.
    while !rows.is_empty() {
        let part = rows.split_off(rows.len() - (1 << rows.len().ilog2()));
        let mut sql = QueryBuilder::new("insert into ledger (txid, body) ");
        sql.push_values(part, |mut values, row| {
            values.push_bind(row.id).push_bind(row.body);
        });
        sql.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// The program, on a runtime of its own until it is dropped.
#[derive(Debug)]
pub(super) struct Prototype {
    socket: SocketAddr,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

#[derive(Debug, Clone)]
struct Parts {
    network: NetworkId,
    store: Store,
}

impl Prototype {
    /// Starts it.
    pub(super) fn start(under: &Path, network: NetworkId) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("raclette-bench-").tempdir_in(under)?;
        let path = directory.path().join("bare.sqlite");
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let socket = listener.local_addr()?;
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let stopped = stop.clone();
        let serve = async move {
            let store = Store::open(&path).await?;
            let router = Router::new()
                .route("/echo", post(echo))
                .route("/small", get(small))
                .route("/tx", post(take))
                .layer(DefaultBodyLimit::disable())
                .with_state(Parts { network, store });
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await?;
            Ok::<_, Failure>(())
        };
        let thread = thread::spawn(move || {
            if let Err(error) = runtime.block_on(serve) {
                crate::terminal::complain(format!("the prototype failed: {error}"));
            }
            runtime.shutdown_background();
        });
        Ok(Self { socket, stop, thread: Some(thread), _directory: directory })
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> SocketAddr {
        self.socket
    }
}

impl Drop for Prototype {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic in it has been shown already.
            drop(thread.join());
        }
    }
}

async fn small() -> Json<&'static str> {
    Json("Is there any cheese left?")
}

async fn echo(Json(message): Json<TransactionMessage>) -> (StatusCode, Json<TransactionMessage>) {
    (StatusCode::CREATED, Json(message))
}

async fn take(State(parts): State<Parts>, Json(message): Json<TransactionMessage>) -> Result<StatusCode, StatusCode> {
    let network = parts.network;
    let work = move || {
        let (signed, _) = message.decode(&network).map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
        signed.verify(&network).map_err(|_| StatusCode::FORBIDDEN)?;
        let row = Row { id: signed.id().as_bytes().to_vec(), body: codec::encode_transaction(&signed) };
        Ok::<_, StatusCode>(row)
    };
    let row = tokio::task::spawn_blocking(work).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)??;
    parts.store.keep(row).await.map_err(|_| StatusCode::INSUFFICIENT_STORAGE)?;
    Ok(StatusCode::CREATED)
}
