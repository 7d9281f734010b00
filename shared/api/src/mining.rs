//! Mining on command, and the word that somebody has found a block.

use raclette_chain::{
    hash::NetworkId,
    header::Header,
    keys::{PrivateKey, PublicKey},
    parameters::MAX_BLOCK_TRANSACTIONS,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    PROTOCOL_VERSION,
    block::HeaderMessage,
    encoding::{self, present, public_key, same_address, time},
    error::ApiError,
    example, schema, signing,
};

/// The most threads that one can ask for.
pub const MAX_THREADS: u32 = 1024;

/// A miner's word that it has found a block (`POST /mining-complete`). The block itself follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct MiningComplete {
    /// The version of the protocol.
    #[schema(minimum = 1, maximum = 1, example = 1)]
    pub protocol: u32,
    /// The network's id.
    #[schema(value_type = schema::Hash)]
    pub network_id: String,
    /// The header of the block.
    pub header: HeaderMessage,
    /// The address of the peer that found it.
    #[schema(value_type = schema::Address)]
    pub miner: String,
    /// The public key of that peer.
    #[schema(value_type = schema::PublicKey)]
    pub miner_key: String,
    /// When the message was made.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// The miner's signature over `raclette/mining-complete/1`.
    #[schema(value_type = schema::Signature)]
    pub signature: String,
}

impl MiningComplete {
    /// Tells that the owner of `key` has found the block with this header.
    #[must_use]
    pub fn signed(header: &Header, network: &NetworkId, time: Timestamp, key: &PrivateKey) -> Self {
        let miner = key.public().address();
        Self {
            protocol: PROTOCOL_VERSION,
            network_id: network.to_string(),
            header: header.into(),
            miner: miner.to_string(),
            miner_key: key.public().to_pem(),
            time: time.milliseconds(),
            signature: signing::sign(&signing::mining_complete(network, header, &miner, time), key),
        }
    }

    /// The header, before anything else is checked: its proof of work is cheaper to check than a signature.
    ///
    /// # Errors
    /// The first member that is malformed.
    pub fn header(&self) -> Result<Header, ApiError> {
        Header::try_from(&self.header).map_err(|error| error.within("header"))
    }

    /// Checks that the message is well-formed and of this network; says nothing about the signature.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, network: &NetworkId) -> Result<(Header, PublicKey), ApiError> {
        encoding::protocol(self.protocol)?;
        encoding::network(&self.network_id, network)?;
        let header = self.header()?;
        let key = public_key("miner_key", &self.miner_key)?;
        same_address("miner", &self.miner, &key.address())?;
        time("time", self.time)?;
        encoding::signature("signature", &self.signature)?;
        Ok((header, key))
    }

    /// Checks that the message is well-formed, of this network, and signed by the key in it; the header and that key.
    /// Whether the miner is a member, and the header worth pausing for, is for the caller to say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, network: &NetworkId) -> Result<(Header, PublicKey), ApiError> {
        let (header, key) = self.check(network)?;
        let preimage = signing::mining_complete(network, &header, &key.address(), time("time", self.time)?);
        signing::verify(&preimage, &self.signature, &key)?;
        Ok((header, key))
    }
}

/// The answer to a miner's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct MiningCompleteAnswer {
    /// Whether the word is believed.
    pub accepted: bool,
    /// Whether the receiver's own mining pauses for it.
    pub paused: bool,
    /// Why it is not believed, or why nothing pauses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 500, example = "not mining")]
    pub reason: Option<String>,
}

/// The command to mine one block (`POST /mine`). All members may be absent, and the body too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct MineRequest {
    /// On how many threads, 1 to 1024; absent: all cores but one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 1024, example = 2)]
    pub threads: Option<u32>,
    /// How many transactions to take from the ledger at most; absent: as many as a block may have.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 5_000, example = 100)]
    pub max_transactions: Option<u32>,
}

impl MineRequest {
    /// Checks the bounds.
    ///
    /// # Errors
    /// When there are no threads, more than [`MAX_THREADS`], or more transactions than any block may have.
    pub fn check(&self) -> Result<(), ApiError> {
        if let Some(threads) = self.threads.filter(|threads| !(1..=MAX_THREADS).contains(threads)) {
            return Err(ApiError::malformed("threads", format_args!("1 to {MAX_THREADS} threads"), threads));
        }
        match self.max_transactions.filter(|most| *most > MAX_BLOCK_TRANSACTIONS) {
            Some(most) => {
                let expected = format_args!("at most {MAX_BLOCK_TRANSACTIONS} transactions");
                Err(ApiError::malformed("max_transactions", expected, most))
            }
            None => Ok(()),
        }
    }
}

