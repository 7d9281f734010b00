//! The queue of failed requests: how deep it is and how old, in all and for each destination, and what its drain has done.

use raclette_chain::time::Timestamp;

use super::Scrape;
use crate::queue::{Depth, QueueStatistics};

/// How many destinations are told apart: those with the oldest requests; the others are summed up as [`OTHERS`].
pub const DESTINATIONS: usize = 100;

/// The label of destinations beyond [`DESTINATIONS`]. No member can be called so.
pub const OTHERS: &str = "(others)";

impl Scrape {
    /// The queue, from what waits for each destination.
    pub fn queue(&mut self, mut depths: Vec<Depth>, now: Timestamp) {
        depths.sort_by_key(|depth| (depth.oldest.unwrap_or(Timestamp::MAX), depth.destination));
        let waiting = depths.iter().map(|depth| depth.waiting).sum();
        let dead = depths.iter().map(|depth| depth.dead).sum();
        let oldest = depths.first().and_then(|depth| depth.oldest);
        self.gauge("queue_requests_waiting", "Requests that have not arrived and are tried again", float(waiting));
        self.gauge("queue_requests_dead", "Requests that were refused for good", float(dead));
        self.gauge(
            "queue_oldest_request_age_seconds",
            "For how long the oldest waiting request has not arrived; 0 if none waits",
            age(oldest, now),
        );
        let shown = told_apart(depths);
        let counts = shown.iter().flat_map(|(name, depth)| {
            [("waiting", depth.waiting), ("dead", depth.dead)]
                .map(|(state, count)| ([name.clone(), state.to_owned()], float(count)))
        });
        self.gauges(
            "queue_destination_requests",
            "Requests in the queue by destination; destinations for which there are none are left out",
            ["destination", "state"],
            counts,
        );
        let ages = shown.iter().filter(|(_, depth)| depth.waiting > 0);
        self.gauges(
            "queue_destination_oldest_request_age_seconds",
            "For how long the oldest waiting request of a destination has not arrived",
            ["destination"],
            ages.map(|(name, depth)| ([name.clone()], age(depth.oldest, now))),
        );
    }

    /// What the drain has done since the service started.
    pub fn drain(&mut self, statistics: &QueueStatistics) {
        self.counter("queue_delivered", "Requests out of the queue that arrived", statistics.delivered);
        self.counter(
            "queue_failed_attempts",
            "Attempts out of the queue that failed and are repeated",
            statistics.failed,
        );
        self.counter("queue_buried", "Requests that were refused for good", statistics.buried);
        self.counter("queue_panics", "Panics in the drain that were caught", statistics.panics);
    }
}

/// The destinations with their labels: the first by their names, the rest as one.
fn told_apart(mut depths: Vec<Depth>) -> Vec<(String, Depth)> {
    let rest = depths.split_off(depths.len().min(DESTINATIONS));
    let sum = rest.into_iter().reduce(|mut sum, depth| {
        sum.waiting += depth.waiting;
        sum.dead += depth.dead;
        // They come oldest first.
        sum.oldest = sum.oldest.or(depth.oldest);
        sum
    });
    let named = depths.into_iter().map(|depth| {
        let name = if depth.name.is_empty() { depth.destination.to_string() } else { depth.name.clone() };
        (name, depth)
    });
    named.chain(sum.map(|sum| (String::from(OTHERS), sum))).collect()
}

fn age(oldest: Option<Timestamp>, now: Timestamp) -> f64 {
    let milliseconds = oldest.map_or(0, |oldest| now.milliseconds().saturating_sub(oldest.milliseconds()));
    float(milliseconds) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use raclette_chain::{address::Address, time::Timestamp};

    use super::{DESTINATIONS, OTHERS, Scrape};
    use crate::queue::Depth;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::new(milliseconds).unwrap()
    }

    fn depth(number: u8, name: &str, waiting: u64, oldest: Option<u64>) -> Depth {
        let destination = Address::from_bytes([number; 32]);
        Depth { destination, name: name.to_owned(), waiting, dead: 1, oldest: oldest.map(at) }
    }

    fn text(depths: Vec<Depth>) -> String {
        let mut scrape = Scrape::default();
        scrape.queue(depths, at(10_000));
        scrape.text().unwrap()
    }

    #[test]
    fn every_destination_has_its_depth_and_the_age_of_its_oldest_request() {
        let text = text(vec![depth(1, "alice", 2, Some(7_500)), depth(2, "", 0, None)]);
        let address = Address::from_bytes([2; 32]);
        for line in [
            "raclette_queue_requests_waiting 2",
            "raclette_queue_requests_dead 2",
            "raclette_queue_oldest_request_age_seconds 2.5",
            "raclette_queue_destination_requests{destination=\"alice\",state=\"waiting\"} 2",
            &format!("raclette_queue_destination_requests{{destination=\"{address}\",state=\"dead\"}} 1"),
            "raclette_queue_destination_oldest_request_age_seconds{destination=\"alice\"} 2.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains(&format!("age_seconds{{destination=\"{address}")), "nothing waits there\n{text}");
    }

    #[test]
    fn an_empty_queue_is_said_to_be_empty() {
        let text = text(Vec::new());
        assert!(text.contains("raclette_queue_requests_waiting 0\n"), "{text}");
        assert!(text.contains("raclette_queue_oldest_request_age_seconds 0\n"), "{text}");
    }

    #[test]
    fn many_destinations_do_not_make_many_series() {
        let more = 20;
        let depths = (0..DESTINATIONS as u64 + more)
            .map(|number| depth(number as u8, &format!("peer-{number}"), 1, Some(number)))
            .rev()
            .collect();
        let text = text(depths);
        let series = text.lines().filter(|line| line.starts_with("raclette_queue_destination_requests{")).count();
        assert_eq!(series, 2 * (DESTINATIONS + 1));
        assert!(text.contains("{destination=\"peer-0\",state=\"waiting\"} 1"), "the oldest are named\n{text}");
        assert!(text.contains(&format!("{{destination=\"{OTHERS}\",state=\"waiting\"}} {more}")), "{text}");
        assert!(text.contains("raclette_queue_requests_waiting 120"), "{text}");
    }
}
