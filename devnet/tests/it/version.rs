//! Which commit a program is built from: read from Git's own files, in every way in which Git keeps it.

use std::{fs, path::Path, process::Command};

use commit::{Found, find};
use tempfile::TempDir;

#[path = "../../../shared/commit.rs"]
#[expect(dead_code, reason = "it is a build script, whose main is not called here")]
mod commit;

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn commit_in(root: &Path) -> Option<String> {
    find(root).map(|Found { commit, .. }| commit)
}

#[test]
fn the_commit_is_found_on_a_branch_packed_or_loose_and_off_it() {
    let root = TempDir::new().unwrap();
    let root = root.path();
    assert_eq!(commit_in(root), None, "without a repository it is unknown");
    write(root, ".git/HEAD", "ref: refs/heads/main\n");
    assert_eq!(commit_in(root), None, "before the first commit");
    write(root, ".git/packed-refs", &format!("# pack-refs with: peeled\n{FIRST} refs/heads/main\n"));
    assert_eq!(commit_in(root).as_deref(), Some(FIRST));
    write(root, ".git/refs/heads/main", &format!("{SECOND}\n"));
    assert_eq!(commit_in(root).as_deref(), Some(SECOND), "the loose one is newer");
    write(root, ".git/HEAD", &format!("{FIRST}\n"));
    assert_eq!(commit_in(root).as_deref(), Some(FIRST), "a detached HEAD");
    write(root, ".git/HEAD", "nonsense\n");
    assert_eq!(commit_in(root), None);
}

#[test]
fn a_second_working_tree_has_its_own_commit() {
    let root = TempDir::new().unwrap();
    let root = root.path();
    write(root, "main/.git/refs/heads/side", SECOND);
    write(root, "main/.git/worktrees/side/HEAD", "ref: refs/heads/side");
    write(root, "main/.git/worktrees/side/commondir", "../..\n");
    write(root, "side/.git", "gitdir: ../main/.git/worktrees/side\n");
    assert_eq!(commit_in(&root.join("side")).as_deref(), Some(SECOND));
}

#[test]
fn only_files_that_exist_are_watched_and_the_branch_is_among_them() {
    let root = TempDir::new().unwrap();
    let root = root.path();
    write(root, ".git/HEAD", "ref: refs/heads/main\n");
    write(root, ".git/refs/heads/main", FIRST);
    let files = find(root).unwrap().files;
    // A missing one would have cargo build everything anew each time.
    assert_eq!(files, [".git/HEAD", ".git/refs/heads/main"].map(|file| root.join(file)));
}

#[test]
fn the_program_says_its_version_and_what_it_was_built_from() {
    let output = Command::new(env!("CARGO_BIN_EXE_devnet")).arg("--version").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let expected = format!("devnet {} (", env!("CARGO_PKG_VERSION"));
    assert!(shown.starts_with(&expected) && shown.ends_with(")\n"), "{shown}");
    assert!(["(commit ", "(development build)"].iter().any(|origin| shown.contains(origin)), "{shown}");
}
