//! Who is refused for a while, as a peer's owner sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{example, schema};

/// Somebody who sent a block without its work, and is refused for a while.
///
/// It is the pair of IP address and claimed address that is refused: whoever claims to be a member from elsewhere does not
/// harm that member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct Ban {
    /// The IP address that it came from.
    #[schema(max_length = 45, example = "192.0.2.7")]
    pub ip: String,
    /// The address that it claimed in `Raclette-From`. Absent if it claimed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Address)]
    pub claimed: Option<String>,
    /// When it is served again.
    #[schema(value_type = schema::Time)]
    pub until: u64,
    /// How long it is refused in all. Each time is twice as long as the one before, from 10 minutes to 24 hours.
    #[schema(value_type = schema::Counter)]
    pub seconds: u64,
    /// How many times it has been refused, this one counted.
    #[schema(minimum = 1, maximum = 4_294_967_295_u32, example = 1)]
    pub count: u32,
}

/// Everybody who is refused for a while (`GET /bans`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(example::of::<Self>))]
pub struct BanPage {
    /// The bans, the one that ends last first.
    #[schema(max_items = 1000)]
    pub bans: Vec<Ban>,
}
