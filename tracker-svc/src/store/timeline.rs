//! The timeline: what happened, and who acknowledged the notice that told it. Bounded: the oldest events leave first.

use std::collections::BTreeMap;

use raclette_api::timeline::{Acknowledgement, TimelineEvent, TimelineKind, TimelinePage};
use raclette_chain::time::Timestamp;
use raclette_service::membership::{Acknowledged, Happening, announcing::NOTICE};
use sqlx::{FromRow, SqliteConnection};

use super::{Store, StoreError, from_sql, list, to_sql};

/// How many events are kept.
const MOST_EVENTS: i64 = 5_000;

/// The tables.
pub(super) const TABLES: &str = "
-- What happened to the members, and to the tracker's trust in its own connection.
create table timeline (
    id integer primary key autoincrement,
    time integer not null,
    kind text not null,
    name text,
    address text,
    epoch integer,
    -- That of the notice which tells the others, if they are told. No two events share one.
    version integer
) strict;
create index timeline_version on timeline (version) where version is not null;

-- Who has taken the notice with a version.
create table acknowledgements (
    version integer not null,
    address text not null,
    name text not null,
    time integer not null,
    primary key (version, address)
) strict, without rowid;
";

#[derive(FromRow)]
struct Row {
    id: i64,
    time: i64,
    kind: String,
    name: Option<String>,
    address: Option<String>,
    epoch: Option<i64>,
    version: Option<i64>,
}

impl Store {
    /// Events from new to old, those before `cursor` (an event's id) if that is given.
    ///
    /// # Errors
    /// Those of the database, or a row that is damaged.
    pub async fn timeline(
        &self,
        kind: Option<TimelineKind>,
        name: Option<&str>,
        cursor: Option<i64>,
        limit: u32,
    ) -> Result<TimelinePage, StoreError> {
        let statement = "
            select id, time, kind, name, address, epoch, version from timeline
            where id < ?1 and (?2 is null or kind = ?2) and (?3 is null or name = ?3)
            order by id desc limit ?4";
        // One transaction, so that what is acknowledged belongs to these very events.
        let mut reading = self.readers.begin().await?;
        let mut rows: Vec<Row> = sqlx::query_as(statement)
            .bind(cursor.unwrap_or(i64::MAX))
            .bind(kind.map(TimelineKind::as_str))
            .bind(name)
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *reading)
            .await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
        let mut acknowledged = acknowledgements(&mut reading, rows.iter().filter_map(|row| row.version)).await?;
        let events = rows
            .into_iter()
            .map(|row| {
                let taken = row.version.and_then(|version| acknowledged.remove(&version));
                row.into_event(taken.unwrap_or_default())
            })
            .collect::<Result<_, _>>()?;
        Ok(TimelinePage { events, next_cursor })
    }
}

async fn acknowledgements(
    connection: &mut SqliteConnection,
    versions: impl Iterator<Item = i64>,
) -> Result<BTreeMap<i64, Vec<Acknowledgement>>, StoreError> {
    let statement = "
        select version, address, name, time from acknowledgements
        where version in (select value from json_each(?1)) order by version, time, name";
    let rows: Vec<(i64, String, String, i64)> =
        sqlx::query_as(statement).bind(list(versions)).fetch_all(connection).await?;
    let mut all: BTreeMap<i64, Vec<Acknowledgement>> = BTreeMap::new();
    for (version, address, name, time) in rows {
        all.entry(version).or_default().push(Acknowledgement { name, address, time: from_sql(time)? });
    }
    Ok(all)
}

/// Writes down what happened, in the transaction of whoever calls.
pub(super) async fn happened(
    connection: &mut SqliteConnection,
    happened: &[Happening],
    now: Timestamp,
) -> Result<(), StoreError> {
    for happening in happened {
        let member = happening.member.as_ref();
        let statement =
            "insert into timeline (time, kind, name, address, epoch, version) values (?1, ?2, ?3, ?4, ?5, ?6)";
        sqlx::query(statement)
            .bind(to_sql(now.milliseconds()))
            .bind(happening.kind.as_str())
            .bind(member.map(|member| &member.name))
            .bind(member.map(|member| member.address.to_string()))
            .bind(member.map(|member| to_sql(member.epoch)))
            .bind(happening.version.map(to_sql))
            .execute(&mut *connection)
            .await?;
    }
    if happened.is_empty() { Ok(()) } else { trim(connection).await }
}

async fn trim(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let trimmed = sqlx::query("delete from timeline where id <= (select max(id) from timeline) - ?1")
        .bind(MOST_EVENTS)
        .execute(&mut *connection)
        .await?;
    if trimmed.rows_affected() > 0 {
        let statement = "
            delete from acknowledgements
            where version < (select min(version) from timeline where version is not null)";
        sqlx::query(statement).execute(connection).await?;
    }
    Ok(())
}

/// Notes who has taken a notice, in the transaction of whoever calls.
pub(super) async fn acknowledged(
    connection: &mut SqliteConnection,
    acknowledged: &[Acknowledged],
    now: Timestamp,
) -> Result<(), StoreError> {
    for Acknowledged { by, name, version } in acknowledged {
        sqlx::query("insert or ignore into acknowledgements (version, address, name, time) values (?1, ?2, ?3, ?4)")
            .bind(to_sql(*version))
            .bind(by.to_string())
            .bind(name)
            .bind(to_sql(now.milliseconds()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Notes that the queue's row with this id and version was taken, if it is a notice; before the row is deleted.
pub(super) async fn delivered(
    connection: &mut SqliteConnection,
    id: i64,
    version: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let statement = "
        insert or ignore into acknowledgements (version, address, name, time)
        select version, destination, destination_name, ?4 from failed_requests
        where id = ?1 and version = ?2 and kind = ?3";
    sqlx::query(statement)
        .bind(id)
        .bind(to_sql(version))
        .bind(NOTICE)
        .bind(to_sql(now.milliseconds()))
        .execute(connection)
        .await?;
    Ok(())
}

impl Row {
    fn into_event(self, acknowledged: Vec<Acknowledgement>) -> Result<TimelineEvent, StoreError> {
        let kind = TimelineKind::from_name(&self.kind)
            .ok_or_else(|| StoreError::damaged("an event", &format!("the kind {:?}", self.kind)))?;
        Ok(TimelineEvent {
            id: from_sql(self.id)?,
            time: from_sql(self.time)?,
            kind,
            name: self.name,
            address: self.address,
            epoch: self.epoch.map(from_sql).transpose()?,
            version: self.version.map(from_sql).transpose()?,
            acknowledged,
        })
    }
}
