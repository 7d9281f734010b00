//! The log: to standard error, for people or for machines.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

use crate::{
    config::{LogArgs, LogFormat},
    progress::AboveBar,
};

/// The filter of `--log` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("--log {filter:?}: {reason}; write it like info, or info,raclette_service=debug")]
pub struct FilterError {
    filter: String,
    reason: String,
}

/// Starts the log of this process. If it runs already, as when several services share a test process, the first
/// settings stay.
///
/// # Errors
/// The filter cannot be read.
pub fn init(arguments: &LogArgs) -> Result<(), FilterError> {
    let filter = EnvFilter::builder()
        .parse(&arguments.log)
        .map_err(|error| FilterError { filter: arguments.log.clone(), reason: error.to_string() })?;
    let log = fmt()
        // A line that cannot be written, as on a full disk, is lost. Complaining to standard error, which is where the line
        // was to go, would panic, and take the task with it that had something to say.
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(AboveBar::default)
        .with_ansi(io::stderr().is_terminal());
    let started = match arguments.log_format {
        LogFormat::Human => log.finish().try_init(),
        LogFormat::Json => log.json().flatten_event(true).finish().try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log runs already; its first settings stay");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::init;
    use crate::config::{LogArgs, LogFormat};

    #[test]
    fn starting_it_twice_is_fine_and_a_bad_filter_is_not() {
        let arguments = |log: &str| LogArgs { log: log.to_owned(), log_format: LogFormat::Json };
        init(&arguments("info")).unwrap();
        init(&arguments("warn,raclette_service=debug")).unwrap();
        let error = init(&arguments("raclette_service=loud")).unwrap_err().to_string();
        assert!(error.contains("loud"), "{error}");
    }
}
