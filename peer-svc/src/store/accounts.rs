//! Accounts after the active tip.

use raclette_chain::{
    accounts::{Account, Accounts},
    address::Address,
    amount::Amount,
};
use sqlx::{QueryBuilder, SqliteConnection, SqliteExecutor};

use super::{StoreError, bytes32, from_sql, parts, to_sql};

/// Reads all accounts.
///
/// # Errors
/// When SQLite fails or a row is damaged.
pub async fn all(executor: impl SqliteExecutor<'_>) -> Result<Accounts, StoreError> {
    let rows: Vec<(Vec<u8>, i64, i64)> =
        sqlx::query_as("select address, balance, next_sequence from accounts").fetch_all(executor).await?;
    rows.into_iter()
        .map(|(address, balance, next_sequence)| {
            let address = Address::from_bytes(bytes32("an address", &address)?);
            let balance = Amount::new(from_sql(balance)?).map_err(|error| StoreError::damaged("a balance", &error))?;
            Ok((address, Account { balance, next_sequence: from_sql(next_sequence)? }))
        })
        .collect()
}

/// Writes accounts; empty ones are deleted.
///
/// # Errors
/// When SQLite fails.
pub async fn write(
    connection: &mut SqliteConnection,
    changed: impl Iterator<Item = (Address, Account)>,
) -> Result<(), StoreError> {
    let (empty, kept): (Vec<_>, Vec<_>) = changed.partition(|(_, account)| *account == Account::default());
    for rows in parts(&empty) {
        let mut sql = QueryBuilder::new("delete from accounts where address in (");
        let mut list = sql.separated(", ");
        for (address, _) in rows {
            list.push_bind(address.as_bytes().as_slice());
        }
        sql.push(")");
        sql.build().execute(&mut *connection).await?;
    }
    for rows in parts(&kept) {
        let mut sql = QueryBuilder::new("insert into accounts (address, balance, next_sequence) ");
        sql.push_values(rows, |mut row, (address, account)| {
            row.push_bind(address.as_bytes().as_slice())
                .push_bind(to_sql(account.balance.units()))
                .push_bind(to_sql(account.next_sequence));
        });
        sql.push(
            " on conflict (address) do update set balance = excluded.balance, next_sequence = excluded.next_sequence",
        );
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}