/// Whether a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MiningState {
    /// It searches.
    Searching,
    /// It waits for the block of somebody who says to have found one.
    Paused,
    /// It has ended.
    Done,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MiningOutcome {
    /// With a block, which is in the chain now.
    Mined,
    /// Another peer was faster.
    LostRace,
    /// The owner ended it.
    Cancelled,
    /// It could not go on.
    Failed,
}

/// Who was faster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MiningWinner {
    /// The address of the peer.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// Its name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Name)]
    pub name: Option<String>,
    /// The hash of its block.
    #[schema(value_type = schema::Hash)]
    pub block: String,
}

/// A search for one block (`GET /mine/{id}`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct MiningJob {
    /// Its id.
    #[schema(max_length = 64, example = "7")]
    pub id: String,
    /// Whether it goes on.
    pub state: MiningState,
    /// How it ended. Absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MiningOutcome)]
    pub outcome: Option<MiningOutcome>,
    /// How many nonces have been tried.
    #[schema(value_type = schema::Counter)]
    pub attempts: u64,
    /// How many nonces are tried in a second.
    #[schema(minimum = 0, maximum = 1e18, example = 12_500_000.0)]
    pub rate: f64,
    /// When it began.
    #[schema(value_type = schema::Time)]
    pub started: u64,
    /// The height of the block that it looks for.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// What the hash must not exceed.
    #[schema(value_type = schema::Target)]
    pub target: String,
    /// How many attempts such a block takes on average.
    #[schema(minimum = 0, maximum = 1.2e77, example = 4_194_304.0)]
    pub expected_attempts: f64,
    /// The hash of the block that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub block: Option<String>,
    /// Who was faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MiningWinner)]
    pub winner: Option<MiningWinner>,
    /// Why it paused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 500, example = "carol says to have found block 43")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Fault,
        example::{of, with},
    };
    use raclette_chain::hash::BlockHash;
    use serde_json::json;

    #[test]
    fn a_word_counts_for_its_block_its_miner_and_its_network_only() {
        let message: MiningComplete = serde_json::from_value(of::<MiningComplete>()).unwrap();
        let network: NetworkId = message.network_id.parse().unwrap();
        let (header, key) = message.verify(&network).unwrap();
        assert_eq!(message.header().unwrap(), header);
        assert_eq!(message.verify(&NetworkId::ZERO).unwrap_err().fault, Fault::Network);
        let other = HeaderMessage::from(&Header { previous: BlockHash::ZERO, ..header });
        let moved = MiningComplete { header: other, ..message.clone() };
        assert_eq!(moved.verify(&network).unwrap_err().fault, Fault::Signature);
        let earlier = MiningComplete { time: 1, ..message.clone() };
        assert_eq!(earlier.verify(&network).unwrap_err().fault, Fault::Signature);
        let miner = of::<crate::wallet::Wallet>()["address"].as_str().unwrap().to_owned();
        let claimed = MiningComplete { miner, ..message };
        assert_eq!(claimed.verify(&network).unwrap_err().expected, key.address().to_string());
    }

    #[test]
    fn all_of_a_command_to_mine_may_be_absent_and_its_bounds_hold() {
        let empty: MineRequest = serde_json::from_str("{}").unwrap();
        assert_eq!((empty, empty.check()), (MineRequest::default(), Ok(())));
        assert!(with::<MineRequest>("/threads", json!(MAX_THREADS)).check().is_ok());
        for threads in [0, MAX_THREADS + 1] {
            assert_eq!(with::<MineRequest>("/threads", json!(threads)).check().unwrap_err().field, "threads");
        }
        let too_many = with::<MineRequest>("/max_transactions", json!(MAX_BLOCK_TRANSACTIONS + 1));
        assert_eq!(too_many.check().unwrap_err().field, "max_transactions");
        assert!(serde_json::from_str::<MineRequest>(r#"{"threads": null}"#).is_err());
    }
}
