//! Trials of whole networks: what the end-to-end tests and the soak share.
//!
//! - [`proxy`]: a TCP proxy between real services that delays, drops, holds back, resets and cuts what passes.
//! - [`verdict`]: what must hold after a soak, checked from what its clients wrote down and what its services hold.

pub mod proxy;
pub mod verdict;
