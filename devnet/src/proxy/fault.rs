//! What a proxy does to the connections that pass through it, and to whose.

use std::{collections::BTreeMap, time::Duration};

/// What is done to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Fault {
    /// Nothing: all passes.
    #[default]
    None,
    /// Whatever passes is this late, in either direction.
    Delay(Duration),
    /// So many of a hundred pieces of a request end their connection, and do not pass. With 100 nothing gets through.
    Drop(u8),
    /// Nothing passes, and nobody is told: connections stand and are silent. What was held back passes when this ends.
    BlackHole,
    /// Connections are reset, those that stand and those that come.
    Reset,
    /// Each connection ends after so many bytes of answers have passed since this was set. With 0 a request arrives, and
    /// its answer never does.
    CutAfter(u64),
}

/// The faults of one proxy.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    /// Counts changes, so that a connection notices that [`Fault::CutAfter`] was set anew.
    pub(super) generation: u64,
    /// For everybody who has no fault of their own.
    pub(super) everybody: Fault,
    /// For callers that name themselves by this address in `Raclette-From`.
    pub(super) by_caller: BTreeMap<String, Fault>,
}

impl Rules {
    /// What is done to the connections of this caller.
    pub(super) fn fault(&self, caller: Option<&str>) -> Fault {
        caller.and_then(|caller| self.by_caller.get(caller)).copied().unwrap_or(self.everybody)
    }
}

/// The address that the head of a request names in `Raclette-From`.
pub(super) fn caller(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    head.lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(raclette_api::FROM_HEADER))
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Fault, Rules, caller};

    #[test]
    fn the_caller_is_found_in_the_head_only() {
        let from = caller(b"GET /status HTTP/1.1\r\nhost: a\r\nRaclette-From:  rac1abc \r\n\r\n");
        assert_eq!(from.as_deref(), Some("rac1abc"));
        assert_eq!(caller(b"POST /tx HTTP/1.1\r\nhost: a\r\n\r\nraclette-from: rac1abc"), None);
        assert_eq!(caller(b"\xff\xfe"), None);
    }

    #[test]
    fn a_callers_own_fault_comes_before_everybodys() {
        let mut rules = Rules { everybody: Fault::Reset, ..Rules::default() };
        rules.by_caller.insert(String::from("alice"), Fault::None);
        assert_eq!(rules.fault(Some("alice")), Fault::None);
        assert_eq!(rules.fault(Some("bob")), Fault::Reset);
        assert_eq!(rules.fault(None), Fault::Reset);
    }
}
