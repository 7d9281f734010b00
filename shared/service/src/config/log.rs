//! What is logged, and how it is written.

use clap::{Args, ValueEnum};

/// What is logged, and how it is written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// What to log to standard error: error, warn, info, debug or trace; debug shows each request. Several filters, also
    /// for single modules, are separated by commas
    #[arg(long, env = "RACLETTE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How to write it: for people, or one JSON object a line for machines
    #[arg(long, env = "RACLETTE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}
