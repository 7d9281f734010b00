//! Why something is accepted or refused: every rule in order, with both sides of its comparison; and the proof that a
//! transaction stands in a block.

use raclette_chain::{
    merkle::{self, Side},
    rules::{Explanation, Step, Verdict},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{block::HeaderMessage, encoding::to_hex, example, schema};

/// How a rule fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleResult {
    /// It holds.
    Passed,
    /// It is broken.
    Failed,
    /// One before it is broken, or what it needs is not there, so it was not looked at.
    NotReached,
}

/// One rule or policy, and how it fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleStep {
    /// The code of the rule: `rule` of the problem if it is broken.
    #[schema(max_length = 64, pattern = "^[a-z_]+$", example = "insufficient_funds")]
    pub rule: String,
    /// Whether it is a rule of consensus, which every peer must keep, or a policy of the ledger.
    pub consensus: bool,
    /// How it fared.
    pub result: RuleResult,
    /// What the rule asks for. Absent if it was not looked at, or compares no two values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "a balance of at least 26")]
    pub expected: Option<String>,
    /// What is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "24")]
    pub seen: Option<String>,
    /// Which transaction of a block broke it, the reward being 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 4_294_967_295_u32, example = 1)]
    pub position: Option<u32>,
}

impl RuleStep {
    /// The rules of an explanation, in order.
    #[must_use]
    pub fn list(explanation: &Explanation) -> Vec<Self> {
        explanation.steps().iter().map(Self::from).collect()
    }
}

impl From<&Step> for RuleStep {
    fn from(step: &Step) -> Self {
        let (expected, seen) = step.compared.clone().map(|compared| (compared.expected, compared.found)).unzip();
        Self {
            rule: step.rule.to_owned(),
            consensus: step.consensus,
            result: match step.verdict {
                Verdict::Passed => RuleResult::Passed,
                Verdict::Failed => RuleResult::Failed,
                Verdict::NotReached => RuleResult::NotReached,
            },
            expected,
            seen,
            // The reward is the first.
            position: step.position.and_then(|position| u32::try_from(position + 1).ok()),
        }
    }
}

/// What would become of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It would be taken into the ledger.
    Accepted,
    /// It is in the ledger already.
    Known,
    /// It stands in a block already.
    Confirmed,
    /// It would be refused, by the rule or policy that failed.
    Refused,
}

/// Every rule and policy for a transaction, in the order in which they are checked (`POST /tx/check`). Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct TransactionCheck {
    /// The transaction's id.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// What would become of it now.
    pub outcome: CheckOutcome,
    /// The height of the block that it was checked for: the next one.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// The rules and policies.
    #[schema(max_items = 100)]
    pub rules: Vec<RuleStep>,
}

/// Every rule for a stored block, in the order in which they are checked (`GET /block/{id}/verification`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct BlockVerification {
    /// The block's hash.
    #[schema(value_type = schema::Hash)]
    pub hash: String,
    /// Its height.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// Whether it is on the active branch.
    pub active: bool,
    /// Whether it keeps every rule.
    pub valid: bool,
    /// Why some rules could not be looked at, if none of them is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 2000, example = "the block before it breaks a rule")]
    pub reason: Option<String>,
    /// The rules. The genesis block has none: it is what the network's id names.
    #[schema(max_items = 100)]
    pub rules: Vec<RuleStep>,
}

/// The side on which a hash stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofSide {
    /// Before the hash computed so far.
    Left,
    /// Behind the hash computed so far.
    Right,
}

/// A hash on the way from a leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sibling {
    /// The side on which it stands.
    pub side: ProofSide,
    /// The hash.
    #[schema(value_type = schema::Hash)]
    pub hash: String,
}

/// The proof that a transaction stands in a block (`GET /tx/{id}/proof`). Check it: hash id and signature to the leaf, fold
/// the siblings into it, compare with the Merkle root in the header, and hash the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct MerkleProof {
    /// The transaction's id.
    #[schema(value_type = schema::Hash)]
    pub id: String,
    /// The leaf: SHA-256 of a zero byte, the id and the signature.
    #[schema(value_type = schema::Hash)]
    pub leaf: String,
    /// The siblings from the bottom up.
    #[schema(max_items = 13)]
    pub siblings: Vec<Sibling>,
    /// The root that leaf and siblings lead to.
    #[schema(value_type = schema::Hash)]
    pub root: String,
    /// The header that commits to the root.
    pub header: HeaderMessage,
    /// The height of the block.
    #[schema(value_type = schema::Height)]
    pub height: u32,
    /// The position of the transaction in its block, the reward being 0.
    #[schema(minimum = 0, maximum = 5_000, example = 1)]
    pub position: u32,
    /// How many blocks, its own included, confirm it.
    #[schema(value_type = schema::Height)]
    pub confirmations: u32,
}

impl Sibling {
    /// The siblings of a proof.
    #[must_use]
    pub fn list(path: &[(merkle::Side, [u8; 32])]) -> Vec<Self> {
        path.iter()
            .map(|(side, hash)| Self {
                side: match side {
                    Side::Left => ProofSide::Left,
                    Side::Right => ProofSide::Right,
                },
                hash: to_hex(hash),
            })
            .collect()
    }
}
