//! Membership and the queue of a tracker and up to twenty peers, simulated: the state machines that the services run, over a
//! network that loses, delays, reorders and cuts, with a clock and randomness that belong to the seed.
//!
//! What is not simulated: signatures (who is asked answers truly), disks (rows are in memory), and whole nodes.

mod memory;
mod message;
mod people;
mod scenarios;
mod simulated_peer;
mod simulated_tracker;
mod table;
mod world;
