//! Who may do what: the owner's token, and the host names that the service answers to.

mod hosts;
mod owner;
mod token;

pub use self::{
    hosts::HostAllowList,
    owner::{OwnerGate, SECURITY_SCHEME, owner_only},
    token::{Token, TokenError},
};
