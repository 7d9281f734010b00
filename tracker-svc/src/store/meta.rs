//! Single values: the network's parameters, its genesis block, and the highest version given out.

use raclette_api::network::{GenesisMessage, ParametersMessage};
use raclette_chain::{genesis::Genesis, parameters::Parameters};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::SqliteConnection;

use super::{Store, StoreError};

const PARAMETERS: &str = "parameters";
const GENESIS: &str = "genesis";
const VERSION: &str = "version";

impl Store {
    /// The parameters of the network, if there was a start before this one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn parameters(&self) -> Result<Option<Parameters>, StoreError> {
        let message: Option<ParametersMessage> = self.read(PARAMETERS).await?;
        let parameters = message.map(|message| Parameters::try_from(&message)).transpose();
        parameters.map_err(|error| StoreError::damaged("the parameters", &error))
    }

    /// Fixes the parameters of the network.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn fix_parameters(&self, parameters: &Parameters) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        write(&mut transaction, PARAMETERS, &ParametersMessage::from(parameters)).await?;
        transaction.commit().await
    }

    /// The genesis block, if it was made.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn genesis(&self) -> Result<Option<Genesis>, StoreError> {
        let message: Option<GenesisMessage> = self.read(GENESIS).await?;
        let genesis = message.map(|message| Genesis::try_from(&message)).transpose();
        genesis.map_err(|error| StoreError::damaged("the genesis block", &error))
    }

    /// The highest version given out to a member so far.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn version(&self) -> Result<u64, StoreError> {
        Ok(self.read(VERSION).await?.unwrap_or(0))
    }

    async fn read<T: DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<String> =
            sqlx::query_scalar("select value from meta where key = ?1").bind(key).fetch_optional(&self.readers).await?;
        let value = text.map(|text| serde_json::from_str(&text)).transpose();
        value.map_err(|error| StoreError::damaged(key, &error))
    }
}

/// Stores the genesis block in the transaction of whoever calls.
pub(super) async fn put_genesis(connection: &mut SqliteConnection, genesis: &Genesis) -> Result<(), StoreError> {
    write(connection, GENESIS, &GenesisMessage::from(genesis)).await
}

/// Stores the highest version in the transaction of whoever calls.
pub(super) async fn put_version(connection: &mut SqliteConnection, version: u64) -> Result<(), StoreError> {
    write(connection, VERSION, &version).await
}

async fn write<T: Serialize>(
    connection: &mut SqliteConnection,
    key: &'static str,
    value: &T,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(value).map_err(|error| StoreError::damaged(key, &error))?;
    sqlx::query("insert into meta (key, value) values (?1, ?2) on conflict (key) do update set value = excluded.value")
        .bind(key)
        .bind(text)
        .execute(connection)
        .await?;
    Ok(())
}
