//! What happened: the life of a transaction, the journal of reorganisations, and the audit of the whole chain.

use std::time::Instant;

use axum::{
    extract::State,
    http::{StatusCode, header::RETRY_AFTER},
    response::{AppendHeaders, IntoResponse as _, Response},
};
use raclette_api::history::{
    AccountDifference, AccountsCompared, AuditProgress, AuditReport, BadBlock, BlockReference, LifeEvent,
    LifeEventKind, NotReturned, Reorganisation, ReorganisationAlarm, ReorganisationPage,
};
use raclette_chain::hash::BlockHash;
use raclette_service::{
    answer::Paged,
    extract::{Json, Query, number_cursor},
    problem::{CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{App, read};
use crate::node::{Alarm, Audit, Compared, Moment, ReorgEntry, What};

/// How many blocks and transactions of a reorganisation are listed.
const LISTED: usize = 100;
/// How many accounts that differ are listed.
const LISTED_ACCOUNTS: usize = 20;

/// Which part of the journal.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReorgsQuery {
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9]{1,19}$", max_length = 19)]
    cursor: Option<String>,
}

/// List the reorganisations that this peer went through, the newest first.
///
/// Each says which blocks lost to which, and what became of their transactions. The newest 1,000 are remembered.
#[utoipa::path(get, path = "/reorgs", operation_id = "list_reorgs", tag = "network", params(ReorgsQuery), responses(
    (status = 200, description = "A page of the journal", body = ReorganisationPage),
    CommonProblems,
))]
pub(super) async fn list_reorgs(
    State(app): State<App>,
    Query(query): Query<ReorgsQuery>,
) -> Result<Paged<ReorganisationPage>, Problem> {
    let limit = read::limit(query.limit, 20, 100)?;
    let before = query.cursor.as_deref().map_or(Ok(i64::MAX), number_cursor)?;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let mut entries = app.node.reorgs(before, count(limit + 1), count(LISTED)).await?;
    let more = read::cut(&mut entries, limit);
    let next_cursor = entries.last().filter(|_| more).map(|last| last.id.to_string());
    let reorgs = entries.iter().map(reorganisation).collect();
    Ok(Paged::new(ReorganisationPage { reorgs, next_cursor: next_cursor.clone() }, next_cursor))
}

fn reorganisation(entry: &ReorgEntry) -> Reorganisation {
    let ReorgEntry { id, reorg, .. } = entry;
    let alarm = Alarm::of(*id, reorg);
    let references = |hashes: &[BlockHash]| -> Vec<_> {
        let heights = reorg.height.saturating_add(1)..;
        heights.zip(hashes).take(LISTED).map(|(height, hash)| reference(height, hash)).collect()
    };
    Reorganisation {
        id: counter(*id),
        time: reorg.time,
        ancestor: reference(reorg.height, &reorg.ancestor),
        depth: alarm.depth,
        alarm: alarm.is_deep(),
        lost: references(&reorg.lost),
        won_count: u32::try_from(reorg.won.len()).unwrap_or(u32::MAX),
        won: references(&reorg.won),
        returned_count: reorg.returned,
        returned: entry.returned.iter().map(|event| event.id.to_string()).collect(),
        moved_count: reorg.moved,
        moved: entry.moved.iter().map(|event| event.id.to_string()).collect(),
        not_returned_count: reorg.refused,
        not_returned: entry
            .refused
            .iter()
            .map(|event| {
                let (rule, detail) =
                    event.reason.clone().map(|reason| (reason.rule, reason.detail)).unwrap_or_default();
                NotReturned { id: event.id.to_string(), rule, detail, by: event.other.map(|other| other.to_string()) }
            })
            .collect(),
    }
}

fn reference(height: u32, hash: &BlockHash) -> BlockReference {
    BlockReference { height, hash: hash.to_string() }
}

fn counter(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}

/// The alarm as `/status` shows it.
pub(super) fn alarm_message(alarm: Alarm) -> ReorganisationAlarm {
    ReorganisationAlarm { id: counter(alarm.reorg), time: alarm.time, depth: alarm.depth }
}

/// The life of a transaction.
pub(super) fn life_events(life: Vec<Moment>) -> Vec<LifeEvent> {
    life.into_iter().map(life_event).collect()
}

