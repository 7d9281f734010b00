//! Events: what happens in a service, stored, numbered, and told to whoever reads `GET /events`.
//!
//! - [`Log`] is the writer's side. It stores events in the transaction of what they tell of, and once that is committed
//!   passes them on to readers.
//! - [`Feed`] is everybody else's. A reader first reads the table from where it stands, and then listens; if it is too slow
//!   for that it reads the table again. The channel in between is bounded and drops what is old, so that no reader ever
//!   holds up the writer.
//! - [`answer()`] makes HTTP of it: a finite page, or a stream of server-sent events.
//!
//! The table holds the last [`KEPT`] events. Their numbers have no gaps: the next one is that of the newest plus one, and
//! only the oldest are ever deleted.

mod answer;
mod feed;
mod log;
#[cfg(test)]
mod tests;

pub use self::{
    answer::{Audience, EventsQuery, EventsRequest, answer},
    feed::{Feed, Following, Page, Told},
    log::{Appended, Entry, KEPT, Log, Recorded, SCHEMA, SCHEMA_2},
};
