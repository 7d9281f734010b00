//! The commands that a person types while the network runs.

use std::{
    io::{self, BufRead, IsTerminal},
    thread,
};

use tokio::sync::mpsc;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Show how every service is.
    Status,
    /// Show it again and again, until something is typed.
    Watch,
    /// Start a service, or all that are down.
    Start(String),
    /// Stop a service with SIGTERM.
    Stop(String),
    /// End a service with SIGKILL.
    Kill(String),
    /// Show the curl lines again.
    Tour,
    /// Show the commands.
    Help,
    /// Stop everything.
    Quit,
    /// Nothing: an empty line.
    Nothing,
    /// Something that is no command, with what to do instead.
    Unknown(String),
}

/// What `help` prints.
pub(crate) const HELP: &str = "\
  status       how every service is: its chain, its owner's money, whom it knows, what waits in its queue
  watch        the same, kept up to date until you press Enter
  stop NAME    stop a service with SIGTERM: what it is sent waits in the queues of the others
  start NAME   start it again: what waited arrives
  kill NAME    end a service with SIGKILL: it loses nothing that it had acknowledged
  tour         the curl lines again
  help         this list
  quit         stop everything (Ctrl-C does too); the data stay";

impl Command {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let command = words.next().unwrap_or_default().to_ascii_lowercase();
        let name = words.next().map(str::to_ascii_lowercase);
        let superfluous = words.next().is_some();
        match (command.as_str(), name) {
            _ if superfluous => Self::Unknown(String::from("that is too long for a command; type help")),
            ("start", Some(name)) => Self::Start(name),
            ("stop", Some(name)) => Self::Stop(name),
            ("kill", Some(name)) => Self::Kill(name),
            ("start" | "stop" | "kill", None) => Self::Unknown(format!("{command} whom? Type: {command} bob")),
            ("", None) => Self::Nothing,
            ("status", None) => Self::Status,
            ("watch", None) => Self::Watch,
            ("tour", None) => Self::Tour,
            ("help" | "?", None) => Self::Help,
            ("quit" | "exit" | "q", None) => Self::Quit,
            _ => Self::Unknown(format!("{:?} is no command; type help", line.trim())),
        }
    }
}

/// Reads commands from standard input.
///
/// At the end of a terminal's input (Ctrl-D) the command is [`Command::Quit`]. At the end of any other input (a pipe, a
/// file, nothing at all) the network goes on without commands: the channel closes.
pub(crate) fn commands() -> mpsc::Receiver<Command> {
    let (sender, receiver) = mpsc::channel(16);
    // A thread of its own: it may be in the middle of a read when everything else has ended, and nobody waits for it.
    thread::spawn(move || {
        let stdin = io::stdin();
        let at_the_end = stdin.is_terminal().then_some(Command::Quit);
        // Input that cannot be read has ended, too.
        let lines = stdin.lock().lines().map_while(Result::ok);
        for command in lines.map(|line| Command::parse(&line)).chain(at_the_end) {
            if sender.blocking_send(command).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn commands_are_read_as_people_type_them() {
        for (line, command) in [
            ("status", Command::Status),
            ("watch", Command::Watch),
            ("  stop  bob ", Command::Stop(String::from("bob"))),
            ("START Bob", Command::Start(String::from("bob"))),
            ("kill carol", Command::Kill(String::from("carol"))),
            ("tour", Command::Tour),
            ("?", Command::Help),
            ("quit", Command::Quit),
            ("", Command::Nothing),
            ("   ", Command::Nothing),
        ] {
            assert_eq!(Command::parse(line), command, "{line:?}");
        }
    }

    #[test]
    fn a_wrong_command_says_what_to_type_instead() {
        for (line, hint) in [("stop", "stop bob"), ("dance", "help"), ("status bob", "help"), ("stop bob now", "help")]
        {
            match Command::parse(line) {
                Command::Unknown(message) => assert!(message.contains(hint), "{message}"),
                other => panic!("{line:?} was read as {other:?}"),
            }
        }
    }
}
