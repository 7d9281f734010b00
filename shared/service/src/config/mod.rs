//! Settings that both services have: groups of flags, each with an environment variable.
//!
//! A service flattens the groups that it needs into its own `clap` struct.

mod access;
pub mod host_name;
mod limits;
mod listen;
mod log;

pub use self::{
    access::AccessArgs,
    limits::LimitArgs,
    listen::{ListenArgs, ListenError},
    log::{LogArgs, LogFormat},
};
