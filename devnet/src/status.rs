//! The table that `status` prints, and the one that the start ends with.

use tokio::task::JoinSet;

use crate::{
    plan::Service,
    probe::{Probe, Report},
    supervisor::Supervisor,
    terminal::table,
    tour,
};

/// The services with their addresses: what one needs to use them.
pub(crate) fn directory(supervisor: &Supervisor) -> String {
    let rows: Vec<_> = (0..supervisor.services().len())
        .map(|index| {
            let service = supervisor.service(index);
            let state = if supervisor.process(index).is_some() { "up" } else { "down" };
            [
                service.name.clone(),
                state.to_owned(),
                service.url(),
                format!("{}/docs", service.url()),
                tour::quoted(&service.token_file()),
            ]
        })
        .collect();
    table(["NAME", "STATE", "URL", "DOCS", "TOKEN FILE"], &rows)
}

/// How every service is, asked all at once.
pub(crate) async fn report(supervisor: &Supervisor, probe: &Probe) -> String {
    let mut asked = JoinSet::new();
    for index in 0..supervisor.services().len() {
        let (service, probe) = (supervisor.service(index).clone(), probe.clone());
        let number = supervisor.process(index).map(crate::process::Process::id);
        asked.spawn(async move {
            let report = match number {
                Some(_) => Some((probe.report(&service).await.ok(), probe.ready(&service).await.is_ok())),
                None => None,
            };
            (index, row(&service, number, report))
        });
    }
    let mut rows = asked.join_all().await;
    rows.sort_by_key(|(index, _)| *index);
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    table(["NAME", "STATE", "PROCESS", "HEIGHT", "TIP", "BALANCE", "PENDING", "ONLINE", "QUEUE"], &rows)
}

/// How many of the members that a service knows are online.
fn online(online: u32, offline: u32) -> String {
    format!("{online} of {}", online + offline)
}

/// One line of it; what could not be had is a dash.
fn row(service: &Service, number: Option<u32>, report: Option<(Option<Report>, bool)>) -> [String; 9] {
    const SHOWN_OF_A_HASH: usize = 8;
    let dash = || String::from("-");
    let or_dash = |value: Option<String>| value.unwrap_or_else(dash);
    let state = match &report {
        None => "down",
        Some((None, _)) => "no answer",
        Some((Some(_), false)) => "starting",
        Some((Some(_), true)) => "up",
    };
    let first = [service.name.clone(), state.to_owned(), or_dash(number.map(|number| number.to_string()))];
    let rest = match report.and_then(|(report, _)| report) {
        Some(Report::Tracker { network, queue }) => [
            dash(),
            dash(),
            dash(),
            dash(),
            online(network.peers.online + network.peers.suspect, network.peers.offline),
            or_dash(queue.map(|queue| queue.counts.waiting.to_string())),
        ],
        Some(Report::Peer { status, wallet, queue }) => [
            or_dash(status.tip.as_ref().map(|tip| tip.height.to_string())),
            or_dash(status.tip.as_ref().map(|tip| tip.hash.chars().take(SHOWN_OF_A_HASH).collect())),
            or_dash(wallet.map(|wallet| wallet.balance.to_string())),
            status.ledger.count.to_string(),
            online(status.peers.online, status.peers.offline),
            or_dash(queue.map(|queue| queue.counts.waiting.to_string())),
        ],
        None => std::array::from_fn(|_| dash()),
    };
    let mut cells = first.into_iter().chain(rest);
    std::array::from_fn(|_| cells.next().unwrap_or_else(dash))
}

#[cfg(test)]
mod tests {
    use super::row;
    use crate::plan::{Role, Service};

    #[test]
    fn a_service_that_is_down_has_dashes() {
        let service = Service {
            name: String::from("bob"),
            role: Role::Peer,
            port: 7702,
            directory: "raclette-data/bob".into(),
            arguments: Vec::new(),
            survives_file_limit: false,
        };
        assert_eq!(row(&service, None, None), ["bob", "down", "-", "-", "-", "-", "-", "-", "-"]);
        assert_eq!(row(&service, Some(7), Some((None, false)))[..3], ["bob", "no answer", "7"]);
    }
}
