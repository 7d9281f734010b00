//! The failed-requests queue: what could not be delivered waits in a table and is sent until it arrives.
//!
//! - [`QueuedRequest`] is what waits: one row per destination, kind and subject; a newer version takes the place of an
//!   older one.
//! - [`SCHEMA`] and the functions of [`sql`] are the table. They work on a connection, so that a row is written in the very
//!   transaction that caused it. [`QueueChange`] is such a write as a value, for a service whose only writer is a task.
//! - [`Backoff`] and [`verdict`] are the policy: when to try again, and when to give up.
//! - [`view`] is what its owner sees of it, and [`routes()`] how the API of either service shows it: they know the service as a
//!   [`QueueService`].
//! - [`Drain`] sends what is due. It knows the services only through [`QueueStore`], [`Directory`] and [`Transport`].
//!
//! There is no column that says which rows are being sent: the drain remembers that, and it dies with its process. After a
//! crash in the middle of a request the row is simply due again. A destination may therefore get a request twice, and
//! everything that is queued must be safe to repeat.

mod change;
mod drain;
mod handle;
mod policy;
mod request;
mod routes;
pub mod sql;
mod transport;
pub mod view;

pub use self::{
    change::QueueChange,
    drain::{Directory, Drain, DrainOptions, QueueStore},
    handle::{QueueHandle, QueueStatistics},
    policy::{Backoff, LONGEST_RETRY_AFTER, Scope, Verdict, verdict},
    request::{Destination, QueuedRequest, Row},
    routes::{QueueRoutes, QueueService, routes},
    sql::{Counts, Depth, Filter, Page, SCHEMA, SCHEMA_2, StateFilter},
    transport::{ClientTransport, Transport},
};
