//! Blocks as JSON: whole, or compact with the hashes of their transactions only.

use raclette_chain::{
    block::{Block, Unchecked},
    genesis::Genesis,
    hash::{BlockHash, LeafHash, NetworkId, StateHash, TransactionId},
    header::Header,
    message::SealedMessage,
    target::Work,
    transaction::{Reward, SignedTransaction},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    encoding::{self, amount, compact_target, from_hex, hash, present, same, time},
    error::ApiError,
    example,
    network::GenesisMessage,
    schema,
    transaction::TransactionMessage,
};

/// A block's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Header, examples(example::of::<Self>))]
pub struct HeaderMessage {
    /// The block's hash. May be absent in a request, and is checked if it is there.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub hash: Option<String>,
    /// The hash of the block before; zeros in the genesis block.
    #[schema(value_type = schema::Hash)]
    pub previous: String,
    /// The Merkle root over the reward and the transactions.
    #[schema(value_type = schema::Hash)]
    pub merkle_root: String,
    /// The version of the block.
    #[schema(minimum = 0, maximum = 4_294_967_295_u32, example = 1)]
    pub version: u32,
    /// How many blocks come before it.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// When the miner made it.
    #[schema(value_type = schema::Time)]
    pub time: u64,
    /// What the hash must not exceed.
    #[schema(value_type = schema::Target)]
    pub target: String,
    /// What the miner searched.
    #[schema(value_type = schema::Nonce)]
    pub nonce: String,
}

impl From<&Header> for HeaderMessage {
    fn from(header: &Header) -> Self {
        Self {
            hash: Some(header.hash().to_string()),
            previous: header.previous.to_string(),
            merkle_root: header.merkle_root.to_string(),
            version: header.version,
            height: header.height,
            time: header.time.milliseconds(),
            target: header.target.to_string(),
            nonce: encoding::to_hex(&header.nonce.to_be_bytes()),
        }
    }
}

impl TryFrom<&HeaderMessage> for Header {
    type Error = ApiError;

    fn try_from(message: &HeaderMessage) -> Result<Self, Self::Error> {
        let header = Self {
            previous: hash("previous", &message.previous)?,
            merkle_root: hash("merkle_root", &message.merkle_root)?,
            version: message.version,
            height: message.height,
            time: time("time", message.time)?,
            target: compact_target("target", &message.target)?,
            nonce: u64::from_be_bytes(from_hex("nonce", &message.nonce)?),
        };
        if let Some(text) = &message.hash {
            same("hash", &hash::<BlockHash>("hash", text)?, &header.hash())?;
        }
        Ok(header)
    }
}

/// The first transaction of a block: new money and the fees, for the miner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reward, examples(example::of::<Self>))]
pub struct RewardMessage {
    /// The id of the reward. May be absent in a request, and is checked if it is there.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub id: Option<String>,
    /// Who mined the block.
    #[schema(value_type = schema::Address)]
    pub miner: String,
    /// New money and fees together.
    #[schema(value_type = schema::Amount)]
    pub amount: u64,
}

impl RewardMessage {
    /// The reward of the block with this header as JSON.
    #[must_use]
    pub fn new(reward: &Reward, header: &Header, network: &NetworkId) -> Self {
        Self {
            id: Some(reward.id(network, &header.previous, header.height).to_string()),
            miner: reward.miner.to_string(),
            amount: reward.amount.units(),
        }
    }

    /// The reward in the block with this header.
    ///
    /// # Errors
    /// The first member that is malformed.
    pub fn decode(&self, header: &Header, network: &NetworkId) -> Result<Reward, ApiError> {
        let reward = Reward { miner: encoding::address("miner", &self.miner)?, amount: amount("amount", self.amount)? };
        if let Some(id) = &self.id {
            let found: TransactionId = hash("id", id)?;
            same("id", &found, &reward.id(network, &header.previous, header.height))?;
        }
        Ok(reward)
    }
}

/// A block (`GET /block/{id}`, `GET /chain`, `POST /block`).
///
/// In a request, `leaves` may name all transactions by their leaf hashes; `transactions` may then hold only some of them,
/// or none, and the receiver takes the others from its ledger. Without `leaves`, all transactions must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Block, examples(example::of::<Self>))]
pub struct BlockMessage {
    /// The header.
    pub header: HeaderMessage,
    /// The reward, which is the first transaction. Only the genesis block has none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RewardMessage)]
    pub reward: Option<RewardMessage>,
    /// The transactions behind the reward.
    #[schema(max_items = 5000)]
    pub transactions: Vec<TransactionMessage>,
    /// How many attempts this block and all before it cost on average, as 64 hex digits. Only in answers; ignored in
    /// requests.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub work: Option<String>,
    /// The state hash after this block. Only in answers; ignored in requests.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub state_hash: Option<String>,
    /// The leaf hashes of all transactions in order, without that of the reward. Only in a compact block.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<schema::Hash>, max_items = 5000)]
    pub leaves: Option<Vec<String>>,
    /// What the genesis block commits to. Only in answers, and only in the genesis block.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = GenesisMessage)]
    pub genesis: Option<GenesisMessage>,
}

