//! Requests of the owner that may come again: by the key that they carried, what came of them.

use sqlx::{SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32};

/// How many keys are remembered.
pub const KEPT: u32 = 100_000;

/// A request that carried a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The key.
    pub key: String,
    /// What tells this request from any other with the same key.
    pub request: [u8; 32],
    /// What came of it: the id of a transaction or of a mining job.
    pub subject: String,
    /// What was answered, as far as it does not follow from the subject; none until it was.
    pub answer: Option<String>,
}

/// Notes a request, and forgets the oldest if there are more than `kept`.
///
/// # Errors
/// When SQLite fails; also when the key is there already, which whoever calls has to look at before.
pub async fn insert(connection: &mut SqliteConnection, noted: &Noted, kept: u32) -> Result<(), StoreError> {
    let inserted = sqlx::query("insert into idempotency_keys (key, request, subject, answer) values (?, ?, ?, ?)")
        .bind(&noted.key)
        .bind(noted.request.as_slice())
        .bind(&noted.subject)
        .bind(&noted.answer)
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from idempotency_keys where id <= ?")
        .bind(inserted.last_insert_rowid() - i64::from(kept))
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes what was answered.
///
/// # Errors
/// When SQLite fails.
pub async fn answered(connection: &mut SqliteConnection, key: &str, answer: &str) -> Result<(), StoreError> {
    let update = sqlx::query("update idempotency_keys set answer = ? where key = ?").bind(answer).bind(key);
    update.execute(connection).await?;
    Ok(())
}

/// Forgets a key: nothing came of its request.
///
/// # Errors
/// When SQLite fails.
pub async fn forget(connection: &mut SqliteConnection, key: &str) -> Result<(), StoreError> {
    sqlx::query("delete from idempotency_keys where key = ?").bind(key).execute(connection).await?;
    Ok(())
}

/// What came of the request with this key.
///
/// # Errors
/// When SQLite fails or the row is damaged.
pub async fn get(executor: impl SqliteExecutor<'_>, key: &str) -> Result<Option<Noted>, StoreError> {
    let row: Option<(Vec<u8>, String, Option<String>)> =
        sqlx::query_as("select request, subject, answer from idempotency_keys where key = ?")
            .bind(key)
            .fetch_optional(executor)
            .await?;
    row.map(|(request, subject, answer)| {
        Ok(Noted { key: key.to_owned(), request: bytes32("a request's digest", &request)?, subject, answer })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::{Noted, answered, forget, get, insert};
    use crate::store;

    fn noted(number: u8) -> Noted {
        Noted { key: format!("key {number}"), request: [number; 32], subject: number.to_string(), answer: None }
    }

    #[tokio::test]
    async fn the_oldest_keys_are_forgotten_and_an_answer_is_kept_beside_its_key() {
        let directory = tempfile::TempDir::new().unwrap();
        let (mut writer, _readers) = store::open(&directory.path().join("peer.sqlite")).await.unwrap();
        for number in 1..=5 {
            insert(&mut writer, &noted(number), 3).await.unwrap();
        }
        for (number, kept) in [(1, false), (2, false), (3, true), (4, true), (5, true)] {
            let found = get(&mut writer, &noted(number).key).await.unwrap();
            assert_eq!(found, kept.then(|| noted(number)), "{number}");
        }
        answered(&mut writer, "key 4", "sent").await.unwrap();
        let expected = Noted { answer: Some(String::from("sent")), ..noted(4) };
        assert_eq!(get(&mut writer, "key 4").await.unwrap(), Some(expected));
        forget(&mut writer, "key 4").await.unwrap();
        assert_eq!(get(&mut writer, "key 4").await.unwrap(), None);
        assert_eq!(get(&mut writer, "key 5").await.unwrap(), Some(noted(5)));
        assert!(insert(&mut writer, &noted(5), 3).await.is_err(), "a key stands for one request");
    }
}
