//! How many connections there may be, in all and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The connections that there may be. The lock is held for a few instructions and never across an await.
#[derive(Debug, Clone)]
pub(super) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    most_per_ip: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_ip: HashMap<IpAddr, usize>,
    /// Whether the last connection was turned away: only the first of a series is worth a warning.
    full: bool,
}

/// The right to one connection, given back on drop.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    ip: IpAddr,
}

impl Slots {
    pub(super) fn new(most: usize, most_per_ip: usize) -> Self {
        Self(Arc::new(Inner { most, most_per_ip, counts: Mutex::default() }))
    }

    /// A slot, unless there are as many connections as there may be.
    pub(super) fn take(&self, ip: IpAddr) -> Option<Slot> {
        let ip = ip.to_canonical();
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let from_ip = counts.by_ip.get(&ip).copied().unwrap_or(0);
        if counts.all >= self.0.most || (from_ip >= self.0.most_per_ip && !ip.is_loopback()) {
            if !counts.full {
                tracing::warn!(%ip, all = counts.all, from_ip, "too many connections: new ones are turned away");
            }
            counts.full = true;
            return None;
        }
        counts.full = false;
        counts.all += 1;
        *counts.by_ip.entry(ip).or_insert(0) += 1;
        Some(Slot { slots: self.clone(), ip })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.slots.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(from_ip) = counts.by_ip.get_mut(&self.ip) {
            *from_ip -= 1;
            if *from_ip == 0 {
                counts.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn one_address_cannot_take_all_slots_but_loopback_may() {
        let slots = Slots::new(5, 2);
        let take = |ip: &str| slots.take(ip.parse().unwrap());
        let held = [take("192.168.0.1"), take("::ffff:192.168.0.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(take("192.168.0.1").is_none());
        let local: Vec<_> = (0..3).map(|_| take("127.0.0.1")).collect();
        assert!(local.iter().all(Option::is_some));
        assert!(take("127.0.0.1").is_none(), "the bound on all connections holds for loopback too");
        drop(held);
        assert!(take("192.168.0.1").is_some());
    }

    #[test]
    fn addresses_without_connections_are_forgotten() {
        let slots = Slots::new(5, 2);
        drop(slots.take("10.0.0.1".parse().unwrap()));
        assert!(slots.0.counts.lock().unwrap().by_ip.is_empty());
    }
}