impl BlockMessage {
    /// The genesis block: a header and what it commits to, without reward and transactions.
    #[must_use]
    pub fn genesis(genesis: &Genesis) -> Self {
        Self {
            header: (&genesis.header()).into(),
            reward: None,
            transactions: Vec::new(),
            work: None,
            state_hash: None,
            leaves: None,
            genesis: Some(genesis.into()),
        }
    }

    /// A whole block, without the messages of its transactions.
    #[must_use]
    pub fn full<State>(block: &Block<State>, network: &NetworkId) -> Self {
        Self::with_messages(block, network, |_| None)
    }

    /// A whole block, with those messages of its transactions that `message` knows.
    pub fn with_messages<'a, State>(
        block: &Block<State>,
        network: &NetworkId,
        message: impl Fn(&SignedTransaction) -> Option<&'a SealedMessage>,
    ) -> Self {
        Self {
            header: block.header().into(),
            reward: Some(RewardMessage::new(block.reward(), block.header(), network)),
            transactions: block
                .transactions()
                .iter()
                .map(|signed| TransactionMessage::new(signed, message(signed)))
                .collect(),
            work: None,
            state_hash: None,
            leaves: None,
            genesis: None,
        }
    }

    /// A compact block: header, reward and leaf hashes. Transactions that the receiver lacks can be put into
    /// `transactions`.
    #[must_use]
    pub fn compact<State>(block: &Block<State>, network: &NetworkId) -> Self {
        Self {
            header: block.header().into(),
            reward: Some(RewardMessage::new(block.reward(), block.header(), network)),
            transactions: Vec::new(),
            work: None,
            state_hash: None,
            leaves: Some(block.transactions().iter().map(|signed| signed.leaf().to_string()).collect()),
            genesis: None,
        }
    }

    /// The same block with what an answer says about its place in the chain.
    #[must_use]
    pub fn in_chain(self, work: &Work, state_hash: &StateHash) -> Self {
        Self { work: Some(work.to_string()), state_hash: Some(state_hash.to_string()), ..self }
    }

    /// The header.
    ///
    /// # Errors
    /// The first member that is malformed.
    pub fn header(&self) -> Result<Header, ApiError> {
        Header::try_from(&self.header).map_err(|error| error.within("header"))
    }

    /// The reward.
    ///
    /// # Errors
    /// The first member of header or reward that is malformed, or that there is no reward: a genesis block comes from the
    /// tracker, never in a request.
    pub fn reward(&self, network: &NetworkId) -> Result<Reward, ApiError> {
        let Some(reward) = &self.reward else {
            return Err(ApiError::inconsistent("reward", "the reward of the block", "none"));
        };
        reward.decode(&self.header()?, network).map_err(|error| error.within("reward"))
    }

    /// The leaf hashes of all transactions in order, without that of the reward; none unless the block is compact.
    ///
    /// # Errors
    /// The first that is malformed.
    pub fn leaves(&self) -> Result<Option<Vec<LeafHash>>, ApiError> {
        let Some(leaves) = &self.leaves else { return Ok(None) };
        // There are thousands of them: a path is written for the one that is malformed, if any.
        let named = |position: usize| move |error: ApiError| ApiError { field: format!("leaves[{position}]"), ..error };
        let leaf = |(position, text): (usize, &String)| hash("leaves", text).map_err(named(position));
        leaves.iter().enumerate().map(leaf).collect::<Result<_, _>>().map(Some)
    }

    /// The transactions that are there, with their messages. In a compact block they may be only some, in any order.
    ///
    /// # Errors
    /// The first member that is malformed.
    pub fn transactions(
        &self,
        network: &NetworkId,
    ) -> Result<Vec<(SignedTransaction, Option<SealedMessage>)>, ApiError> {
        self.transactions
            .iter()
            .enumerate()
            .map(|(position, message)| {
                message.decode(network).map_err(|error| error.within(&format!("transactions[{position}]")))
            })
            .collect()
    }

    /// The whole block, with the messages of its transactions, in the same order. Whether it keeps the rules, and whether
    /// its Merkle root is right, is still to be checked.
    ///
    /// # Errors
    /// The first member that is malformed, or that the block is compact.
    pub fn decode(&self, network: &NetworkId) -> Result<(Block<Unchecked>, Vec<Option<SealedMessage>>), ApiError> {
        if self.leaves.is_some() {
            return Err(ApiError::inconsistent("leaves", "a whole block, without leaves", "a compact one"));
        }
        let header = self.header()?;
        let reward = self.reward(network)?;
        let (transactions, messages) = self.transactions(network)?.into_iter().unzip();
        Ok((Block::new(header, reward, transactions), messages))
    }
}

