//! The benchmark of the whole: real services as child processes, and one table of figures, each beside its limit.
//!
//! # Layout, in reading order
//! - [`maker`]: keys, transactions and blocks, made before a clock starts. [`load`]: the load generator.
//! - [`bare`], [`prototype`]: what is possible at best, measured in the same run on the same machine.
//! - [`services`], [`subject`]: the network that is measured.
//! - [`submit`], [`read`], [`blocks`], [`mining`]: what is measured. [`report`]: the table.
//!
//! Load, limits and services share all processors, so absolute figures are what one machine does with everything on it;
//! ratios are what to compare.

mod bare;
mod blocks;
mod load;
mod maker;
mod mining;
mod prototype;
mod read;
mod report;
mod services;
mod subject;
mod submit;

use std::{path::PathBuf, time::Duration};

use clap::Args;

use self::{
    maker::{SENDERS, processors},
    report::{Report, load_average},
    subject::Subject,
};
use crate::terminal::say;

/// Why the benchmark cannot go on.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measure the whole: transactions, reads, blocks, history, mining and memory, each beside what is possible at best.
///
/// Starts a tracker and peers as processes of this program on free ports, with their files in a directory that is deleted
/// at the end. All keys have 2048 bits, and all transactions are signed before the clock starts. Every limit (a program
/// that only decodes, verifies and commits; the signature library; SQLite; the nonce search) is measured in the same run:
/// compare ratios, since absolute figures move with the machine and with what else it does. Takes some minutes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// A short run, in which the figures vary more
    #[arg(long)]
    quick: bool,

    /// Measure only these, in this order
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    only: Vec<Part>,

    /// Where the files of the run are made. It should be on the disk that is to be measured, not in memory
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Whether the cost of a transaction grows with chain and ledger: first, since all others make the chain longer
    Growth,
    /// Durable POST /tx
    Submit,
    /// Reads
    Read,
    /// The history to a new peer
    History,
    /// A block of 1,000 known transactions (after history)
    Block,
    /// Mining, and the memory of an idle peer
    Mining,
}

impl Part {
    const ALL: [Self; 6] = [Self::Growth, Self::Submit, Self::Read, Self::History, Self::Block, Self::Mining];
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use clap::ValueEnum as _;
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

/// How much of everything.
#[derive(Debug)]
struct Scale {
    /// The directory for all files.
    under: PathBuf,
    /// How often rates are measured; the middle one counts.
    rounds: usize,
    /// Transactions of one measurement.
    submitted: usize,
    /// Reads of one measurement.
    reads: usize,
    /// How many transactions a long chain holds.
    confirmed: usize,
    /// How many transactions wait in a full ledger.
    pending: usize,
    /// How many blocks of known transactions there are of each kind.
    blocks: usize,
    /// How long one measurement of mining takes.
    mining: Duration,
}

impl Scale {
    fn of(options: &Options) -> Self {
        let under = options.directory.clone();
        if options.quick {
            let mining = Duration::from_secs(1);
            Self {
                under,
                rounds: 1,
                submitted: 5_000,
                reads: 5_000,
                confirmed: 20_000,
                pending: 10_000,
                blocks: 3,
                mining,
            }
        } else {
            let mining = Duration::from_secs(3);
            Self {
                under,
                rounds: 3,
                submitted: 20_000,
                reads: 30_000,
                confirmed: 100_000,
                pending: 40_000,
                blocks: 9,
                mining,
            }
        }
    }
}

/// Runs the benchmark.
///
/// # Errors
/// When a service does not start, or does not do what it should.
pub(crate) async fn run(options: Options) -> Result<(), String> {
    measure(&options).await.map_err(|error| error.to_string())
}

async fn measure(options: &Options) -> Result<(), Failure> {
    let scale = Scale::of(options);
    let mut report = Report::default();
    let busy = load_average();
    say(format!("{} processors; load average at the start {busy}; files in {}", processors(), scale.under.display()));
    if options.only.iter().any(|part| *part != Part::Mining) {
        let keys = maker::keys(SENDERS)?;
        let mut subject = Subject::start(&scale.under, &keys).await?;
        for part in options.only.iter().filter(|part| **part != Part::Mining) {
            match part {
                Part::Submit => submit::measure(&mut subject, &scale, &mut report).await?,
                Part::Read => read::measure(&mut subject, &scale, &mut report).await?,
                Part::Growth => submit::growth(&mut subject, &scale, &mut report).await?,
                Part::History => blocks::history(&mut subject, &scale, &mut report).await?,
                Part::Block => blocks::known(&mut subject, &scale, &mut report).await?,
                Part::Mining => {}
            }
        }
        subject.services.stop().await;
    }
    if options.only.contains(&Part::Mining) {
        mining::measure(&scale.under, &scale, &mut report).await?;
    }
    report.show();
    say(format!("\nLoad average: {busy} at the start, {} at the end, this run included.", load_average()));
    Ok(())
}
