//! How many requests are taken from one caller.
//!
//! Strangers are counted by their IP address (an IPv6 network of 64 bits counts as one), members by their key, with a
//! limit of their own. Loopback is spared: who is on this machine has other ways to keep it busy. A caller counts as a
//! member if it names one in `Raclette-From` and calls from that member's registered address, so that nobody uses up
//! what belongs to another.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};

use crate::problem::{Code, Problem};

/// After so many callers those that have not called for a while are forgotten.
const REMEMBERED: usize = 10_000;

/// Requests per second, and how many may come at once; none: as many as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

/// Says which member, by its address, calls from this IP address under this name (`Raclette-From`), if it is one.
pub type MemberLookup = Arc<dyn Fn(&str, IpAddr) -> Option<String> + Send + Sync>;

/// The limits of all callers. A clone counts together with it.
#[derive(Clone)]
pub struct RateLimits(Arc<Inner>);

struct Inner {
    strangers: Option<Counter<IpAddr>>,
    members: Option<Counter<String>>,
    lookup: Option<MemberLookup>,
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits").finish_non_exhaustive()
    }
}

impl RateLimits {
    /// Limits for strangers and for members; none: no limit. Without a lookup everybody is a stranger.
    #[must_use]
    pub fn new(strangers: Option<Rate>, members: Option<Rate>, lookup: Option<MemberLookup>) -> Self {
        let (strangers, members) = (strangers.map(Counter::new), members.map(Counter::new));
        Self(Arc::new(Inner { strangers, members, lookup }))
    }

    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        Self::new(None, None, None)
    }

    /// Counts a request of this caller.
    ///
    /// # Errors
    /// 429 `too_many_requests` with `Retry-After`.
    pub fn check(&self, ip: IpAddr, named: Option<&str>) -> Result<(), Problem> {
        let ip = ip.to_canonical();
        if ip.is_loopback() {
            return Ok(());
        }
        let member = named.zip(self.0.lookup.as_ref()).and_then(|(named, lookup)| lookup(named, ip));
        let (counted, who) = match member {
            Some(member) => (self.0.members.as_ref().map_or(Ok(()), |counter| counter.count(&member)), "this member"),
            None => (self.0.strangers.as_ref().map_or(Ok(()), |counter| counter.count(&network(ip))), "this address"),
        };
        counted.map_err(|wait| {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Problem::new(Code::TooManyRequests, format!("More requests came from {who} than this service takes."))
                .retry_after(seconds.max(1))
                .mend("wait as long as Retry-After says; the limits are settings of the service (--rate-limit)")
        })
    }
}

/// Whoever has an IPv6 address has a whole network of them.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

struct Counter<K: std::hash::Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
    clock: DefaultClock,
}

impl<K: std::hash::Hash + Eq + Clone> Counter<K> {
    fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self { limiter: RateLimiter::hashmap(quota), clock: DefaultClock::default() }
    }

    /// Counts one, or says how long to wait.
    fn count(&self, key: &K) -> Result<(), Duration> {
        if self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

    use super::{Rate, RateLimits};
    use crate::problem::Code;

    fn rate(burst: u32) -> Option<Rate> {
        NonZeroU32::new(burst).map(|burst| Rate { per_second: NonZeroU32::MIN, burst })
    }

    #[track_caller]
    fn allowed(limits: &RateLimits, ip: &str, named: Option<&str>) -> usize {
        let ip: IpAddr = ip.parse().unwrap();
        (0..100).filter(|_| limits.check(ip, named).is_ok()).count()
    }

    #[test]
    fn a_stranger_gets_429_with_retry_after_and_others_are_not_touched() {
        let limits = RateLimits::new(rate(5), None, None);
        assert!((5..8).contains(&allowed(&limits, "192.168.1.7", None)));
        let problem = limits.check("192.168.1.7".parse().unwrap(), None).unwrap_err();
        assert_eq!(problem.code(), Code::TooManyRequests);
        assert!(problem.details().retry_after.unwrap() >= 1);
        assert!(limits.check("192.168.1.8".parse().unwrap(), None).is_ok());
    }

    #[test]
    fn a_whole_network_of_version_6_counts_as_one() {
        let limits = RateLimits::new(rate(2), None, None);
        assert!(allowed(&limits, "fd00::1", None) < 5);
        assert!(limits.check("fd00::2".parse().unwrap(), None).is_err());
        assert!(limits.check("fd00:0:0:1::2".parse().unwrap(), None).is_ok());
    }

    #[test]
    fn loopback_is_spared() {
        let limits = RateLimits::new(rate(1), rate(1), None);
        assert_eq!(allowed(&limits, "127.0.0.1", None), 100);
        assert_eq!(allowed(&limits, "::ffff:127.0.0.1", None), 100);
    }

    #[test]
    fn a_member_is_counted_by_its_key_and_only_where_it_is_registered() {
        let lookup = |named: &str, ip: IpAddr| {
            (named == "rac1bob" && ip == IpAddr::from([192, 168, 1, 20])).then(|| named.to_owned())
        };
        let limits = RateLimits::new(rate(1), rate(50), Some(Arc::new(lookup)));
        assert!(allowed(&limits, "192.168.1.99", Some("rac1bob")) < 5, "bob is not there");
        assert!(allowed(&limits, "192.168.1.20", Some("rac1bob")) >= 50, "and has lost nothing");
        assert!(allowed(&limits, "192.168.1.20", None) < 5);
    }
}
