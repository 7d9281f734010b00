//! Members as rows, and what one event of the register changes in them.

use raclette_api::{
    event::{EventBody, GenesisEvent, MemberEvent, MemberStep},
    membership::Registration,
};
use raclette_chain::{address::Address, genesis::Genesis, time::Timestamp};
use raclette_service::{
    membership::{Effects, Member, MemberState, Newcomer, StoredMember, StoredRegister, Tombstone},
    queue::sql as queue,
};
use sqlx::{FromRow, SqliteConnection};

use super::{Store, StoreError, from_sql, list, meta, timeline, to_sql};

/// Keys whose names were freed: what they signed before does not bring them back.
pub(super) const TOMBSTONES: &str = "
create table tombstones (
    address text primary key,
    epoch integer not null,
    until integer not null
) strict;
";

/// What the tracker knew when it stopped.
#[derive(Debug)]
pub struct Loaded {
    /// Everybody who ever registered.
    pub register: StoredRegister,
    /// The genesis block, if it was made.
    pub genesis: Option<Genesis>,
}

/// What follows from an event, to be stored in one transaction.
#[derive(Debug)]
pub struct Recorded<'a> {
    /// What the register says.
    pub effects: &'a Effects,
    /// The highest version given out.
    pub version: u64,
    /// The genesis block, if it was just made.
    pub genesis: Option<&'a Genesis>,
    /// When it happened.
    pub now: Timestamp,
}

/// A member that others have not been told of in its newest version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unannounced {
    /// Its address.
    pub address: Address,
    /// The version to be told.
    pub version: u64,
}

#[derive(FromRow)]
struct Row {
    name: String,
    state: String,
    version: i64,
    last_seen: i64,
    registration: String,
}

impl Store {
    /// Reads everything that the register needs at a start.
    ///
    /// # Errors
    /// Those of the database, or a row that is damaged.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        let rows: Vec<Row> = sqlx::query_as("select name, state, version, last_seen, registration from members")
            .fetch_all(&self.readers)
            .await?;
        let members = rows.into_iter().map(Row::into_member).collect::<Result<_, _>>()?;
        let register = StoredRegister { members, version: self.version().await?, tombstones: self.tombstones().await? };
        Ok(Loaded { register, genesis: self.genesis().await? })
    }

    async fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("select address, epoch, until from tombstones").fetch_all(&self.readers).await?;
        let tombstone = |(address, epoch, until): (String, i64, i64)| {
            let address = address.parse().map_err(|error| StoreError::damaged("an address", &error))?;
            let until = Timestamp::new(from_sql(until)?).map_err(|error| StoreError::damaged("a time", &error))?;
            Ok(Tombstone { address, epoch: from_sql(epoch)?, until })
        };
        rows.into_iter().map(tombstone).collect()
    }

    /// Stores what follows from an event, in one transaction.
    ///
    /// # Errors
    /// Those of the database; nothing is stored then.
    pub async fn record(&self, recorded: Recorded<'_>) -> Result<(), StoreError> {
        let Recorded { effects, version, genesis, now } = recorded;
        let mut transaction = self.begin().await?;
        for member in &effects.changed {
            put(&mut transaction, member).await?;
            transaction.tell(&told(member));
            if member.state == MemberState::Left {
                queue::remove_destination(&mut transaction, &member.address()).await?;
            }
        }
        for listed in &effects.listed {
            put(&mut transaction, &listed.member).await?;
            transaction.tell(&told(&listed.member));
            // Unless the version before waits to be announced still: then this one is announced in its place.
            let statement = "update members set announced = ?2 where address = ?1 and announced >= ?3";
            sqlx::query(statement)
                .bind(listed.member.address().to_string())
                .bind(to_sql(listed.member.version))
                .bind(to_sql(listed.previous))
                .execute(&mut *transaction)
                .await?;
        }
        seen(&mut transaction, &effects.seen, now).await?;
        for address in &effects.returned {
            let new = effects.changed.iter().chain(effects.listed.iter().map(|listed| &listed.member));
            let member = new.into_iter().find(|member| member.address() == *address);
            let url = member.map(|member| member.url());
            queue::wake(&mut transaction, address, url.as_deref(), now).await?;
        }
        for tombstone in &effects.removed {
            if let Some(event) = remove(&mut transaction, &tombstone.address).await? {
                transaction.tell(&event);
            }
            bury(&mut transaction, tombstone, now).await?;
            queue::remove_destination(&mut transaction, &tombstone.address).await?;
        }
        if !effects.changed.is_empty() || !effects.listed.is_empty() {
            meta::put_version(&mut transaction, version).await?;
        }
        if let Some(genesis) = genesis {
            meta::put_genesis(&mut transaction, genesis).await?;
            transaction.tell(&EventBody::Genesis(GenesisEvent { network_id: genesis.network().to_string() }));
        }
        timeline::happened(&mut transaction, &effects.happened, now).await?;
        transaction.commit().await
    }

    /// Members whose newest version was not announced yet.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unannounced(&self) -> Result<Vec<Unannounced>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select address, version from members where announced < version order by version")
                .fetch_all(&self.readers)
                .await?;
        rows.into_iter()
            .map(|(address, version)| {
                let address = address.parse().map_err(|error| StoreError::damaged("an address", &error))?;
                Ok(Unannounced { address, version: from_sql(version)? })
            })
            .collect()
    }
}

