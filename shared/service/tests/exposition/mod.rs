//! A small, strict reader of the text format of Prometheus (version 0.0.4), for the tests of all services.

use std::collections::BTreeMap;

/// What a service said.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// The type of each family.
    pub(crate) kinds: BTreeMap<String, String>,
    /// Every sample by its name and labels, as they are written.
    pub(crate) samples: BTreeMap<String, f64>,
}

impl Exposition {
    /// Reads a scrape; whatever is not as the format wants it is a panic.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends too");
        let (mut all, mut helped, mut family) = (Self::default(), None, String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a help text behind the name");
                assert!(help.ends_with('.') && !help.ends_with("..") && help.len() > 10, "{line}");
                helped = Some(name.to_owned());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type behind the name");
                assert_eq!(helped.take().as_deref(), Some(name), "help comes before the type");
                assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                let before = all.kinds.insert(name.to_owned(), kind.to_owned());
                assert!(before.is_none(), "{name} twice");
                family = name.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} has no value"));
                let name = series.split('{').next().unwrap();
                let known = |suffix: &str| name.strip_suffix(suffix) == Some(&family);
                assert!(name == family || known("_bucket") || known("_sum") || known("_count"), "{line} in {family}");
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
                check_labels(series);
                let value = value.parse().unwrap_or_else(|_| panic!("{line:?} has no number"));
                assert!(all.samples.insert(series.to_owned(), value).is_none(), "{series} twice");
            }
        }
        all
    }

    /// The value of a series, written as `name{label="value"}`.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.find(series).unwrap_or_else(|| panic!("there is no {series} in {:#?}", self.samples.keys()))
    }

    /// The same, if there is such a series.
    pub(crate) fn find(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }
}

/// `{name="value",...}` with values in which quotes are escaped, and nothing behind it.
#[track_caller]
fn check_labels(series: &str) {
    let Some((_, labels)) = series.split_once('{') else { return };
    let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("{series:?} does not end"));
    loop {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{series:?} has a bad label"));
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{series}");
        let mut escaped = false;
        let end = value.find(|character| {
            let quote = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            quote
        });
        let (_, behind) = value.split_at(end.unwrap_or_else(|| panic!("{series:?} has an open quote")));
        match behind.strip_prefix("\",") {
            Some(more) => rest = more,
            None => return assert_eq!(behind, "\"", "{series}"),
        }
    }
}