/// What became of a block that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockStatus {
    /// It is new, and in the chain now.
    Accepted,
    /// It was known already.
    Known,
    /// It is kept on a side branch, which has less work than the chain.
    Stored,
    /// It is on a side branch, and too much of such branches is kept already. The receiver fetches it if its branch ever has
    /// more work than the chain.
    Unkept,
    /// Transactions are missing: send the block again with those named in `missing`.
    Missing,
    /// The block before it is unknown; the receiver fetches the history on its own.
    Orphan,
    /// It is from the near future, and is kept for later.
    Later,
}

/// The answer to a block (`POST /block`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct BlockAnswer {
    /// What became of it.
    pub status: BlockStatus,
    /// The block's hash.
    #[schema(value_type = schema::Hash)]
    pub hash: String,
    /// The leaf hashes of the transactions that are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<schema::Hash>, max_items = 5000)]
    pub missing: Option<Vec<String>>,
}

impl BlockAnswer {
    /// The leaf hashes of the transactions that are missing.
    ///
    /// # Errors
    /// The first that is malformed.
    pub fn missing(&self) -> Result<Vec<LeafHash>, ApiError> {
        let leaf = |(position, text): (usize, &String)| hash(&format!("missing[{position}]"), text);
        self.missing.iter().flatten().enumerate().map(leaf).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{of, with};
    use serde_json::{Value, json};

    fn network() -> NetworkId {
        let message: GenesisMessage = serde_json::from_value(of::<GenesisMessage>()).unwrap();
        Genesis::try_from(&message).unwrap().network()
    }

    fn message() -> BlockMessage {
        serde_json::from_value(of::<BlockMessage>()).unwrap()
    }

    fn block() -> Block {
        message().decode(&network()).unwrap().0
    }

    #[track_caller]
    fn refused(pointer: &str, value: Value) -> String {
        with::<BlockMessage>(pointer, value).decode(&network()).unwrap_err().field
    }

    #[test]
    fn json_and_value_convert_into_each_other() {
        let full = BlockMessage::full(&block(), &network());
        assert_eq!(full, BlockMessage { work: None, state_hash: None, ..message() });
        assert_eq!(full.decode(&network()).unwrap(), (block(), vec![None]));
        assert_eq!(full.header().unwrap(), *block().header());
        assert_eq!(full.reward(&network()).unwrap(), *block().reward());
        assert_eq!(full.leaves(), Ok(None));
    }

    #[test]
    fn a_genesis_block_can_be_shown_but_not_sent() {
        let message: GenesisMessage = serde_json::from_value(of::<GenesisMessage>()).unwrap();
        let block = BlockMessage::genesis(&Genesis::try_from(&message).unwrap());
        assert_eq!(block.header().unwrap().hash().as_bytes(), network().as_bytes());
        assert_eq!(block.genesis, Some(message));
        assert_eq!(block.decode(&network()).unwrap_err().field, "reward");
    }

    #[test]
    fn a_block_carries_the_messages_that_are_at_hand() {
        let transaction: TransactionMessage = serde_json::from_value(of::<TransactionMessage>()).unwrap();
        let (_, sealed) = transaction.decode(&network()).unwrap();
        let message = BlockMessage::with_messages(&block(), &network(), |_| sealed.as_ref());
        assert_eq!(message.decode(&network()).unwrap().1, vec![sealed]);
    }

    #[test]
    fn a_compact_block_names_every_transaction_but_not_the_reward() {
        let mut compact = BlockMessage::compact(&block(), &network());
        let leaves = compact.leaves().unwrap().unwrap();
        assert_eq!(leaves, block().leaves(&network())[1..]);
        assert_eq!(compact.transactions(&network()).unwrap(), vec![]);
        assert_eq!(compact.decode(&network()).unwrap_err().field, "leaves");
        compact.leaves = Some(vec![leaves[0].to_string(), String::from("x")]);
        assert_eq!(compact.leaves().unwrap_err().field, "leaves[1]");
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_name() {
        assert_eq!(refused("/header/hash", json!("ab".repeat(32))), "header.hash");
        assert_eq!(refused("/header/nonce", json!("0000000000000000")), "header.hash");
        assert_eq!(refused("/header/nonce", json!("0")), "header.nonce");
        assert_eq!(refused("/header/target", json!("1E03FFFF")), "header.target");
        assert_eq!(refused("/reward/amount", json!(52)), "reward.id");
        assert_eq!(refused("/transactions/0/sender_key", json!("")), "transactions[0].sender_key");
        assert_eq!(refused("/leaves", json!([])), "leaves");
    }

    #[test]
    fn the_missing_transactions_are_named_by_their_leaves() {
        let answer: BlockAnswer = serde_json::from_value(of::<BlockAnswer>()).unwrap();
        assert_eq!(answer.missing().unwrap(), [block().transactions()[0].leaf()]);
        let none = BlockAnswer { missing: None, ..answer };
        assert_eq!(none.missing().unwrap(), []);
    }
}
