//! Chaos switches: faults of a peer's links, for whoever learns or tests.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{encoding::present, error::ApiError, example, schema};

/// The name of all links at once.
pub const EVERYBODY: &str = "*";
/// The name of the link to the tracker.
pub const TRACKER: &str = "tracker";
/// How many links can have faults.
pub const MAX_LINKS: usize = 100;
/// The longest delay in milliseconds.
pub const LONGEST_DELAY_MS: u32 = 60_000;

/// Which requests on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChaosDirection {
    /// Those that this peer sends.
    Outgoing,
    /// Those that come from there and name their sender in `Raclette-From`.
    Incoming,
    /// All.
    #[default]
    Both,
}

/// What is wrong with one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChaosLink {
    /// To whom: the name or address of a member, `tracker`, or `*` for everybody who has no link of its own in this list.
    #[schema(
        pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58}|[*])$",
        min_length = 1,
        max_length = 62,
        example = "bob"
    )]
    pub peer: String,
    /// The address of that member. Only in answers.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Address)]
    pub address: Option<String>,
    /// Which requests; absent: both directions.
    #[serde(default)]
    pub direction: ChaosDirection,
    /// Each request is held for so long, in milliseconds.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 60_000, example = 250)]
    pub delay_ms: u32,
    /// So many requests in a hundred are lost, at random: half of them before they arrive, half of them with their answer, when they
    /// have had their effect.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100, example = 10)]
    pub drop_percent: u32,
    /// Nothing gets through.
    #[serde(default)]
    pub partition: bool,
    /// Requests are held until this is off again, or whoever sent them gives up.
    #[serde(default)]
    pub pause: bool,
}

impl ChaosLink {
    /// A link to somebody without any fault.
    #[must_use]
    pub fn to(peer: impl Into<String>) -> Self {
        Self {
            peer: peer.into(),
            address: None,
            direction: ChaosDirection::Both,
            delay_ms: 0,
            drop_percent: 0,
            partition: false,
            pause: false,
        }
    }
}

/// The faults of a peer's links (`GET /chaos`, `PUT /chaos`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(example::of::<Self>))]
pub struct ChaosState {
    /// The links that have faults. Of two for the same peer and direction the first counts.
    #[schema(max_items = 100)]
    pub links: Vec<ChaosLink>,
}

impl ChaosState {
    /// Checks the bounds.
    ///
    /// # Errors
    /// The first value that is out of them.
    pub fn check(&self) -> Result<(), ApiError> {
        if self.links.len() > MAX_LINKS {
            return Err(ApiError::malformed("links", format!("at most {MAX_LINKS} links"), self.links.len()));
        }
        for (place, link) in self.links.iter().enumerate() {
            if link.delay_ms > LONGEST_DELAY_MS {
                let field = format!("links[{place}].delay_ms");
                return Err(ApiError::malformed(&field, format!("at most {LONGEST_DELAY_MS}"), link.delay_ms));
            }
            if link.drop_percent > 100 {
                let field = format!("links[{place}].drop_percent");
                return Err(ApiError::malformed(&field, "at most 100", link.drop_percent));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_no_fault_and_bounds_hold() {
        let read = |json| serde_json::from_value::<ChaosState>(json).unwrap();
        let state = read(json!({"links": [{"peer": "bob"}]}));
        assert_eq!(state.links, [ChaosLink::to("bob")]);
        assert!(state.check().is_ok());
        for (fault, field) in [
            (json!({"peer": "bob", "delay_ms": 60_001}), "links[0].delay_ms"),
            (json!({"peer": "bob", "drop_percent": 101}), "links[0].drop_percent"),
        ] {
            assert_eq!(read(json!({"links": [fault]})).check().unwrap_err().field, field);
        }
        let many = ChaosState { links: vec![ChaosLink::to("bob"); MAX_LINKS + 1] };
        assert_eq!(many.check().unwrap_err().field, "links");
    }
}
