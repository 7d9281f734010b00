//! What the network does by itself, if that is wanted: a block every so often, a block for whatever was sent, and traffic
//! between the peers. All of it goes through the owners' routes, as a person's commands do.

mod caller;
mod mining;
mod traffic;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Args;
use tokio_util::sync::CancellationToken;

use self::caller::Caller;
use crate::plan::{Role, Service};

/// What is to happen by itself.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What happens by itself")]
pub(crate) struct Wanted {
    /// Have a block mined every so often, such as 10s or 500ms; the peers take turns
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) auto_mine: Option<Duration>,

    /// Have a block mined whenever a transaction waits, by the peer that has it first
    #[arg(long)]
    pub(crate) mine_on_send: bool,

    /// Let the peers send each other so many messages a second, every other one with money once there is some; 0.1 is
    /// one in ten seconds. They are confirmed by blocks, so let there be some
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) tx_rate: Option<f64>,
}

/// What has happened by itself so far.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    blocks: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
    last_refusal: Mutex<String>,
}

impl Activity {
    /// Begins what is wanted, and goes on until the end; none if nothing is.
    pub(crate) fn start(wanted: &Wanted, services: &[Service], end: &CancellationToken) -> io::Result<Option<Self>> {
        if wanted.in_words().is_empty() {
            return Ok(None);
        }
        let peers: Arc<[Service]> = services.iter().filter(|service| service.role == Role::Peer).cloned().collect();
        let (caller, counts) = (Caller::new(peers)?, Arc::<Counts>::default());
        if let Some(period) = wanted.auto_mine {
            let work = mining::every(caller.clone(), period, Arc::clone(&counts));
            tokio::spawn(end.clone().run_until_cancelled_owned(work));
        }
        if wanted.mine_on_send {
            let work = mining::whatever_waits(caller.clone(), Arc::clone(&counts));
            tokio::spawn(end.clone().run_until_cancelled_owned(work));
        }
        if let Some(rate) = wanted.tx_rate {
            let work = traffic::send(caller, rate, Arc::clone(&counts));
            tokio::spawn(end.clone().run_until_cancelled_owned(work));
        }
        Ok(Some(Self(counts)))
    }

    /// What has happened so far, for people.
    pub(crate) fn told(&self) -> String {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { blocks, sent, refused, last_refusal } = &*self.0;
        let (blocks, sent, refused) = (read(blocks), read(sent), read(refused));
        let last = last_refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let why = if last.is_empty() { String::new() } else { format!(" (the last time: {last})") };
        format!("  By itself: {blocks} blocks mined, {sent} transactions sent, {refused} refused{why}")
    }
}

impl Counts {
    fn mined(&self) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
    }

    fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    fn refused(&self, why: String) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        *self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

impl Wanted {
    /// What happens by itself, for people; empty if nothing does.
    pub(crate) fn in_words(&self) -> String {
        let mining = match (self.auto_mine, self.mine_on_send) {
            (Some(period), also) => {
                let also = if also { " and whenever a transaction waits" } else { "" };
                Some(format!("a block is mined every {}{also}", humantime::format_duration(period)))
            }
            (None, true) => Some(String::from("a block is mined whenever a transaction waits")),
            (None, false) => None,
        };
        let traffic = self.tx_rate.map(|rate| format!("{rate} messages a second go between the peers"));
        mining.into_iter().chain(traffic).collect::<Vec<_>>().join(", and ")
    }
}

fn period(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(period) if period >= Duration::from_millis(100) => Ok(period),
        Ok(_) => Err(String::from("a tenth of a second (100ms) is the shortest")),
        Err(error) => Err(format!("{error}; write it like 10s or 500ms")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=1_000.0).contains(&rate) => Ok(rate),
        _ => Err(String::from("it is a number from 0.01 to 1000")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Wanted, period, rate};

    #[test]
    fn times_and_rates_have_sensible_bounds() {
        assert_eq!(period("10s").unwrap(), Duration::from_secs(10));
        for wrong in ["0s", "10", "99ms", "soon"] {
            assert!(period(wrong).is_err(), "{wrong}");
        }
        assert_eq!((rate("0.1"), rate("1000")), (Ok(0.1), Ok(1_000.0)));
        for wrong in ["0", "-1", "NaN", "inf", "1001", "many"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_happens_by_itself_is_said_in_words() {
        let both = Wanted { auto_mine: Some(Duration::from_secs(10)), mine_on_send: true, tx_rate: Some(0.5) };
        assert_eq!(
            both.in_words(),
            "a block is mined every 10s and whenever a transaction waits, and 0.5 messages a second go between the peers"
        );
        assert_eq!(Wanted::default().in_words(), "");
    }
}
