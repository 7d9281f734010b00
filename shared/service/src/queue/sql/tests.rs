//! The statements against a real SQLite.

use std::time::Duration;

use proptest::prelude::*;
use raclette_chain::{address::Address, time::Timestamp};
use sqlx::{Connection as _, SqliteConnection};

use super::*;
use crate::queue::QueueChange;

async fn table() -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await.unwrap();
    sqlx::raw_sql(depth::INDEX).execute(&mut connection).await.unwrap();
    sqlx::raw_sql(SCHEMA_2).execute(&mut connection).await.unwrap();
    connection
}

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::new(milliseconds).unwrap()
}

fn address(byte: u8) -> Address {
    Address::from_bytes([byte; 32])
}

fn request(destination: u8, subject: &str, version: u64) -> QueuedRequest {
    QueuedRequest {
        destination: address(destination),
        destination_name: format!("peer-{destination}"),
        url: format!("http://127.0.0.1:{}", 7700 + u16::from(destination)),
        path: String::from("/peers"),
        kind: String::from("notice"),
        subject: subject.to_owned(),
        version,
        body: format!("{{\"version\":{version}}}").into_bytes(),
        expires_at: None,
    }
}

async fn put_now(connection: &mut SqliteConnection, request: &QueuedRequest, now: u64) {
    QueueChange::put(request.clone(), at(now)).apply(connection).await.unwrap();
}

async fn all(connection: &mut SqliteConnection) -> Vec<crate::queue::Row> {
    page(connection, &Filter::default(), 0, 1_000).await.unwrap().rows
}

#[tokio::test]
async fn depths_tell_what_waits_for_whom_and_since_when_without_reading_a_row() {
    let mut connection = table().await;
    assert_eq!(depths(&mut connection).await.unwrap(), []);
    for (destination, subject, now) in [(2, "a", 70), (1, "b", 50), (1, "c", 40), (1, "d", 90)] {
        put_now(&mut connection, &request(destination, subject, 1), now).await;
    }
    // The oldest is replaced by a newer version, which has not waited for as long; another is refused for good.
    put_now(&mut connection, &request(1, "c", 2), 95).await;
    let dead = all(&mut connection).await.into_iter().find(|row| row.request.subject == "d").unwrap().id;
    bury(&mut connection, dead, 1, "422").await.unwrap();
    let found = depths(&mut connection).await.unwrap();
    let expected = |destination: u8, waiting, dead, oldest| Depth {
        destination: address(destination),
        name: format!("peer-{destination}"),
        waiting,
        dead,
        oldest: Some(at(oldest)),
    };
    let mut sorted = vec![expected(1, 2, 1, 50), expected(2, 1, 0, 70)];
    sorted.sort_by_key(|depth| depth.destination.to_string());
    assert_eq!(found, sorted);
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "explain query plan select destination, max(destination_name), count(*) filter (where dead = 0), \
            min(created_at) filter (where dead = 0) \
        from failed_requests indexed by failed_requests_depth group by destination",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(plan.iter().all(|(.., step)| step.contains("COVERING INDEX")), "{plan:?}");
}

#[tokio::test]
async fn what_is_put_comes_back_whole() {
    let mut connection = table().await;
    let request = QueuedRequest { expires_at: Some(at(900)), ..request(1, "alice", 7) };
    put(&mut connection, &request, at(5), at(50), Some("connection refused")).await.unwrap();
    let row = all(&mut connection).await.remove(0);
    assert_eq!(row.request, request);
    assert_eq!((row.attempts, row.next_at, row.created_at, row.dead), (1, at(50), at(5), false));
    assert_eq!(row.last_error.as_deref(), Some("connection refused"));
    assert_eq!(find(&mut connection, row.id).await.unwrap(), Some(row));
    assert_eq!(find(&mut connection, 99).await.unwrap(), None);
}

#[tokio::test]
async fn an_older_version_is_ignored_and_a_newer_one_takes_the_row() {
    let mut connection = table().await;
    put_now(&mut connection, &request(1, "alice", 7), 0).await;
    for older in [6, 7] {
        put_now(&mut connection, &request(1, "alice", older), 1).await;
    }
    assert_eq!(all(&mut connection).await[0].created_at, at(0));
    let id = all(&mut connection).await[0].id;
    postpone(&mut connection, id, 7, "no answer", at(99)).await.unwrap();
    put_now(&mut connection, &request(1, "alice", 8), 2).await;
    let rows = all(&mut connection).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].id, rows[0].request.version, rows[0].attempts, rows[0].next_at), (id, 8, 0, at(2)));
    assert_eq!(rows[0].last_error, None);
}

