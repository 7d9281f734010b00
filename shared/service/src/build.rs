//! Which program this is, for `--version`, `GET /metrics` and whoever wants to know what runs here.

/// A program and what it was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// The program's name, such as `raclette-peer`.
    pub program: &'static str,
    /// Its version, such as `0.1.0`.
    pub version: &'static str,
    /// The commit that it was built from, as far as that is known.
    pub commit: Option<&'static str>,
}