/// Notes that these versions were announced, or wait in the queue, in the transaction of whoever calls.
pub(super) async fn announced(connection: &mut SqliteConnection, announced: &[Unannounced]) -> Result<(), StoreError> {
    for Unannounced { address, version } in announced {
        sqlx::query("update members set announced = max(announced, ?2) where address = ?1")
            .bind(address.to_string())
            .bind(to_sql(*version))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// A member's news, as an event.
fn told(member: &Member) -> EventBody {
    let state = match member.state {
        MemberState::Online => MemberStep::Online,
        MemberState::Offline => MemberStep::Offline,
        MemberState::Left => MemberStep::Left,
    };
    EventBody::Member(MemberEvent {
        name: member.name.clone(),
        address: member.address().to_string(),
        state,
        epoch: member.epoch(),
        version: member.version,
        url: member.is_online().then(|| member.url()),
    })
}

/// Deletes a member; what is told of it if it was there.
async fn remove(connection: &mut SqliteConnection, address: &Address) -> Result<Option<EventBody>, StoreError> {
    let statement = "
        delete from members where address = ?1
        returning name, version, cast(registration ->> '$.epoch' as integer)";
    let gone: Option<(String, i64, i64)> =
        sqlx::query_as(statement).bind(address.to_string()).fetch_optional(connection).await?;
    let Some((name, version, epoch)) = gone else { return Ok(None) };
    Ok(Some(EventBody::Member(MemberEvent {
        name,
        address: address.to_string(),
        state: MemberStep::Removed,
        epoch: from_sql(epoch)?,
        version: from_sql(version)?,
        url: None,
    })))
}

async fn put(connection: &mut SqliteConnection, member: &Member) -> Result<(), StoreError> {
    let registration = serde_json::to_string(member.registration.as_ref())
        .map_err(|error| StoreError::damaged("a registration", &error))?;
    let statement = "
        insert into members (address, name, state, version, last_seen, registration) values (?1, ?2, ?3, ?4, ?5, ?6)
        on conflict (address) do update set name = excluded.name, state = excluded.state, version = excluded.version,
            last_seen = excluded.last_seen, registration = excluded.registration";
    sqlx::query(statement)
        .bind(member.address().to_string())
        .bind(&member.name)
        .bind(member.state.as_str())
        .bind(to_sql(member.version))
        .bind(to_sql(member.last_seen.milliseconds()))
        .bind(registration)
        .execute(connection)
        .await?;
    Ok(())
}

/// Remembers what is left of a member, and forgets what is older than a day.
async fn bury(connection: &mut SqliteConnection, tombstone: &Tombstone, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("delete from tombstones where until <= ?1")
        .bind(to_sql(now.milliseconds()))
        .execute(&mut *connection)
        .await?;
    sqlx::query("insert or replace into tombstones (address, epoch, until) values (?1, ?2, ?3)")
        .bind(tombstone.address.to_string())
        .bind(to_sql(tombstone.epoch))
        .bind(to_sql(tombstone.until.milliseconds()))
        .execute(connection)
        .await?;
    Ok(())
}

async fn seen(connection: &mut SqliteConnection, addresses: &[Address], now: Timestamp) -> Result<(), StoreError> {
    if addresses.is_empty() {
        return Ok(());
    }
    sqlx::query("update members set last_seen = ?1 where address in (select value from json_each(?2))")
        .bind(to_sql(now.milliseconds()))
        .bind(list(addresses))
        .execute(connection)
        .await?;
    Ok(())
}

impl Row {
    /// The member. Its registration is verified again: others will be told it in the tracker's name.
    fn into_member(self) -> Result<StoredMember, StoreError> {
        let Self { name, state, version, last_seen, registration } = self;
        let damaged = |reason: &dyn std::fmt::Display| StoreError::damaged(format!("the member {name}"), &reason);
        let registration: Registration = serde_json::from_str(&registration).map_err(|error| damaged(&error))?;
        let newcomer = Newcomer::verified(registration).map_err(|error| damaged(&error))?;
        let state = MemberState::from_name(&state).ok_or_else(|| damaged(&format!("the state {state:?}")))?;
        let last_seen = Timestamp::new(from_sql(last_seen)?).map_err(|error| damaged(&error))?;
        Ok(StoredMember { newcomer, state, version: from_sql(version)?, last_seen })
    }
}
