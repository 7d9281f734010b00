//! A progress bar on the last line of a terminal, below what else is written there.
//!
//! There is one terminal to a process, so there is one bar. Whoever writes lines to the terminal does it [`above`] the bar, as
//! the log does.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What the bar shows now.
static SHOWN: Mutex<Option<String>> = Mutex::new(None);

/// How many characters wide the bar is.
const WIDTH: usize = 30;
/// Carriage return, and "erase in line" (ECMA-48).
const ERASE: &str = "\r\u{1b}[2K";

/// Whether there is a terminal for a bar. Without one nothing is shown, and the log has to tell.
#[must_use]
pub fn is_possible() -> bool {
    io::stderr().is_terminal()
}

/// Shows how far something is.
pub fn show(what: &str, done: u64, total: u64, note: &str) {
    if is_possible() {
        let text = bar(what, done, total, note);
        let mut shown = shown();
        draw(&format!("{ERASE}{text}"));
        *shown = Some(text);
    }
}

/// Takes the bar away.
pub fn clear() {
    if shown().take().is_some() {
        draw(ERASE);
    }
}

/// Has something written to the terminal above the bar, if there is one.
pub fn above<T>(write: impl FnOnce() -> T) -> T {
    let shown = shown();
    if shown.is_some() {
        draw(ERASE);
    }
    let result = write();
    if let Some(text) = &*shown {
        draw(text);
    }
    result
}

/// Standard error, written above the bar: for the log, which writes whole lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct AboveBar;

impl Write for AboveBar {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        above(|| io::stderr().write_all(line)).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn bar(what: &str, done: u64, total: u64, note: &str) -> String {
    let (done, total) = (done.min(total), total.max(1));
    let filled = usize::try_from(u128::from(done) * WIDTH as u128 / u128::from(total)).unwrap_or(WIDTH);
    let percent = u128::from(done) * 100 / u128::from(total);
    format!("{what} [{}{}] {percent:>3} % {note}", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

fn draw(text: &str) {
    // A terminal that is gone needs no bar.
    let mut stderr = io::stderr().lock();
    let drawn = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    drop(drawn);
}

fn shown() -> MutexGuard<'static, Option<String>> {
    // A line of text is whole after every change.
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn the_bar_grows_with_what_is_done_and_never_beyond_its_end() {
        assert_eq!(bar("history", 0, 0, ""), format!("history [{}]   0 % ", ".".repeat(30)));
        assert_eq!(bar("history", 1, 2, "x"), format!("history [{}{}]  50 % x", "#".repeat(15), ".".repeat(15)));
        assert_eq!(bar("history", 9, 2, ""), format!("history [{}] 100 % ", "#".repeat(30)));
        assert!(bar("history", u64::MAX, u64::MAX, "").contains("100 %"));
    }
}
