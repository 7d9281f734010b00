//! The API of a peer, called without any network: a real node on a real file, and nobody else. And what becomes of that
//! file when a real peer crashes, its disk is full, or bytes of it change.

mod access;
mod adversaries;
mod backup;
mod bad_blocks;
mod bad_transactions;
mod blocks;
mod build;
mod chain;
mod chaos;
mod conversations;
mod craft;
mod crash;
mod damage;
mod events;
mod explain;
#[path = "../../../shared/service/tests/exposition/mod.rs"]
mod exposition;
mod file;
mod flood;
mod full;
mod history;
mod idempotency;
mod later;
mod lives;
mod membership;
mod metrics;
mod mining;
mod model;
mod openapi;
mod peer;
mod policy;
mod process;
mod queue;
mod quickstart;
mod request_ids;
mod sending;
mod signatures;
mod starting;
mod stopping;
mod transactions;
mod wallet;
mod world;
