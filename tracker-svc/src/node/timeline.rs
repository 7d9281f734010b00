//! What happened to the members, and who has heard of it.

use raclette_api::timeline::{TimelineKind, TimelinePage};

use super::{Node, NodeError};

/// Which events to show.
#[derive(Debug, Clone, Default)]
pub struct TimelineFilter {
    /// Only those of this kind.
    pub kind: Option<TimelineKind>,
    /// Only those of the member with this name.
    pub name: Option<String>,
}

impl Node {
    /// Up to `limit` events from new to old, those before `cursor` (an event's id) if that is given.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn timeline(
        &self,
        filter: &TimelineFilter,
        cursor: Option<i64>,
        limit: u32,
    ) -> Result<TimelinePage, NodeError> {
        Ok(self.store().timeline(filter.kind, filter.name.as_deref(), cursor, limit).await?)
    }
}
