//! Ports that are free, where one must be known before a service listens.

use std::net::TcpListener;

/// A port on which nobody listens at the moment.
pub(crate) fn one() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The first of so many ports in a row that are free at the moment, outside the range from which the system chooses ports
/// by itself. Different tests begin to look at different places.
pub(crate) fn row_of(count: u16) -> u16 {
    const FIRST: u16 = 10_000;
    const RANGE: u16 = 20_000;
    let begin = u16::try_from(u32::from(one()) * 7919 % u32::from(RANGE)).unwrap();
    (0..RANGE)
        .step_by(usize::from(count))
        .map(|step| FIRST + (begin + step) % RANGE)
        .find(|base| (*base..*base + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()))
        .expect("some ports are free")
}
