//! Showing the logs of the services on the terminal as they grow (`--verbose`).
//!
//! The services write to their files themselves, so that a terminal that is stopped never stops them; this only reads.

use std::{
    io::{self, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncSeekExt, BufReader},
    time::sleep,
};

use crate::{
    plan::Service,
    terminal::{Colour, complain, paint, say},
};

/// How often a log is looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// Shows what each service writes from now on, for as long as devnet runs.
pub(crate) fn logs<'a>(services: impl Iterator<Item = &'a Service>) {
    for (index, service) in services.enumerate() {
        let prefix = paint(&format!("{:<10} |", service.name), Colour::of_service(index));
        let path = service.log_file();
        tokio::spawn(async move {
            if let Err(error) = follow(path.clone(), &prefix).await {
                complain(format!("the log {} cannot be shown any more: {error}", path.display()));
            }
        });
    }
}

async fn follow(path: PathBuf, prefix: &str) -> io::Result<()> {
    // The file is made here if the service has not done so yet, and what earlier runs wrote is skipped.
    let mut file = File::options().read(true).append(true).create(true).mode(0o600).open(path).await?;
    file.seek(SeekFrom::End(0)).await?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        let read = reader.read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\n") {
            say(format!("{prefix} {}", String::from_utf8_lossy(&line).trim_end()));
            line.clear();
        } else if read == 0 {
            sleep(PERIOD).await;
        }
    }
}
