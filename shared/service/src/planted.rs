//! Bugs that are planted on purpose, so that the checker of the soak can be tested: does it find them?
//!
//! `RACLETTE_PLANTED_BUG=NAME` plants one; without it, and in every build without debug assertions, there is none.

/// The names of the bugs, and what each does.
pub const BUGS: [(&str, &str); 8] = [
    ("early_acknowledgement", "some orders to send are acknowledged and never stored"),
    ("nothing_returns", "transactions of a losing branch do not return to the ledger"),
    ("first_seen", "of two branches with the same work the one seen first wins, not the one with the lowest hash"),
    ("lost_rows", "a request that fails is forgotten instead of tried again, and nobody looks whether it arrived"),
    ("no_self_preservation", "a tracker that reaches nobody calls everybody offline"),
    ("deaf", "a peer does not believe that anybody has come back"),
    ("other_id", "what is submitted again gets another id"),
    ("garbled", "what is received is read differently from what was sent"),
];

/// Whether this bug is planted.
#[inline]
#[must_use]
pub fn bug(name: &str) -> bool {
    #[cfg(debug_assertions)]
    {
        static PLANTED: std::sync::LazyLock<Option<String>> =
            std::sync::LazyLock::new(|| std::env::var("RACLETTE_PLANTED_BUG").ok());
        debug_assert!(BUGS.iter().any(|(known, _)| *known == name), "{name} is not listed");
        PLANTED.as_deref() == Some(name)
    }
    #[cfg(not(debug_assertions))]
    {
        let _ = name;
        false
    }
}
