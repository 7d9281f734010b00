//! What devnet writes to the terminal: lines, tables, and the logs of the services when they are to be shown.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use raclette_service::progress;

/// Whether lines may hold colours: set once at the start.
static COLOURS: AtomicBool = AtomicBool::new(false);

/// Decides about colours: only for a terminal, and not if `NO_COLOR` is set.
pub(crate) fn set_up() {
    let wanted = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    COLOURS.store(wanted, Ordering::Relaxed);
}

/// Writes a line, or several, to standard output.
pub(crate) fn say(line: impl AsRef<str>) {
    write(io::stdout().lock(), line.as_ref());
}

/// Writes a complaint to standard error.
pub(crate) fn complain(line: impl AsRef<str>) {
    write(io::stderr(), &format!("{} {}", paint("error:", Colour::Red), line.as_ref()));
}

fn write(mut to: impl Write, line: &str) {
    // Whoever read this may have gone (`devnet | head`). The network is not stopped for that.
    let written = progress::above(|| writeln!(to, "{line}").and_then(|()| to.flush()));
    drop(written);
}

/// The colours in use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Bold,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Colour {
    /// A colour for the service at this place of the plan.
    pub(crate) const fn of_service(index: usize) -> Self {
        const CYCLE: [Colour; 5] = [Colour::Cyan, Colour::Green, Colour::Yellow, Colour::Blue, Colour::Magenta];
        CYCLE[index % CYCLE.len()]
    }

    /// Its number in "select graphic rendition" (ECMA-48).
    const fn code(self) -> u8 {
        match self {
            Self::Bold => 1,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Blue => 34,
            Self::Magenta => 35,
            Self::Cyan => 36,
        }
    }
}

/// The text in this colour, if colours are in use.
pub(crate) fn paint(text: &str, colour: Colour) -> String {
    if COLOURS.load(Ordering::Relaxed) { format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code()) } else { text.to_owned() }
}

/// A table with a heading, its columns as wide as their widest cell. States are coloured, so that whoever is down is seen
/// at once.
pub(crate) fn table<const COLUMNS: usize>(heading: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].chars().count()]).max().unwrap_or_default()
    };
    let line = |cells: &[&str]| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let padded = format!("{cell:<width$}", width = width(column));
            of_state(cell).map_or_else(|| padded.clone(), |colour| paint(&padded, colour))
        });
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    let body = rows.iter().map(|row| line(&row.each_ref().map(String::as_str)));
    std::iter::once(paint(&line(&heading), Colour::Bold)).chain(body).collect::<Vec<_>>().join("\n")
}

/// The colour of a cell that is a state.
fn of_state(cell: &str) -> Option<Colour> {
    match cell {
        "up" => Some(Colour::Green),
        "starting" => Some(Colour::Yellow),
        "down" | "no answer" => Some(Colour::Red),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["alice", "up"], ["bo", "starting"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["NAME", "STATE"], &rows), "  NAME   STATE\n  alice  up\n  bo     starting");
    }
}
