//! The active branch, page by page, and the accounts after its tip.

use axum::{extract::State, response::Response};
use raclette_api::{
    block::{BlockMessage, HeaderMessage},
    chain::{AccountMessage, ChainPage, HeadersPage},
    encoding::{address, hash},
};
use raclette_chain::{accounts::Account, address::Address, amount::Amount, hash::BlockHash};
use raclette_service::{
    answer::{ETag, IfNoneMatch, Keep, Paged},
    extract::{Json, Path, Query},
    problem::{Code, CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{App, blocks::block_message, error::parameter, read};
use crate::node::{Node, State as Chain};

/// After how many bytes of JSON a page ends, about. A block that is larger gets a page of its own.
const PAGE_BYTES: usize = 4 << 20;
/// What a transaction takes as JSON besides its key and its signature, about.
const TRANSACTION_BYTES: usize = 700;
/// The most hashes in `after`: enough for the locator of the longest chain there can be.
const MOST_HASHES: usize = 64;

/// Which part of the chain.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChainQuery {
    /// The height of the first block.
    #[param(nullable = false, format = Int64, minimum = 0, maximum = 4_294_967_295_u32, default = 0)]
    from: Option<u32>,
    /// How many blocks at most. A page also ends at about 4 MiB.
    #[param(nullable = false, minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
}

/// List whole blocks of the active branch, from low to high.
///
/// The sealed messages of their transactions are not in them.
#[utoipa::path(get, path = "/chain", operation_id = "list_blocks", tag = "network", params(ChainQuery, IfNoneMatch), responses(
    (status = 200, description = "A page of the chain", body = ChainPage),
    IfNoneMatch,
    CommonProblems,
))]
pub(super) async fn list_blocks(
    State(app): State<App>,
    known: IfNoneMatch,
    Query(query): Query<ChainQuery>,
) -> Result<Response, Problem> {
    let limit = read::limit(query.limit, 20, 100)?;
    let state = app.node.state()?;
    let tag = ETag::of([state.tip().hash]);
    known.unless_known(tag, Keep::Revalidate, page_of_blocks(&app, &state, query.from.unwrap_or(0), limit)).await
}

async fn page_of_blocks(app: &App, state: &Chain, from: u32, limit: usize) -> Result<Paged<ChainPage>, Problem> {
    let (mut blocks, mut bytes, mut next) = (Vec::new(), 0, from);
    while let Some(entry) = state.index.at(next).filter(|_| blocks.len() < limit && bytes < PAGE_BYTES) {
        let block = block_message(app, state, entry).await?;
        bytes += json_size(&block);
        blocks.push(block);
        next += 1;
    }
    let next = state.index.at(next).map(|entry| entry.header.height);
    let page = ChainPage { blocks, tip: state.tip_message(), next };
    Ok(Paged::by(page, "from", next.map(|height| height.to_string())))
}

fn json_size(block: &BlockMessage) -> usize {
    let transactions = block.transactions.iter();
    transactions.map(|one| one.sender_key.len() + one.signature.len() + TRANSACTION_BYTES).sum::<usize>()
        + TRANSACTION_BYTES
}

/// Which headers: behind a known block, or from a height.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HeadersQuery {
    /// Hashes of blocks that the caller has, separated by commas, at most 64. The page begins behind the first of them that
    /// is on the active branch, or behind the genesis block if none is.
    #[param(nullable = false, pattern = "^[0-9a-f]{64}(,[0-9a-f]{64}){0,63}$", max_length = 4159)]
    after: Option<String>,
    /// The height of the first header; together with `after` it counts if none of those is on the active branch.
    #[param(nullable = false, format = Int64, minimum = 0, maximum = 4_294_967_295_u32)]
    from: Option<u32>,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 2000, default = 2000)]
    limit: Option<u32>,
}

/// List headers of the active branch, from low to high.
///
/// A newcomer reads these first, and checks their work before it asks for any block.
#[utoipa::path(get, path = "/chain/headers", operation_id = "list_headers", tag = "network", params(HeadersQuery, IfNoneMatch), responses(
    (status = 200, description = "A page of headers", body = HeadersPage),
    IfNoneMatch,
    CommonProblems,
))]
pub(super) async fn list_headers(
    State(app): State<App>,
    known: IfNoneMatch,
    Query(query): Query<HeadersQuery>,
) -> Result<Response, Problem> {
    let limit = read::limit(query.limit, 2000, 2000)?;
    let state = app.node.state()?;
    let from = match &query.after {
        Some(after) => behind(&state, after)?.or(query.from).unwrap_or(1),
        None => query.from.unwrap_or(0),
    };
    known.unless_known(ETag::of([state.tip().hash]), Keep::Revalidate, async { Ok(headers(&state, from, limit)) }).await
}

fn headers(state: &Chain, from: u32, limit: usize) -> Paged<HeadersPage> {
    let entries = (from..=u32::MAX).map_while(|height| state.index.at(height)).take(limit);
    let headers: Vec<_> = entries.map(|entry| HeaderMessage::from(&entry.header)).collect();
    let next = headers.last().map_or(from, |last| last.height.saturating_add(1));
    let next = state.index.at(next).map(|entry| entry.header.height.to_string());
    Paged::by(HeadersPage { headers, tip: state.tip_message() }, "from", next).in_place_of("after")
}

/// The height behind the first of these blocks that is on the active branch, if one is.
fn behind(state: &Chain, after: &str) -> Result<Option<u32>, Problem> {
    let hashes: Vec<BlockHash> =
        after.split(',').map(|text| hash("after", text)).collect::<Result<_, _>>().map_err(Problem::parameter)?;
    if hashes.len() > MOST_HASHES {
        return Err(parameter("after", &format!("at most {MOST_HASHES} hashes"), &hashes.len().to_string()));
    }
    let known = hashes.iter().filter(|hash| state.index.is_active(hash)).find_map(|hash| state.index.get(hash));
    Ok(known.map(|entry| entry.header.height.saturating_add(1)))
}

/// Tell what an account has: after the tip, and what pending transactions will change.
#[utoipa::path(get, path = "/accounts/{address}", operation_id = "get_account", tag = "network",
    params(("address" = raclette_api::schema::Address, Path, description = "The account's address"), IfNoneMatch),
    responses(
        (status = 200, description = "The account", body = AccountMessage),
        IfNoneMatch,
        CommonProblems,
    ),
)]
pub(super) async fn get_account(
    State(app): State<App>,
    known: IfNoneMatch,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let address = address("address", &text).map_err(Problem::parameter)?;
    let account = account(&app, &*app.node.state()?, &address).ok_or_else(|| unknown_account(&address))?;
    let tag = ETag::of([account.balance, account.next_sequence, account.pending_in, account.pending_out]);
    known.unless_known(tag, Keep::Revalidate, async { Ok(Json(account)) }).await
}

fn unknown_account(address: &Address) -> Problem {
    let detail = format!("No block and no pending transaction knows {address}, and no member has it.");
    Problem::new(Code::UnknownAccount, detail)
}

/// An account that was ever used, or belongs to a member.
fn account(app: &App, state: &Chain, address: &Address) -> Option<AccountMessage> {
    let balance = Node::balance(state, address);
    let pending = balance.pending_in != Amount::ZERO || balance.pending_out != Amount::ZERO;
    let name = app.name_of(address);
    (balance.account != Account::default() || pending || name.is_some()).then(|| AccountMessage {
        address: address.to_string(),
        name,
        balance: balance.account.balance.units(),
        next_sequence: balance.account.next_sequence,
        pending_in: balance.pending_in.units(),
        pending_out: balance.pending_out.units(),
    })
}
