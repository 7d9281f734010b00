//! What is said about copies, in answers and in the file beside each.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use raclette_api::schema;

/// What a sound copy was found to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Contents {
    /// The id of the network. Absent before there is a genesis block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub network_id: Option<String>,
    /// A peer's: the height of the tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Height)]
    pub height: Option<u32>,
    /// A peer's: the hash of the tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub tip: Option<String>,
    /// A peer's: the state hash at the tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Hash)]
    pub state_hash: Option<String>,
    /// A tracker's: the highest version of any membership record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Counter)]
    pub membership_version: Option<u64>,
    /// A tracker's: how many members it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 4_294_967_295_u32, example = 3)]
    pub members: Option<u32>,
}

/// A checked copy of the database, in the folder `backups` of the data directory.
///
/// It holds no private key and no token: those are files of their own in the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example))]
pub struct Backup {
    /// The name of the file.
    #[schema(pattern = "^(peer|tracker)-[0-9TZ.]{20}\\.sqlite$", min_length = 32, max_length = 40)]
    pub name: String,
    /// Which service it belongs to.
    #[schema(pattern = "^(peer|tracker)$", min_length = 4, max_length = 7)]
    pub service: String,
    /// The address of the key of the service that made it.
    #[schema(value_type = schema::Address)]
    pub address: String,
    /// When it was made.
    #[schema(value_type = schema::Time)]
    pub created: u64,
    /// The size of the file.
    #[schema(value_type = schema::Counter)]
    pub bytes: u64,
    /// SHA-256 of the file.
    #[schema(value_type = schema::Hash)]
    pub sha256: String,
    /// What it holds, as read from the copy itself.
    pub contents: Contents,
}

/// All copies that are kept (`GET /backups`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(page_example))]
pub struct BackupPage {
    /// The copies, newest first.
    #[schema(max_items = 1000)]
    pub backups: Vec<Backup>,
    /// How many are kept; the oldest make room for new ones.
    #[schema(minimum = 1, maximum = 1000)]
    pub most: u32,
}

fn example() -> Value {
    json!(Backup {
        name: String::from("peer-20260101T000130.250Z.sqlite"),
        service: String::from("peer"),
        address: String::from("rac17fdnuunn2f3kj8de90vztdxgyltnqqyuj069c8lmtxpa84tvnqsqqtduv5"),
        created: 1_767_225_690_250,
        bytes: 143_360,
        sha256: String::from("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        contents: Contents {
            network_id: Some(String::from("00000b6d3cd8f2a9e0f8714d8c4c6a0bb1a27c8a56e64f9fbd5ac0d23f1b7e94")),
            height: Some(2),
            tip: Some(String::from("000005f3e1f2d6fe2ecf7f8bd6f0c9b6a5b5d4c3b2a1908f7e6d5c4b3a291807")),
            state_hash: Some(String::from("5b0c7a3f8a9d4e2f1b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a")),
            ..Contents::default()
        },
    })
}

fn page_example() -> Value {
    json!({ "backups": [example()], "most": 10 })
}
