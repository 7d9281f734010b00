//! What both Raclette services stand on.
//!
//! In reading order: what an error looks like ([`problem`]), how requests are read ([`extract`]) and who may make them
//! ([`access`]), answers of a kind ([`answer`]), what every answer gets ([`layers`], [`request_id`]), the loop that serves
//! connections ([`server`]), how a service calls another one ([`client`], with [`chaos`] on the way), what a service shows
//! about itself ([`docs`], [`health`], [`metrics`], [`page`], [`build`]), and what it needs to run ([`config`], [`data_dir`],
//! [`sqlite`], [`telemetry`], [`tasks`], [`clock`],
//! [`dice`], [`mod@crash_point`]). [`membership`], [`queue`], [`events`] and [`backup`] are what both do beyond that.
//!
//! Nothing here knows what a tracker or a peer is. The crate runs on Unix: it relies on file modes and signals.

pub mod problem;
pub mod progress;

pub mod extract;

pub mod access;
pub mod answer;
pub mod layers;
pub mod request_id;
pub mod server;

pub mod chaos;
pub mod client;

pub mod build;
pub mod docs;
pub mod health;
pub mod metrics;
pub mod page;

pub mod config;
pub mod data_dir;
pub mod tasks;
pub mod telemetry;

pub mod clock;
pub mod crash_point;
pub mod dice;
mod panic;
pub mod planted;

pub mod backup;
pub mod events;
pub mod membership;
pub mod queue;
pub mod sqlite;
