//! The service crate from outside: real sockets, the server's loop, and the client against it.

mod calls;
mod connections;
mod requests;
mod simulation;
mod support;
