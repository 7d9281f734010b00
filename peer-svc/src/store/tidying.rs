//! What has to be done to the file now and then, and never while somebody waits for an answer: transactions of new blocks go
//! into the index (`places::merge`), and the write-ahead log goes into the file.
//!
//! SQLite by itself copies the log into the file in the commit that brings it to 1,000 pages; this syncs both, which takes
//! many times as long as the commit.

use raclette_service::crash_point::crash_point;
use sqlx::SqliteConnection;

use super::{StoreError, begin, commit, places, roll_back};

/// How many pages the write-ahead log has at least when it is copied in a pause; as SQLite's own threshold.
const USUAL_PAGES: i64 = 1_000;
/// From how many pages on the log is copied although there is no pause: 32 MiB.
const MOST_PAGES: i64 = 8_192;
/// From how many transactions on they go into the index although there is no pause. Until then, looking for an id that is not
/// in the index walks through them.
const MOST_RECENT: i64 = 8_192;
/// How many commits in a row without a pause there are between two looks.
const LOOK: u32 = 16;

/// Decides when what is done.
#[derive(Debug)]
pub struct Tidying {
    /// How many commits there have been since the last look, and since the last pause.
    commits: u32,
    is_due: bool,
}

impl Tidying {
    /// Takes over from SQLite on this connection.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn take_over(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        sqlx::query("pragma wal_autocheckpoint = 0").execute(connection).await?;
        Ok(Self { commits: 0, is_due: true })
    }

    /// Whether there may be something to do in the next pause.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// To be called after each commit, when everybody has got an answer: does what cannot wait for a pause.
    ///
    /// # Errors
    /// When SQLite fails; nothing is lost then, and the next call tries again.
    pub async fn committed(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        self.is_due = true;
        self.commits += 1;
        if self.commits < LOOK {
            return Ok(());
        }
        self.commits = 0;
        if places::recent(connection).await? >= MOST_RECENT {
            merge(connection).await?;
        }
        checkpoint(connection, MOST_PAGES).await
    }

    /// To be called in a pause: does all there is.
    ///
    /// # Errors
    /// When SQLite fails; nothing is lost then, and it is due again after the next commit.
    pub async fn pause(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        self.is_due = false;
        self.commits = 0;
        if places::recent(connection).await? > 0 {
            merge(connection).await?;
        }
        checkpoint(connection, USUAL_PAGES).await
    }
}

async fn merge(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    begin(connection).await?;
    let merged = match places::merge(connection).await {
        Ok(()) => {
            crash_point("commit", "merged");
            commit(connection).await
        }
        Err(error) => Err(error),
    };
    if merged.is_err() {
        roll_back(connection).await;
    }
    merged
}

/// Copies the log into the file if it has so many pages that are not there. Readers go on meanwhile; what they still need of
/// the log stays for the next time.
async fn checkpoint(connection: &mut SqliteConnection, from: i64) -> Result<(), StoreError> {
    if uncopied(connection).await? >= from {
        sqlx::query("pragma wal_checkpoint(passive)").execute(connection).await?;
    }
    Ok(())
}

/// How many pages of the log are not in the file.
async fn uncopied(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let (_, pages, copied): (i64, i64, i64) =
        sqlx::query_as("pragma wal_checkpoint(noop)").fetch_one(connection).await?;
    Ok(pages - copied)
}

#[cfg(test)]
mod tests {
    use sqlx::SqliteConnection;
    use tempfile::TempDir;

    use super::{LOOK, MOST_PAGES, MOST_RECENT, Tidying, USUAL_PAGES, places, uncopied};
    use crate::store;

    /// An empty file that is opened to be written.
    async fn file() -> (TempDir, SqliteConnection, Tidying) {
        let directory = TempDir::new().unwrap();
        let (mut writer, readers) = store::open(&directory.path().join("peer.sqlite")).await.unwrap();
        readers.close().await;
        let tidying = Tidying::take_over(&mut writer).await.unwrap();
        (directory, writer, tidying)
    }

    /// A commit of at least this many pages.
    async fn fill(connection: &mut SqliteConnection, pages: i64) {
        let insert = sqlx::query("insert into meta (key, value) values (hex(randomblob(16)), randomblob(? * 4096))");
        insert.bind(pages).execute(connection).await.unwrap();
    }

    /// Recent transactions, of which every second has a row in the ledger; one more there is pending.
    async fn confirm(connection: &mut SqliteConnection, count: i64) {
        for sql in [
            "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ?)
             insert into recent_transactions (height, position, txid) select 7, i, randomblob(32) from n",
            "insert into ledger (txid, received, body) select txid, position, x'00' from recent_transactions
             where position % 2 = 0 union all select zeroblob(32), ?, x'00'",
        ] {
            sqlx::query(sql).bind(count).execute(&mut *connection).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_long_log_is_copied_in_a_pause_and_not_before() {
        let (_directory, mut writer, mut tidying) = file().await;
        fill(&mut writer, USUAL_PAGES + 1).await;
        for _ in 0..LOOK {
            tidying.committed(&mut writer).await.unwrap();
        }
        assert!(uncopied(&mut writer).await.unwrap() > USUAL_PAGES, "somebody waited");
        tidying.pause(&mut writer).await.unwrap();
        assert_eq!(uncopied(&mut writer).await.unwrap(), 0);
        assert!(!tidying.is_due());
    }

    #[tokio::test]
    async fn a_log_that_is_much_too_long_is_copied_without_a_pause() {
        let (_directory, mut writer, mut tidying) = file().await;
        fill(&mut writer, MOST_PAGES + 1).await;
        for _ in 0..LOOK {
            tidying.committed(&mut writer).await.unwrap();
        }
        assert_eq!(uncopied(&mut writer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn in_a_pause_recent_transactions_go_into_the_index_and_out_of_the_ledger() {
        let (_directory, mut writer, mut tidying) = file().await;
        confirm(&mut writer, 10).await;
        let before = places::pending_since(&mut writer, 7).await.unwrap();
        assert_eq!(before.len(), 5);
        tidying.committed(&mut writer).await.unwrap();
        assert_eq!(places::recent(&mut writer).await.unwrap(), 10, "somebody waited");
        tidying.pause(&mut writer).await.unwrap();
        assert_eq!(places::recent(&mut writer).await.unwrap(), 0);
        assert_eq!(places::pending_since(&mut writer, 7).await.unwrap(), before);
        for (id, since) in &before {
            let position = usize::try_from(*since).unwrap();
            assert_eq!(places::position(&mut writer, id).await.unwrap(), Some((7, position)));
            assert_eq!(places::received(&mut writer, id).await.unwrap(), Some(*since));
        }
        let left: Vec<Vec<u8>> = sqlx::query_scalar("select txid from ledger").fetch_all(&mut writer).await.unwrap();
        assert_eq!(left, [vec![0; 32]], "what is pending stays");
    }

    #[tokio::test]
    async fn very_many_recent_transactions_go_into_the_index_without_a_pause() {
        let (_directory, mut writer, mut tidying) = file().await;
        confirm(&mut writer, MOST_RECENT).await;
        for _ in 0..LOOK {
            tidying.committed(&mut writer).await.unwrap();
        }
        assert_eq!(places::recent(&mut writer).await.unwrap(), 0);
    }
}
