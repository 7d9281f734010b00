//! The JSON messages of the Raclette protocol.
//!
//! JSON only carries: what is signed or hashed is a byte string of its own ([`signing`], and `raclette-chain`). A struct
//! in here is what stands on the wire; its conversions to the types of `raclette-chain` are where text becomes a value,
//! and they are strict: one spelling for each byte string, no integer above 2^53 - 1, no unknown member in a request. A
//! conversion that fails names the field, what was expected and what was found ([`ApiError`]).
//!
//! # Layout, in reading order
//! - [`error`], [`encoding`], [`schema`], [`example`]: what all messages share.
//! - [`network`]: what a network is. [`membership`], [`notice`]: who belongs to it. [`signing`]: what they sign.
//! - [`timeline`], [`agreement`]: what a tracker has seen happen, and whether its peers agree.
//! - [`transaction`], [`submission`], [`build`], [`message`], [`receipt`], [`block`], [`chain`]: the chain and the ledger.
//! - [`wallet`], [`conversation`], [`mining`], [`queue`], [`ban`], [`chaos`]: what a peer shows to its owner. [`event`]: what
//!   happens, one by one.
//! - [`explain`], [`history`]: why something was accepted or refused, and what happened. [`propagation`]: who has it.

pub mod agreement;
pub mod ban;
pub mod block;
pub mod build;
pub mod chain;
pub mod chaos;
pub mod conversation;
pub mod encoding;
pub mod error;
pub mod event;
pub mod example;
pub mod explain;
pub mod history;
pub mod membership;
pub mod message;
pub mod mining;
pub mod network;
pub mod notice;
pub mod propagation;
pub mod queue;
pub mod receipt;
pub mod schema;
pub mod signing;
pub mod submission;
pub mod timeline;
pub mod transaction;
pub mod wallet;

pub use error::{ApiError, Fault};
pub use raclette_chain::PROTOCOL_VERSION;

/// The header with which every answer names the address of the service that gives it, so that another process on the same
/// port is not taken for it.
pub const ADDRESS_HEADER: &str = "raclette-address";
/// The header with which a peer names itself in a request: a hint, never a proof.
pub const FROM_HEADER: &str = "raclette-from";
/// The header that carries a network's join token in a registration.
pub const JOIN_TOKEN_HEADER: &str = "raclette-join-token";
