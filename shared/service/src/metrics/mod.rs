//! What a service counts and measures: `GET /metrics`, in the text format of Prometheus (version 0.0.4).
//!
//! Nothing is global, so that several services can live in one process: a service makes its [`Metrics`], which remember what
//! happens between two questions (requests). All else is read from the service's own state when somebody asks, into a
//! [`Scrape`] that lives as long as the answer: [`route()`] takes a function that does so. So nothing has to be kept in step
//! with the state, and what nobody asks for costs nothing.
//!
//! Names follow the conventions of Prometheus: `raclette_` first, base units as suffixes, counters end with `_total`. Labels
//! have bounded sets of values. `/metrics` is open to everybody and says nothing that a token protects.

mod process;
mod queue;
mod requests;
mod route;
mod scrape;

use std::time::SystemTime;

pub(crate) use self::requests::Requests;
pub use self::{
    queue::{DESTINATIONS, OTHERS},
    route::route,
    scrape::Scrape,
};
use crate::build::Build;

/// What one service remembers for whoever measures it. Clones are the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    build: Build,
    started: SystemTime,
    requests: Requests,
}

impl Metrics {
    /// Those of a service that starts now.
    #[must_use]
    pub fn new(build: Build) -> Self {
        Self { build, started: SystemTime::now(), requests: Requests::default() }
    }

    /// How requests are counted.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// What every service says.
    fn read(&self, scrape: &mut Scrape) {
        let Build { program, version, commit } = self.build;
        let build = [program, version, commit.unwrap_or("unknown")].map(str::to_owned);
        scrape.gauges(
            "build_info",
            "What runs here; the value is always 1",
            ["program", "version", "commit"],
            [(build, 1.0)],
        );
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        scrape.gauge("start_time_seconds", "When this service started, since 1970", started.as_secs_f64());
        self.requests.read(scrape);
        process::read(scrape);
    }
}
