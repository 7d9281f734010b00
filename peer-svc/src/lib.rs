//! A Raclette peer.
//!
//! # Layout, in reading order
//! - [`config`]: flags and environment. [`mod@run`]: puts a peer together, starts it, and stops it. `rebuild`: makes a new file of a damaged one.
//!   `restore`: puts a copy back.
//! - [`http`]: the API; thin callers of the node. [`tasks`]: what happens by itself.
//! - [`node`]: the application: the chain, the ledger, the owner's mail, and the one writer. [`miner`]: mining jobs.
//! - [`net`]: calling other services. [`store`]: the SQLite file.
//!
//! Arrows: `main -> run -> http, tasks, node, store, net, miner, config`; `http -> node, miner`;
//! `tasks -> node, net, store, miner`; `node -> store`. None returns.

pub mod config;
pub mod http;
pub mod miner;
pub mod net;
pub mod node;
pub mod penalties;
mod rebuild;
mod restore;
pub mod run;
pub mod status;
pub mod store;
pub mod tasks;

pub use config::Config;
pub use restore::restore;
pub use run::{Started, run};

#[cfg(test)]
mod architecture;
