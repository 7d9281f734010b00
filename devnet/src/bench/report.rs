//! The table: each figure beside its limit, measured in the same run.

use std::{fs, time::Duration};

use crate::terminal::{Colour, paint, say, table};

/// A line of the table.
#[derive(Debug, Clone)]
pub(super) struct Line {
    what: String,
    figure: String,
    limit: String,
    ratio: String,
    goal: String,
}

impl Line {
    /// So many a second.
    pub(super) fn rate(what: impl Into<String>, rate: f64, unit: &str) -> Self {
        Self::new(what, format!("{} {unit}/s", thousands(rate)))
    }

    /// A figure that is written already.
    pub(super) fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            limit: String::new(),
            ratio: String::new(),
            goal: String::new(),
        }
    }

    /// The same, with more about the figure.
    pub(super) fn and(self, more: &str) -> Self {
        Self { figure: format!("{}{more}", self.figure), ..self }
    }

    /// What could be reached at best, and how much of it was.
    pub(super) fn beside(self, name: &str, limit: f64, unit: &str, measured: f64) -> Self {
        let limit_text = format!("{name}: {} {unit}/s", thousands(limit));
        Self { limit: limit_text, ratio: format!("{:.2}", measured / limit), ..self }
    }

    /// A limit in words, and a ratio to it.
    pub(super) fn against(self, limit: impl Into<String>, ratio: f64) -> Self {
        Self { limit: limit.into(), ratio: format!("{ratio:.2}"), ..self }
    }

    /// What it is to reach, and whether it does.
    pub(super) fn goal(self, goal: &str, reached: bool) -> Self {
        let verdict = if reached { paint("reached", Colour::Green) } else { paint("missed", Colour::Red) };
        Self { goal: format!("{goal}: {verdict}"), ..self }
    }
}

/// The lines so far. Each is shown as soon as it is measured, and all of them at the end.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Line>);

impl Report {
    /// Takes a line.
    pub(super) fn add(&mut self, line: Line) {
        say(format!("  {}: {} {} {}", line.what, line.figure, line.ratio, line.goal));
        self.0.push(line);
    }

    /// Shows everything.
    pub(super) fn show(&self) {
        let rows: Vec<_> =
            self.0.iter().cloned().map(|line| [line.what, line.figure, line.ratio, line.limit, line.goal]).collect();
        say(format!(
            "\n{}",
            table(["WHAT", "FIGURE", "RATIO", "TO THIS LIMIT, MEASURED IN THE SAME RUN", "GOAL"], &rows)
        ));
    }
}

/// How busy the machine was over the last minute, as the system tells it.
pub(super) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|text| !text.is_empty()).unwrap_or("unknown").to_owned()
}

/// A number with a comma before every three digits; below ten with two decimals.
pub(super) fn thousands(number: f64) -> String {
    if number < 10.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in milliseconds.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::{Line, thousands};

    #[test]
    fn large_numbers_have_commas_and_small_ones_decimals() {
        let shown = [0.954, 9.0, 10.2, 999.6, 14_250.0, 1_234_567.0].map(thousands);
        assert_eq!(shown, ["0.95", "9.00", "10", "1,000", "14,250", "1,234,567"]);
    }

    #[test]
    fn a_figure_stands_beside_its_limit() {
        let line = Line::rate("POST /tx", 12_000.0, "tx").beside("bare", 16_000.0, "tx", 12_000.0);
        assert_eq!(
            (line.figure.as_str(), line.limit.as_str(), line.ratio.as_str()),
            ("12,000 tx/s", "bare: 16,000 tx/s", "0.75")
        );
    }
}
