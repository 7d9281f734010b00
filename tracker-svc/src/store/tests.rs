//! The store after failures that no test from outside can bring about at will.

use raclette_chain::{address::Address, time::Timestamp};
use raclette_service::queue::{Filter, QueueChange, QueueHandle, QueuedRequest};

use super::Store;

fn put(subject: &str) -> QueueChange {
    let request = QueuedRequest {
        destination: Address::from_bytes([1; 32]),
        destination_name: String::from("alice"),
        url: String::from("http://127.0.0.1:7701"),
        path: String::from("/peers"),
        kind: String::from("notice"),
        subject: subject.to_owned(),
        version: 1,
        body: b"{}".to_vec(),
        expires_at: None,
    };
    QueueChange::put(request, Timestamp::new(1).unwrap())
}

async fn subjects(store: &Store) -> Vec<String> {
    let page = store.queue_page(&Filter::default(), 0, 9, &QueueHandle::new()).await.unwrap();
    page.entries.into_iter().map(|entry| entry.subject).collect()
}

/// When the disk is full, SQLite may end a transaction by itself. sqlx goes on counting it as open, and that connection can
/// never begin another one.
#[tokio::test]
async fn a_connection_whose_transaction_sqlite_has_ended_by_itself_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("tracker.sqlite")).await.unwrap();
    store.change_queue(&put("before")).await.unwrap();

    let mut writing = store.begin().await.unwrap();
    put("lost").apply(&mut writing).await.unwrap();
    sqlx::raw_sql("create temp table of_this_connection (x)").execute(&mut *writing).await.unwrap();
    sqlx::raw_sql("rollback").execute(&mut *writing).await.unwrap();
    assert!(writing.commit().await.is_err(), "there is no transaction any more");

    store.change_queue(&put("after")).await.unwrap();
    assert_eq!(subjects(&store).await, ["before", "after"]);
    // It goes on like that, and on another connection.
    store.change_queue(&put("later")).await.unwrap();
    let mut writing = store.begin().await.unwrap();
    assert!(sqlx::raw_sql("select * from of_this_connection").execute(&mut *writing).await.is_err());
    writing.commit().await.unwrap();
    store.close().await;
}