#[tokio::test]
async fn success_deletes_only_the_version_it_sent() {
    let mut connection = table().await;
    put_now(&mut connection, &request(1, "alice", 7), 0).await;
    let id = all(&mut connection).await[0].id;
    put_now(&mut connection, &request(1, "alice", 8), 1).await;
    assert_eq!(finish(&mut connection, id, 7).await.unwrap(), 0);
    assert_eq!(bury(&mut connection, id, 7, "refused").await.unwrap(), 0);
    assert_eq!(postpone(&mut connection, id, 7, "no answer", at(99)).await.unwrap(), 0);
    let row = all(&mut connection).await.remove(0);
    assert_eq!((row.request.version, row.dead, row.attempts), (8, false, 0));
    assert_eq!(finish(&mut connection, id, 8).await.unwrap(), 1);
    assert!(all(&mut connection).await.is_empty());
}

#[tokio::test]
async fn the_id_of_a_deleted_row_is_never_used_again() {
    let mut connection = table().await;
    put_now(&mut connection, &request(1, "alice", 1), 0).await;
    let id = all(&mut connection).await[0].id;
    discard(&mut connection, id).await.unwrap();
    put_now(&mut connection, &request(2, "bob", 1), 0).await;
    finish(&mut connection, id, 1).await.unwrap();
    assert_eq!(all(&mut connection).await.len(), 1, "the outcome of the discarded row must not hit the new one");
}

#[tokio::test]
async fn a_direct_success_deletes_what_it_supersedes() {
    let mut connection = table().await;
    put_now(&mut connection, &request(1, "alice", 7), 0).await;
    let to = address(1);
    assert_eq!(supersede(&mut connection, &to, "notice", "alice", 6).await.unwrap(), 0);
    assert_eq!(supersede(&mut connection, &to, "notice", "alice", 8).await.unwrap(), 1);
}

#[tokio::test]
async fn one_row_per_destination_is_due_the_oldest_first() {
    let mut connection = table().await;
    for (destination, subject, now) in [(1, "a", 30), (1, "b", 10), (2, "a", 20), (2, "b", 21), (3, "a", 99)] {
        put_now(&mut connection, &request(destination, subject, 1), now).await;
    }
    let picked = |rows: Vec<crate::queue::Row>| -> Vec<_> {
        rows.into_iter().map(|row| (row.request.destination, row.request.subject)).collect()
    };
    let rows = due(&mut connection, at(50), 10, &[]).await.unwrap();
    assert_eq!(picked(rows), [(address(1), String::from("b")), (address(2), String::from("a"))]);
    let rows = due(&mut connection, at(50), 10, &[address(1)]).await.unwrap();
    assert_eq!(picked(rows), [(address(2), String::from("a"))]);
    assert_eq!(due(&mut connection, at(50), 1, &[]).await.unwrap().len(), 1);
    assert_eq!(next_due(&mut connection, &[]).await.unwrap(), Some(at(10)));
    assert_eq!(next_due(&mut connection, &[address(1), address(2)]).await.unwrap(), Some(at(99)));
    assert_eq!(next_due(&mut connection, &[address(1), address(2), address(3)]).await.unwrap(), None);
}

#[tokio::test]
async fn rows_wake_when_their_destination_returns() {
    let mut connection = table().await;
    put(&mut connection, &request(1, "a", 1), at(0), at(60_000), Some("no answer")).await.unwrap();
    put(&mut connection, &request(2, "a", 1), at(0), at(60_000), Some("no answer")).await.unwrap();
    wake(&mut connection, &address(1), Some("http://127.0.0.1:9999"), at(100)).await.unwrap();
    let rows = due(&mut connection, at(100), 10, &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].request.url, "http://127.0.0.1:9999");
}

