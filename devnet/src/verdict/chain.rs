//! Money, blocks and tips: invariants 1 to 6.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, History, Node};

/// 1. At every height what was minted is what is owned, nobody owns less than nothing, and the accounts that a node keeps
///    are what its own chain leads to.
pub(super) fn conservation(_: &History, evidence: &Evidence) -> Vec<String> {
    evidence.nodes.iter().filter_map(|node| books(node).err().map(|error| format!("{}: {error}", node.name))).collect()
}

/// Keeps the books of a chain, block by block.
fn books(node: &Node) -> Result<(), String> {
    let mut balances: BTreeMap<&str, i128> = BTreeMap::new();
    let mut sequences: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut minted, mut fees, mut subsidy) = (0_i128, 0_i128, None);
    for block in &node.chain {
        let mut block_fees = 0;
        for payment in &block.payments {
            let (amount, fee) = (i128::from(payment.amount), i128::from(payment.fee));
            let sender = balances.entry(&payment.sender).or_default();
            *sender -= amount + fee;
            if *sender < 0 {
                return Err(format!("{} owns {sender} in block {}", payment.sender, block.height));
            }
            *balances.entry(&payment.recipient).or_default() += amount;
            sequences.insert(&payment.sender, payment.sequence + 1);
            block_fees += fee;
        }
        // A soak is too short for the reward to halve.
        let subsidy = *subsidy.get_or_insert(i128::from(block.reward) - block_fees);
        if i128::from(block.reward) - block_fees != subsidy {
            return Err(format!("block {} mints {} and takes {block_fees} of fees", block.height, block.reward));
        }
        *balances.entry(&block.miner).or_default() += i128::from(block.reward);
        minted += i128::from(block.reward);
        fees += block_fees;
        let owned: i128 = balances.values().sum();
        if owned != minted - fees {
            return Err(format!("{owned} is owned in block {}, {} was minted", block.height, minted - fees));
        }
    }
    let kept = |address: &str| node.accounts.get(address).copied().unwrap_or_default();
    for address in balances.keys().copied().chain(node.accounts.keys().map(String::as_str)) {
        let expected =
            (balances.get(address).copied().unwrap_or_default(), sequences.get(address).copied().unwrap_or_default());
        let (balance, sequence) = kept(address);
        if (i128::from(balance), sequence) != expected {
            return Err(format!("{address} has {:?}, its chain says {expected:?}", (balance, sequence)));
        }
    }
    Ok(())
}

/// 2. Each sequence number of an account, and each id, is in a chain at most once.
pub(super) fn no_double_spend(_: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for node in &evidence.nodes {
        let (mut ids, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        for payment in node.chain.iter().flat_map(|block| &block.payments) {
            if !ids.insert(&payment.id) {
                found.push(format!("{}: {} is confirmed twice", node.name, payment.id));
            }
            if !numbers.insert((&payment.sender, payment.sequence)) {
                found.push(format!("{}: {} spends number {} twice", node.name, payment.sender, payment.sequence));
            }
        }
    }
    found
}

/// 3. Whoever has a block has the same state after it: now, and whenever somebody looked.
pub(super) fn same_state(history: &History, evidence: &Evidence) -> Vec<String> {
    let mut states: BTreeMap<(u32, &str), (&str, &str)> = BTreeMap::new();
    let now = evidence.nodes.iter().flat_map(|node| {
        node.chain
            .iter()
            .map(|block| (block.height, block.hash.as_str(), block.state_hash.as_str(), node.name.as_str()))
    });
    let then = history.observations.iter().map(|seen| (seen.height, &*seen.hash, &*seen.state_hash, &*seen.node));
    let mut found = Vec::new();
    for (height, hash, state, node) in now.chain(then) {
        let (first, by) = *states.entry((height, hash)).or_insert((state, node));
        if first != state {
            found.push(format!("block {height} {hash} means {first} at {by} and {state} at {node}"));
        }
    }
    found.dedup();
    found
}

/// 4. Every chain is whole, spends in order, and passes the audit of its node, which reads the stored bytes anew.
pub(super) fn validity(_: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for node in &evidence.nodes {
        found.extend(node.audit.iter().map(|fault| format!("{}: the audit says: {fault}", node.name)));
        let mut next: BTreeMap<&str, u64> = BTreeMap::new();
        let mut previous = None;
        for (block, height) in node.chain.iter().zip(1..) {
            if block.height != height || previous.is_some_and(|hash| hash != block.previous) {
                found.push(format!("{}: block {} does not follow the one before", node.name, block.height));
            }
            previous = Some(block.hash.as_str());
            for payment in &block.payments {
                let expected = next.entry(&payment.sender).or_default();
                if payment.sequence != *expected {
                    let number = payment.sequence;
                    found.push(format!("{}: {} has number {number}, expected {expected}", node.name, payment.id));
                }
                *expected = payment.sequence + 1;
            }
        }
    }
    found
}

/// 5. The work behind a node's tip never falls.
pub(super) fn monotone_work(history: &History, _: &Evidence) -> Vec<String> {
    let mut highest: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    let mut found = Vec::new();
    for seen in &history.observations {
        let work = seen.work.trim_start_matches('0');
        let (before, at) = *highest.get(seen.node.as_str()).unwrap_or(&("", 0));
        // Numbers without leading zeros: the longer one is greater.
        if (work.len(), work) < (before.len(), before) {
            found.push(format!("{} had work {before} after {at} ms and {work} after {} ms", seen.node, seen.at));
        } else {
            highest.insert(&seen.node, (work, seen.at));
        }
    }
    found
}

/// 6. A node's tip has the most work of all valid blocks that it has stored, and among equals the lowest hash.
pub(super) fn best_tip(_: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for node in &evidence.nodes {
        let valid = node.stored.iter().filter(|block| !block.invalid);
        let best = valid.min_by(|one, other| other.height.cmp(&one.height).then_with(|| one.hash.cmp(&other.hash)));
        let tip = node.chain.last().map(|block| &block.hash);
        // The genesis block is stored too, and is nobody's tip once there are others.
        if let (Some(best), Some(tip)) = (best, tip)
            && best.hash != *tip
        {
            found.push(format!("{}: the tip is {tip}, but {} at {} is better", node.name, best.hash, best.height));
        }
    }
    found
}
