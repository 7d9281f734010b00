//! What the files of services hold that have stopped.

use std::{collections::BTreeSet, path::Path};

use raclette_chain::address::Address;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use trials::verdict::{Evidence, Integrity, StoredBlock};

use super::{
    Failure,
    ground::{Ground, TRACKER_INDEX},
};
use crate::plan::Service;

/// Adds to the evidence what only the files say.
pub(super) async fn read(ground: &Ground, evidence: &mut Evidence) -> Result<(), Failure> {
    let services: Vec<_> = ground.services().collect();
    let tracker = services[TRACKER_INDEX];
    let mut file = open(&tracker.directory.join("tracker.sqlite")).await?;
    evidence.tracker = (integrity(&mut file).await?, panics(tracker)?);
    file.close().await?;
    for (service, node) in services.into_iter().skip(1).zip(&mut evidence.nodes) {
        let mut file = open(&service.directory.join("peer.sqlite")).await?;
        node.file = integrity(&mut file).await?;
        let unfinished = "select count(*) from blocks where active = 1 and height > 0 and undo is null";
        node.file.without_undo = usize::try_from(sqlx::query_scalar::<_, i64>(unfinished).fetch_one(&mut file).await?)?;
        let acknowledged: BTreeSet<String> =
            sqlx::query_scalar("select lower(hex(txid)) from mail where sent = 1 and delivered is not null")
                .fetch_all(&mut file)
                .await?
                .into_iter()
                .collect();
        for item in node.mail.iter_mut().filter(|item| item.sent) {
            item.delivered = acknowledged.contains(&item.id);
        }
        for row in sqlx::query("select lower(hex(hash)), height, invalid from blocks").fetch_all(&mut file).await? {
            let (height, invalid): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            let height = u32::try_from(height)?;
            node.stored.push(StoredBlock { hash: row.try_get(0)?, height, invalid: invalid != 0 });
        }
        for row in sqlx::query("select address, balance, next_sequence from accounts").fetch_all(&mut file).await? {
            let address: Vec<u8> = row.try_get(0)?;
            let address = Address::from_bytes(address.try_into().map_err(|_| "an address has 32 bytes")?).to_string();
            let (balance, sequence): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            node.accounts.insert(address, (u64::try_from(balance)?, u64::try_from(sequence)?));
        }
        file.close().await?;
        node.panics = panics(service)?;
    }
    Ok(())
}

async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(path).connect().await
}

async fn integrity(file: &mut SqliteConnection) -> Result<Integrity, sqlx::Error> {
    let faults: Vec<String> = sqlx::query_scalar("pragma integrity_check").fetch_all(&mut *file).await?;
    let foreign_keys = sqlx::query("pragma foreign_key_check").fetch_all(&mut *file).await?.len();
    Ok(Integrity { faults: faults.into_iter().filter(|line| line != "ok").collect(), foreign_keys, without_undo: 0 })
}

fn panics(service: &Service) -> Result<usize, Failure> {
    Ok(std::fs::read_to_string(service.log_file())?.matches("panicked").count())
}
