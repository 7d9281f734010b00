//! The table that is kept up to date in its place, until something is typed.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::terminal::say;

/// How often the table is made anew.
const PERIOD: Duration = Duration::from_secs(1);

/// Whether somebody watches, and how many lines of the table stand on the terminal.
#[derive(Debug)]
pub(crate) struct Watch {
    next: Option<Instant>,
    lines: usize,
    /// Whether the table can take the place of the one before: only on a terminal to which nobody else writes.
    in_place: bool,
}

impl Watch {
    /// Nobody watches yet. With `shared`, others write to the terminal too.
    pub(crate) fn new(shared: bool) -> Self {
        Self { next: None, lines: 0, in_place: !shared && io::stdout().is_terminal() }
    }

    /// From now on the table is shown again and again.
    pub(crate) fn start(&mut self) {
        self.next = Some(Instant::now());
        self.lines = 0;
    }

    /// It is not shown again.
    pub(crate) fn stop(&mut self) {
        self.next = None;
        self.lines = 0;
    }

    /// Something else was written below the table: the next one comes below that.
    pub(crate) fn interrupted(&mut self) {
        self.lines = 0;
    }

    /// Completes when the table is due again; never while nobody watches.
    pub(crate) async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Shows the table, in the place of the one before if somebody watches.
    pub(crate) fn show(&mut self, table: &str) {
        say(over(self.lines, table));
        if self.next.is_some() {
            self.next = Some(Instant::now() + PERIOD);
            self.lines = if self.in_place { table.lines().count() } else { 0 };
        }
    }
}

/// The text in the place of so many lines above the cursor: "cursor up" and "erase in display" (ECMA-48).
fn over(lines: usize, text: &str) -> String {
    if lines == 0 { text.to_owned() } else { format!("\u{1b}[{lines}A\u{1b}[J{text}") }
}

#[cfg(test)]
mod tests {
    use super::{Watch, over};

    #[test]
    fn a_table_takes_the_place_of_the_one_before_only_while_somebody_watches() {
        assert_eq!(over(0, "a\nb"), "a\nb");
        assert_eq!(over(2, "a\nb"), "\u{1b}[2A\u{1b}[Ja\nb");
        let mut watch = Watch { next: None, lines: 0, in_place: true };
        watch.show("a\nb");
        assert_eq!((watch.lines, watch.next), (0, None), "a single look");
        watch.start();
        watch.show("a\nb");
        assert_eq!(watch.lines, 2);
        watch.interrupted();
        assert_eq!(watch.lines, 0, "what was written meanwhile stays");
        watch.stop();
        assert_eq!(watch.next, None);
    }
}
