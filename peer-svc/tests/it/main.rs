//! The API of a peer, called without any network: a real node on a real file, and nobody else.

mod access;
mod blocks;
mod chain;
mod membership;
mod mining;
mod openapi;
mod peer;
mod queue;
mod sending;
mod starting;
mod transactions;