fn life_event(moment: Moment) -> LifeEvent {
    let bare =
        |event| LifeEvent { event, time: moment.time, height: None, block: None, by: None, rule: None, detail: None };
    let with_block =
        |event, block: Option<BlockHash>| LifeEvent { block: block.map(|block| block.to_string()), ..bare(event) };
    match moment.what {
        What::Pending => bare(LifeEventKind::Pending),
        What::Confirmed { block, height } => LifeEvent { height, ..with_block(LifeEventKind::Confirmed, Some(block)) },
        What::Returned { block } => with_block(LifeEventKind::Returned, block),
        What::Moved { block } => with_block(LifeEventKind::Moved, block),
        What::Replaced { by } => LifeEvent { by: by.map(|by| by.to_string()), ..bare(LifeEventKind::Replaced) },
        What::Evicted { by } => LifeEvent { by: by.map(|by| by.to_string()), ..bare(LifeEventKind::Evicted) },
        What::Expired { reason } => {
            let (rule, detail) = reason.map(|reason| (reason.rule, reason.detail)).unzip();
            LifeEvent { rule, detail, ..bare(LifeEventKind::Expired) }
        }
        What::Refused { reason, by } => {
            let (rule, detail) = reason.map(|reason| (reason.rule, reason.detail)).unzip();
            LifeEvent { rule, detail, by: by.map(|by| by.to_string()), ..bare(LifeEventKind::Refused) }
        }
    }
}

/// Audit the whole chain: a second opinion by code of its own.
///
/// It reads the stored bytes of every block again and checks every rule with the plainest code there can be, compares the
/// state hashes, and compares the accounts in the file and in memory with those that follow from the blocks. The answer comes
/// when all is done, which takes as long as verifying every signature; going away ends the audit. While one runs, asking again
/// answers 202 with how far it is.
#[utoipa::path(get, path = "/audit", operation_id = "audit_chain", tag = "owner", responses(
    (status = 200, description = "What the audit found", body = AuditReport),
    (status = 202, description = "Another audit is running", body = AuditProgress,
        headers(("Retry-After" = u32, description = "In how many seconds it makes sense to ask again"))),
    CommonProblems,
))]
pub(super) async fn audit_chain(State(app): State<App>) -> Result<Response, Problem> {
    let started = Instant::now();
    Ok(match app.node.audit().await? {
        Ok(audit) => Json(audit_report(audit, started)).into_response(),
        Err(progress) => {
            let progress = AuditProgress { blocks: progress.checked, of: progress.all };
            (StatusCode::ACCEPTED, AppendHeaders([(RETRY_AFTER, "2")]), Json(progress)).into_response()
        }
    })
}

fn audit_report(audit: Audit, started: Instant) -> AuditReport {
    let (height, hash) = audit.tip;
    let (stored, working) = audit.compared.map(|(stored, working)| (compared(stored), compared(working))).unzip();
    let agree = |accounts: &Option<AccountsCompared>| {
        accounts.as_ref().is_none_or(|found| found.differences == 0 && found.unreadable.is_none())
    };
    let sound = audit.fault.is_none()
        && u128::from(audit.issued) == audit.balances
        && audit.state_hash == audit.node_state_hash
        && agree(&stored)
        && agree(&working);
    AuditReport {
        sound,
        tip: reference(height, &hash),
        blocks: audit.blocks,
        transactions: audit.transactions,
        bad_block: audit.fault.map(|fault| BadBlock {
            height,
            hash: hash.to_string(),
            rule: fault.rule.to_owned(),
            expected: fault.expected,
            seen: fault.seen,
        }),
        issued: audit.issued,
        balances: u64::try_from(audit.balances).unwrap_or(u64::MAX),
        accounts: audit.accounts as u64,
        state_hash: audit.state_hash.to_string(),
        node_state_hash: audit.node_state_hash.to_string(),
        stored_accounts: stored,
        working_accounts: working,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

fn compared(found: Compared) -> AccountsCompared {
    match found {
        Ok(differences) => AccountsCompared {
            differences: differences.len() as u64,
            first: differences
                .iter()
                .take(LISTED_ACCOUNTS)
                .map(|difference| AccountDifference {
                    address: difference.address.to_string(),
                    balance: difference.expected.0,
                    next_sequence: difference.expected.1,
                    seen_balance: difference.seen.0,
                    seen_next_sequence: difference.seen.1,
                })
                .collect(),
            unreadable: None,
        },
        Err(reason) => AccountsCompared { differences: 0, first: Vec::new(), unreadable: Some(reason) },
    }
}
