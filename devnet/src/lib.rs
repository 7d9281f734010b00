//! Trials of whole networks: what the end-to-end tests and the soak share.
//!
//! - [`proxy`]: a TCP proxy between real services that delays, drops, holds back, resets and cuts what passes.

pub mod proxy;
