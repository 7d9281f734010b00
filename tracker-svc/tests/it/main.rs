//! A real tracker on port 0 with a real SQLite file, and small peers that only do what the tracker asks of them.

mod architecture;
mod backup;
mod document;
mod events;
#[path = "../../../shared/service/tests/exposition/mod.rs"]
mod exposition;
mod genesis;
mod liveness;
mod metrics;
mod operator;
mod queue;
mod registration;
mod service;
mod support;
mod timeline;
