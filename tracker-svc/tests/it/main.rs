//! A real tracker on port 0 with a real SQLite file, and small peers that only do what the tracker asks of them.

mod architecture;
mod document;
mod events;
mod genesis;
mod liveness;
mod operator;
mod queue;
mod registration;
mod service;
mod support;
mod timeline;
