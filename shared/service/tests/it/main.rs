//! The service crate from outside: real sockets, the server's loop, and the client against it.

mod calls;
mod connections;
mod documents;
#[path = "../exposition/mod.rs"]
mod exposition;
mod metrics;
mod requests;
mod simulation;
mod support;
