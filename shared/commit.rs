//! The build script of all programs: says which commit they are built from, for `--version`, `/status` and `/metrics`.
//!
//! It reads the files of Git and needs no `git`; the variable `RACLETTE_COMMIT` counts more, for builds without a repository
//! such as those in containers. Only release builds name a commit by themselves: otherwise every commit would build all of a
//! developer's programs and tests anew, and a commit would not say what was built either, since most of these builds hold
//! changes that are not committed.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// How many digits of a commit are shown.
const DIGITS: usize = 12;

/// A commit, and the files that change when another one takes its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) commit: String,
    pub(crate) files: Vec<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]
fn main() {
    println!("cargo::rerun-if-changed=../shared/commit.rs");
    println!("cargo::rerun-if-env-changed=RACLETTE_COMMIT");
    let given = env::var("RACLETTE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match given {
        Some(commit) => Some(commit),
        None if is_release => find(Path::new("..")).map(|found| {
            for file in found.files {
                println!("cargo::rerun-if-changed={}", file.display());
            }
            found.commit
        }),
        None => None,
    };
    let commit = commit.map(|commit| commit.chars().take(DIGITS).collect::<String>());
    let number = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match &commit {
        Some(commit) => format!("{number} (commit {commit})"),
        None if is_release => format!("{number} (commit unknown)"),
        None => format!("{number} (development build)"),
    };
    println!("cargo::rustc-env=RACLETTE_VERSION={version}");
    if let Some(commit) = commit {
        println!("cargo::rustc-env=RACLETTE_BUILT_FROM={commit}");
    }
}

/// The commit that is checked out in this directory; none if it is no working tree, or has no commit.
pub(crate) fn find(root: &Path) -> Option<Found> {
    let own = directory(&root.join(".git"))?;
    // A second working tree has its own HEAD, and its branches in the repository that it belongs to.
    let common = match fs::read_to_string(own.join("commondir")) {
        Ok(path) => own.join(path.trim()),
        Err(_) => own.clone(),
    };
    let head = fs::read_to_string(own.join("HEAD")).ok()?;
    let mut files = vec![own.join("HEAD"), own.join("logs/HEAD")];
    let commit = match head.trim().strip_prefix("ref: ") {
        None => head.trim().to_owned(),
        Some(name) => {
            files.push(common.join(name));
            match fs::read_to_string(common.join(name)) {
                Ok(commit) => commit.trim().to_owned(),
                Err(_) => packed(&fs::read_to_string(common.join("packed-refs")).ok()?, name)?,
            }
        }
    };
    // What does not exist would have this script run at each build.
    files.retain(|file| file.exists());
    (commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(Found { commit, files })
}

/// The directory that `.git` is, or names.
fn directory(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let text = fs::read_to_string(git).ok()?;
    Some(git.parent()?.join(text.trim().strip_prefix("gitdir: ")?))
}

/// The commit of a reference in `packed-refs`.
fn packed(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter(|(_, reference)| *reference == name).map(|(commit, _)| commit.to_owned()).next()
}
