//! The whole network from the outside: real services on port 0, real SQLite files, real RSA, over HTTP. One module for
//! each numbered step of DESIGN.md section 1, and then what cuts across them.

mod kit;

mod step_1_registration;
mod step_2_3_sending;
mod step_4_mining;
mod step_5_queue;
mod step_6_liveness;
mod step_7_history;

mod activity;
mod anti_entropy;
mod api;
mod chaos;
mod delivery;
mod fault_delivery;
mod fault_figures;
mod fault_membership;
mod forks;
mod membership;
mod program;
mod restart;
mod soak;
mod version;
