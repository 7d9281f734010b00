//! The API of a peer, called without any network: a real node on a real file, and nobody else. And what becomes of that
//! file when a real peer crashes, its disk is full, or bytes of it change.

mod access;
mod adversaries;
mod blocks;
mod chain;
mod crash;
mod events;
mod file;
mod flood;
mod history;
mod membership;
mod mining;
mod openapi;
mod peer;
mod process;
mod queue;
mod sending;
mod starting;
mod transactions;
mod world;
