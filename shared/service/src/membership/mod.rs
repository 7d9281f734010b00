//! Who belongs to the network, as two pure state machines: no clock, no sockets, no disk.
//!
//! - [`tracker`]: the tracker's register. It hears of registrations, farewells and rounds of probes, and says what to store
//!   and whom to tell the others about.
//! - [`directory`]: a peer's own list. It hears the tracker's notices and keeps what is newest.
//!
//! Both order what they hear by **epoch** (raised by the peer at each registration) and **version** (raised by the tracker at
//! each change). Only what is greater than what is known counts, so that late and repeated news do no harm.

pub mod directory;
pub mod tracker;

pub use self::{
    directory::{KnownPeer, News, Outcome, PeerDirectory},
    tracker::{
        Effects, Event, Finding, Happening, Listed, Member, MemberState, Newcomer, Pace, Probe, Prober, Refusal,
        Register, RegisterSettings, Round, StoredMember, StoredRegister, Testimony, Tombstone,
        announcing::{self, Acknowledged, Announced, Teller},
        base_url, run_round,
    },
};
