//! The Raclette tracker: it knows who is online, and tells the others.
//!
//! # Layout
//! `main` calls [`run()`], which puts together:
//! - [`config`]: every flag.
//! - [`http`]: handlers, which only call the node.
//! - [`node`]: what the tracker can do; a task of its own makes all changes.
//! - [`store`]: the SQLite file.
//! - [`net`]: requests to members.
//! - `restore`: puts a copy of the file back.
//! - `tasks`: what runs in the background: calling newcomers back, rounds of probes, announcements, surveys, the
//!   queue.
//!
//! Arrows: `http` to `node`; `tasks` to `node`, `net` and `store`; `node` to `store`. `node` never calls anybody: it makes
//! changes and rings bells, and tasks listen.

pub mod config;
pub mod http;
pub mod net;
pub mod node;
mod restore;
mod run;
pub mod store;
mod tasks;

pub use restore::restore;
pub use run::{RunError, run};
