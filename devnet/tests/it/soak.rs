//! The soak as the program runs it, and whether its checker finds what is planted.

use std::{process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

/// Long enough for a soak of half a minute, its healing, and a slow machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// Runs a soak of so many minutes, perhaps with a bug planted; whether all held, and what it said.
async fn soak(minutes: &str, seed: &str, bug: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_devnet"));
    command.args(["soak", "--peers", "4", "--minutes", minutes, "--seed", seed]);
    command.env_remove("RACLETTE_PLANTED_BUG").envs(bug.map(|bug| ("RACLETTE_PLANTED_BUG", bug)));
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let run = timeout(PATIENCE, run).await.expect("the soak ends").unwrap();
    let said = [run.stdout, run.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    (run.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_keeps_all_its_promises_through_half_a_minute_of_attacks() {
    let (holds, said) = soak("0.5", "7", None).await;
    assert!(holds, "{said}");
    assert!(said.contains("All twenty invariants hold"), "{said}");
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour"]
#[expect(clippy::print_stdout, reason = "what was found is what it is run for")]
async fn the_checker_finds_all_eight_planted_bugs() {
    // Each bug, and the invariants one of which it must break.
    let bugs = [
        ("early_acknowledgement", &["7. "][..]),
        ("nothing_returns", &["7. "]),
        ("first_seen", &["6. ", "17. "]),
        ("lost_rows", &["11. "]),
        ("no_self_preservation", &["13. "]),
        ("deaf", &["17. "]),
        ("other_id", &["10. "]),
        ("garbled", &["15. "]),
    ];
    assert!(raclette_service::planted::BUGS.iter().map(|(name, _)| name).eq(bugs.iter().map(|(name, _)| name)));
    let mut missed = Vec::new();
    for (bug, invariants) in bugs {
        let (holds, said) = soak("0.5", "7", Some(bug)).await;
        let found = invariants.iter().any(|invariant| said.contains(&format!("error: {invariant}")));
        println!("{bug}: {}\n{said}\n", if found && !holds { "found" } else { "MISSED" });
        if holds || !found {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "missed: {missed:?}");
}