#[tokio::test]
async fn a_dead_letter_is_not_due_until_somebody_retries_it_or_a_newer_version_comes() {
    let mut connection = table().await;
    put_now(&mut connection, &request(1, "a", 1), 0).await;
    let id = all(&mut connection).await[0].id;
    bury(&mut connection, id, 1, "bad signature").await.unwrap();
    wake(&mut connection, &address(1), None, at(1)).await.unwrap();
    assert!(due(&mut connection, at(9), 10, &[]).await.unwrap().is_empty());
    assert_eq!(next_due(&mut connection, &[]).await.unwrap(), None);
    assert_eq!(counts(&mut connection).await.unwrap(), Counts { waiting: 0, dead: 1 });
    retry(&mut connection, id, at(2)).await.unwrap();
    assert_eq!(due(&mut connection, at(9), 10, &[]).await.unwrap().len(), 1);
    bury(&mut connection, id, 1, "bad signature").await.unwrap();
    put_now(&mut connection, &request(1, "a", 2), 3).await;
    assert_eq!(counts(&mut connection).await.unwrap(), Counts { waiting: 1, dead: 0 });
}

#[tokio::test]
async fn a_clock_that_jumped_does_not_freeze_the_queue() {
    let mut connection = table().await;
    put_now(&mut connection, &request(1, "a", 1), 1 << 50).await;
    put_now(&mut connection, &request(2, "a", 1), 3).await;
    clamp_at_start(&mut connection, at(1_000), Duration::from_secs(60)).await.unwrap();
    let times: Vec<_> = all(&mut connection).await.iter().map(|row| row.next_at).collect();
    assert_eq!(times, [at(61_000), at(3)]);
}

#[tokio::test]
async fn only_rows_that_may_expire_expire_or_are_trimmed() {
    let mut connection = table().await;
    let expiring = |subject: &str, time| QueuedRequest { expires_at: Some(at(time)), ..request(1, subject, 1) };
    put_now(&mut connection, &request(1, "for ever", 1), 0).await;
    for (subject, expires_at) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
        put_now(&mut connection, &expiring(subject, expires_at), expires_at).await;
    }
    assert_eq!(expire(&mut connection, at(10)).await.unwrap(), 1);
    assert_eq!(trim(&mut connection, 2).await.unwrap(), 1);
    let left: Vec<_> = all(&mut connection).await.into_iter().map(|row| row.request.subject).collect();
    assert_eq!(left, ["for ever", "c", "d"]);
    assert_eq!(remove_destination(&mut connection, &address(1)).await.unwrap(), 3);
}

#[tokio::test]
async fn the_list_is_paged_and_filtered() {
    let mut connection = table().await;
    for destination in [1, 2, 1, 2, 1] {
        let subject = all(&mut connection).await.len().to_string();
        put_now(&mut connection, &request(destination, &subject, 1), 0).await;
    }
    let filter = Filter { destination: Some(address(1)), state: Some(StateFilter::Waiting), kind: None };
    let first = page(&mut connection, &filter, 0, 2).await.unwrap();
    assert_eq!(first.rows.len(), 2);
    let second = page(&mut connection, &filter, first.next_cursor.unwrap(), 2).await.unwrap();
    assert_eq!((second.rows.len(), second.next_cursor), (1, None));
    let dead = Filter { state: Some(StateFilter::Dead), ..Filter::default() };
    assert!(page(&mut connection, &dead, 0, 9).await.unwrap().rows.is_empty());
    let other_kind = Filter { kind: Some(String::from("block")), ..Filter::default() };
    assert!(page(&mut connection, &other_kind, 0, 9).await.unwrap().rows.is_empty());
    let sending = Filter { state: Some(StateFilter::Sending(vec![2, 4, 99])), ..Filter::default() };
    let ids: Vec<_> = page(&mut connection, &sending, 0, 9).await.unwrap().rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [2, 4]);
}

#[tokio::test]
async fn something_newer_outdates_what_is_older_of_its_kind_for_the_same_destination() {
    let mut connection = table().await;
    for (destination, subject, version) in [(1, "a", 1), (1, "b", 2), (1, "c", 3), (2, "a", 1)] {
        put_now(&mut connection, &request(destination, subject, version), 0).await;
    }
    let other = QueuedRequest { kind: String::from("word"), ..request(1, "a", 1) };
    put_now(&mut connection, &other, 0).await;
    assert_eq!(outdate(&mut connection, &address(1), "notice", 3).await.unwrap(), 2);
    let left: Vec<_> = all(&mut connection).await.into_iter().map(|row| row.request.subject).collect();
    assert_eq!(left, ["c", "a", "a"]);
}

