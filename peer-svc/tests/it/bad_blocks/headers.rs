//! Headers that break a rule, with all the work that they claim.

use std::time::Duration;

use raclette_chain::{
    block::Block,
    hash::{BlockHash, MerkleRoot},
    header::Header,
    target::{CompactTarget, Target},
    time::Timestamp,
};

use super::{Ground, Row, Rule, Sent, Status};
use crate::craft::{NOWHERE, from_now};

/// A good block with its header changed after it is committed to its body.
fn with(ground: &Ground, change: impl FnOnce(&mut Header)) -> Sent {
    let peer = &ground.peer;
    let block = peer.next_block(Vec::new());
    let mut draft = peer.draft(Vec::new());
    draft.header = *block.header();
    change(&mut draft.header);
    ground.whole(&draft.uncommitted())
}

fn with_target(ground: &Ground, bits: u32) -> Sent {
    with(ground, |header| header.target = CompactTarget::from_bits(bits))
}

/// A block of this time, with the target that follows from it.
fn made_at(ground: &Ground, time: Timestamp) -> Sent {
    let draft = ground.peer.draft(Vec::new()).at(time, &ground.peer);
    ground.whole(&ground.peer.commit(draft))
}

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "a version from the future",
        answered: Rule("unknown_version"),
        make: |ground| with(ground, |header| header.version = 2),
    },
    Row {
        what: "version 0",
        answered: Rule("unknown_version"),
        make: |ground| with(ground, |header| header.version = 0),
    },
    Row {
        what: "the largest version",
        answered: Rule("unknown_version"),
        make: |ground| with(ground, |header| header.version = u32::MAX),
    },
    Row {
        what: "a parent that nobody knows",
        answered: Status("orphan"),
        make: |ground| with(ground, |header| header.previous = NOWHERE),
    },
    Row {
        what: "no parent",
        answered: Status("orphan"),
        make: |ground| with(ground, |header| header.previous = BlockHash::ZERO),
    },
    Row {
        what: "a block of another network",
        answered: Status("orphan"),
        make: |ground| {
            let other = crate::peer::genesis(crate::peer::HARD).header().hash();
            with(ground, |header| {
                header.previous = other;
                header.height = 1;
            })
        },
    },
    Row {
        what: "the genesis block for a parent",
        answered: Rule("wrong_height"),
        make: |ground| {
            let genesis = ground.peer.node.state().unwrap().index.at(0).unwrap().hash;
            with(ground, |header| header.previous = genesis)
        },
    },
    Row {
        what: "the parent's height",
        answered: Rule("wrong_height"),
        make: |ground| with(ground, |header| header.height -= 1),
    },
    Row {
        what: "a height left out",
        answered: Rule("wrong_height"),
        make: |ground| with(ground, |header| header.height += 1),
    },
    Row { what: "height 0", answered: Rule("wrong_height"), make: |ground| with(ground, |header| header.height = 0) },
    Row {
        what: "the largest height",
        answered: Rule("wrong_height"),
        make: |ground| with(ground, |header| header.height = u32::MAX),
    },
    Row {
        what: "an easier target than follows",
        answered: Rule("wrong_target"),
        make: |ground| with(ground, |header| header.target = Target::of_bits(3).compact()),
    },
    Row {
        what: "a harder target than follows",
        answered: Rule("wrong_target"),
        make: |ground| with(ground, |header| header.target = Target::of_bits(8).compact()),
    },
    Row {
        what: "a target in another spelling",
        answered: Rule("wrong_target"),
        make: |ground| with_target(ground, 0x2100_0003),
    },
    Row { what: "target 0", answered: Rule("wrong_target"), make: |ground| with_target(ground, 0) },
    Row { what: "a negative target", answered: Rule("wrong_target"), make: |ground| with_target(ground, 0x2083_ffff) },
    Row {
        what: "a target of more than 256 bits",
        answered: Rule("wrong_target"),
        make: |ground| with_target(ground, 0xff00_ffff),
    },
    Row {
        what: "a hash above the target",
        answered: Rule("not_enough_work"),
        make: |ground| {
            let block = ground.peer.next_block(Vec::new());
            let mut header = *block.header();
            let target = header.target.expand().unwrap();
            while target.is_met_by(&header.hash()) {
                header.nonce += 1;
            }
            ground.whole(&Block::new(header, *block.reward(), Vec::new()))
        },
    },
    Row {
        what: "the median time itself",
        answered: Rule("time_too_old"),
        make: |ground| made_at(ground, ground.median()),
    },
    Row {
        what: "a time before the genesis block",
        answered: Rule("time_too_old"),
        make: |ground| made_at(ground, Timestamp::new(1).unwrap()),
    },
    Row { what: "time 0", answered: Rule("time_too_old"), make: |ground| made_at(ground, Timestamp::default()) },
    Row {
        what: "a time of more than two hours ahead",
        answered: Rule("time_too_new"),
        make: |ground| made_at(ground, from_now(2 * 3_600_000 + 60_000)),
    },
    Row {
        what: "the latest time there is",
        answered: Rule("time_too_new"),
        make: |ground| made_at(ground, Timestamp::MAX),
    },
    Row {
        what: "a child of a block that broke a rule of headers, with a body that cannot be read",
        answered: Rule("known_invalid"),
        make: |ground| {
            // The parent is the block with the median time of the row above, which cost its sender work.
            let peer = &ground.peer;
            let parent = peer.commit(peer.draft(Vec::new()).at(ground.median(), peer));
            let mut draft = peer.draft(Vec::new());
            draft.header.previous = parent.hash();
            draft.header.height += 1;
            draft.header.time = parent.header().time.saturating_add(Duration::from_secs(60));
            let mut body = peer.json(&peer.commit(draft));
            body["reward"]["miner"] = "nobody".into();
            Sent::text(body.to_string())
        },
    },
    Row {
        what: "a root of zeros",
        answered: Rule("wrong_merkle_root"),
        make: |ground| with(ground, |header| header.merkle_root = MerkleRoot::ZERO),
    },
];
