//! The curl lines that show a network at work, in an order in which each works as it stands.

use std::path::Path;

use crate::plan::{Role, Service};

/// One line of the tour, and what it shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What it shows.
    pub(crate) title: String,
    /// What to type into a shell.
    pub(crate) command: String,
}

/// The tour through a network. With fewer than three peers some play two parts.
pub(crate) fn steps(services: &[Service]) -> Vec<Step> {
    let peers: Vec<_> = services.iter().filter(|service| service.role == Role::Peer).collect();
    let Some(alice) = peers.first() else { return Vec::new() };
    let bob = peers.get(1).unwrap_or(alice);
    let carol = peers.get(2).unwrap_or(bob);
    let (a, b, c) = (&alice.name, &bob.name, &carol.name);
    let step = |title: String, command: String| Step { title, command };
    vec![
        step(
            format!("A message from {a} to {b}. It needs no money."),
            send(alice, &format!(r#"{{"to":"{b}","message":"Is there any cheese left?"}}"#)),
        ),
        step(format!("{a} mines the block that confirms it, and earns 50."), mine(alice)),
        step(
            format!("{a} sends {b} 25, with a message."),
            send(alice, &format!(r#"{{"to":"{b}","amount":25,"message":"Here are 25 for the cheese."}}"#)),
        ),
        step(format!("{b} mines the block that confirms the payment."), mine(bob)),
        step(
            format!("{b} reads the messages: nobody but {a} and {b} can."),
            format!("curl -sS {} {}/messages", bearer(bob), bob.url()),
        ),
        step(
            format!("{c} has the same chain, with the messages still sealed."),
            format!("curl -sS {}/chain", carol.url()),
        ),
    ]
}

/// The tour as text.
pub(crate) fn text(services: &[Service]) -> String {
    let steps = steps(services);
    let numbered =
        steps.iter().zip(1..).map(|(step, number)| format!("  # {number}. {}\n  {}", step.title, step.command));
    numbered.collect::<Vec<_>>().join("\n\n")
}

fn send(from: &Service, body: &str) -> String {
    let header = "-H 'Content-Type: application/json'";
    format!("curl -sS {} {header} -d '{body}' {}/send", bearer(from), from.url())
}

fn mine(by: &Service) -> String {
    format!("curl -sS -X POST {} -H 'Prefer: wait=30' {}/mine", bearer(by), by.url())
}

fn bearer(service: &Service) -> String {
    format!(r#"-H "Authorization: Bearer $(cat {})""#, quoted(&service.token_file()))
}

/// A path as one word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+,@%".contains(character);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::{quoted, steps, text};
    use crate::{cli::Cli, plan};

    fn services(arguments: &[&str]) -> Vec<plan::Service> {
        plan::services(&Cli::parse_from([&["devnet"], arguments].concat()).options)
    }

    #[test]
    fn the_steps_come_in_the_order_in_which_they_work() {
        let paths: Vec<_> = steps(&services(&[]))
            .iter()
            .map(|step| step.command.rsplit_once("http://127.0.0.1:").unwrap().1.to_owned())
            .collect();
        assert_eq!(paths, ["7701/send", "7701/mine", "7701/send", "7702/mine", "7702/messages", "7703/chain"]);
    }

    #[test]
    fn the_readme_has_the_same_lines() {
        let readme = include_str!("../../README.md").replace("\\\n", "");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = readme.lines().map(words).collect();
        for step in steps(&services(&[])) {
            assert!(lines.contains(&words(&step.command)), "the README lacks: {}", step.command);
            assert!(readme.contains(&step.title), "the README lacks: {}", step.title);
        }
    }

    #[test]
    fn tokens_are_read_from_the_real_path() {
        let shown = text(&services(&["--data", "/tmp/my data"]));
        assert!(shown.contains(r#""Authorization: Bearer $(cat '/tmp/my data/alice/token')""#), "{shown}");
        assert!(text(&services(&[])).contains("$(cat raclette-data/bob/token)"));
    }

    #[test]
    fn a_network_of_one_has_a_tour_too() {
        let alone = steps(&services(&["--peers", "1"]));
        assert_eq!(alone.len(), 6);
        assert!(alone.iter().all(|step| step.command.contains(":7701/")));
    }

    #[test]
    fn paths_are_one_word_for_a_shell() {
        assert_eq!(quoted(Path::new("raclette-data/alice/token")), "raclette-data/alice/token");
        assert_eq!(quoted(Path::new("it's here")), r"'it'\''s here'");
    }
}