#[tokio::test]
async fn what_is_settled_waits_for_nobody() {
    let mut connection = table().await;
    for (destination, subject) in [(1, "a"), (2, "a"), (1, "b"), (2, "c")] {
        put_now(&mut connection, &request(destination, subject, 1), 0).await;
    }
    let both = [String::from("a"), String::from("c")];
    assert_eq!(settle(&mut connection, "other", &both).await.unwrap(), 0);
    assert_eq!(about(&mut connection, &["other", "notice"], "a").await.unwrap().len(), 2);
    assert_eq!(settle(&mut connection, "notice", &both).await.unwrap(), 3);
    assert_eq!(all(&mut connection).await[0].request.subject, "b");
    assert!(about(&mut connection, &["notice"], "a").await.unwrap().is_empty());
}

#[tokio::test]
async fn each_destination_is_summed_up() {
    let mut connection = table().await;
    for (destination, subject, now) in [(2, "a", 7), (1, "a", 5), (2, "b", 9)] {
        put_now(&mut connection, &request(destination, subject, 1), now).await;
    }
    postpone(&mut connection, 3, 1, "connection refused", at(50)).await.unwrap();
    bury(&mut connection, 2, 1, "422").await.unwrap();
    let all = destinations(&mut connection, None, 9).await.unwrap();
    let names: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.counts, one.attempts)).collect();
    let count = |waiting, dead| Counts { waiting, dead };
    let mut expected = [("peer-1", count(0, 1), 1), ("peer-2", count(2, 0), 1)];
    expected.sort_by_key(|(name, ..)| if *name == "peer-1" { address(1).to_string() } else { address(2).to_string() });
    assert_eq!(names, expected);
    let second = all.iter().find(|one| one.name == "peer-2").unwrap();
    assert_eq!((second.oldest, second.next_at), (at(7), Some(at(7))));
    assert_eq!(second.last_error.as_deref(), Some("connection refused"));
    assert_eq!(all.iter().find(|one| one.name == "peer-1").unwrap().next_at, None);
    let behind = destinations(&mut connection, Some(&all[0].destination), 9).await.unwrap();
    assert_eq!(behind, all[1..]);
}

#[tokio::test]
async fn a_long_error_is_cut() {
    let mut connection = table().await;
    put(&mut connection, &request(1, "a", 1), at(0), at(0), Some(&"ä".repeat(10_000))).await.unwrap();
    assert_eq!(all(&mut connection).await[0].last_error.as_ref().unwrap().chars().count(), LONGEST_ERROR);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However puts, outcomes and refusals interleave, the row holds the greatest version put so far unless that very
    /// version was delivered.
    #[test]
    fn the_newest_version_is_kept_until_it_is_delivered(
        steps in proptest::collection::vec((0..3_u8, 1..6_u64), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = table().await;
            let mut waiting: Option<u64> = None;
            let mut ids = Vec::new();
            for (step, version) in steps {
                let id = all(&mut connection).await.first().map(|row| row.id);
                ids.extend(id);
                match (step, id) {
                    (0, _) => {
                        put_now(&mut connection, &request(1, "alice", version), 0).await;
                        waiting = Some(waiting.map_or(version, |old| old.max(version)));
                    }
                    (1, Some(id)) => {
                        finish(&mut connection, id, version).await.unwrap();
                        waiting = waiting.filter(|held| *held != version);
                    }
                    // An outcome of a row that is long gone.
                    (1, None) => {
                        let id = ids.last().copied().unwrap_or(1);
                        finish(&mut connection, id, version).await.unwrap();
                    }
                    (_, Some(id)) => {
                        bury(&mut connection, id, version, "refused").await.unwrap();
                    }
                    (_, None) => {}
                }
                let held: Vec<_> = all(&mut connection).await.iter().map(|row| row.request.version).collect();
                assert_eq!(held, waiting.into_iter().collect::<Vec<_>>());
            }
        });
    }
}
