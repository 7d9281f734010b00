//! Putting a copy of a service's database back in its place.

use std::path::{Path, PathBuf};

use clap::Args;
use raclette_service::backup::Restored;

use crate::terminal::say;

/// What to put back, and where.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The copy, such as raclette-data/alice/backups/peer-20260101T000130.250Z.sqlite
    copy: PathBuf,

    /// The data directory of the service, which must not run [default: the one whose folder "backups" holds the copy]
    #[arg(long, env = "RACLETTE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Puts the copy in the place of the database.
///
/// # Errors
/// Why not; nothing has changed then.
pub(crate) async fn run(Options { copy, data_dir }: Options) -> Result<(), String> {
    let directory = data_dir.or_else(|| beside(&copy)).ok_or_else(|| {
        format!("{} is in no folder \"backups\" of a data directory; say which one with --data-dir", copy.display())
    })?;
    let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let restored = match name.split('-').next() {
        Some("peer") => peer_svc::restore(&directory, &copy).await,
        Some("tracker") => tracker_svc::restore(&directory, &copy).await,
        _ => return Err(format!("{name:?} is no copy's name; those begin with peer- or tracker-")),
    };
    say(told(&directory, &restored.map_err(|error| error.to_string())?));
    Ok(())
}

/// The data directory whose folder this copy is in.
fn beside(copy: &Path) -> Option<PathBuf> {
    let folder = copy.parent().filter(|folder| folder.file_name().is_some_and(|name| name == "backups"))?;
    let directory = folder.parent()?;
    Some(if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory.to_owned() })
}

/// What was done, for people.
fn told(directory: &Path, Restored { contents, described, aside }: &Restored) -> String {
    let mut lines = vec![format!("The copy is checked and in its place in {}.", directory.display())];
    if let Some(described) = described {
        lines.push(format!("It was made by the {} with the address {}.", described.service, described.address));
    }
    if let (Some(height), Some(tip)) = (contents.height, &contents.tip) {
        lines.push(format!("Its tip is block {tip} at height {height}; what came later is fetched from other peers."));
    }
    if let Some(members) = contents.members {
        lines.push(format!("It knows {members} members; who came later registers again."));
    }
    if let Some(aside) = aside {
        lines.push(format!("What was there is kept as {}.", aside.display()));
    }
    lines.push(String::from("Key and token are as they were: no copy holds them."));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::beside;

    #[test]
    fn the_data_directory_is_the_one_that_the_copy_came_from() {
        for (copy, directory) in [
            ("raclette-data/alice/backups/peer-1.sqlite", Some("raclette-data/alice")),
            ("/data/backups/peer-1.sqlite", Some("/data")),
            ("backups/peer-1.sqlite", Some(".")),
            ("elsewhere/peer-1.sqlite", None),
            ("peer-1.sqlite", None),
        ] {
            assert_eq!(beside(Path::new(copy)), directory.map(PathBuf::from), "{copy}");
        }
    }
}
