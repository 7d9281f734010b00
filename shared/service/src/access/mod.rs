//! Who may do what, and how often: the owner's token, the host names that the service answers to, and rate limits.

mod hosts;
mod owner;
mod rate;
mod token;

pub(crate) use self::hosts::is_probe_path;
pub use self::{
    hosts::HostAllowList,
    owner::{OwnerGate, SECURITY_SCHEME, owner_only},
    rate::{MemberLookup, Rate, RateLimits},
    token::{Token, TokenError},
};
