//! Headers come before bodies, and are weighed before any body is asked for.
//!
//! A member's headers are read page by page; each is checked on top of the one before, its work first. Until they outweigh
//! this peer's own chain nothing of them is kept but the first pages and, of every later page, the hash of its last header:
//! a hash covers all headers before it, so that the same pages can be read again, and no others. That is what 100,000 cheap
//! headers cost here: some megabytes while they are weighed, and nothing on disk.

use std::collections::VecDeque;

use raclette_api::chain::HeadersPage;
use raclette_chain::{
    hash::BlockHash,
    header::Header,
    index::{Index, MEDIAN_SPAN, median},
    rules::{BlockError, Parent, Rules, check_header},
    target::Work,
    time::Timestamp,
};
use raclette_service::{client::read_json, clock::now_ms};

use super::SyncError;
use crate::{
    net::Net,
    node::{Neighbour, Node, NodeError, State},
};

/// How many headers are asked for at once.
const PAGE: usize = 2_000;
/// So many headers are kept while they are weighed; of the pages behind them, one hash each.
const KEPT: usize = 20_000;
/// After so many pages that do not outweigh this peer's chain a member is not believed: no chain is that long.
const PAGES: usize = 5_000;

/// The end of a chain of headers: what is needed to check the next one.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    last: Header,
    hash: BlockHash,
    /// The times of the last headers, the newest last.
    times: VecDeque<Timestamp>,
    work: Work,
}

impl Trail {
    /// The trail that ends with a stored block.
    fn at(index: &Index, hash: &BlockHash) -> Option<Self> {
        let entry = index.get(hash)?;
        let mut times = VecDeque::with_capacity(MEDIAN_SPAN + 1);
        let mut cursor = Some(entry);
        while let Some(entry) = cursor
            && times.len() < MEDIAN_SPAN
        {
            times.push_front(entry.header.time);
            cursor = index.get(&entry.header.previous);
        }
        Some(Self { last: entry.header, hash: entry.hash, times, work: entry.work })
    }

    /// Checks a header on top of the last one, and goes on to it.
    fn push(&mut self, header: &Header, rules: &Rules, now: Timestamp) -> Result<(), BlockError> {
        let median_time = median(self.times.iter().copied().collect());
        check_header(header, &Parent { header: self.last, median_time }, rules, now)?;
        let work = header.target.expand().map_or(Work::ZERO, |target| target.work());
        self.work = self.work.saturating_add(work);
        (self.last, self.hash) = (*header, header.hash());
        self.times.push_back(header.time);
        if self.times.len() > MEDIAN_SPAN {
            self.times.pop_front();
        }
        Ok(())
    }

    /// Whether this chain of headers wins over the tip.
    fn outweighs(&self, state: &State) -> bool {
        let ours = state.tip();
        self.work > ours.work || (self.work == ours.work && self.hash < ours.hash)
    }
}

/// A page that has been weighed.
#[derive(Debug)]
enum Weighed {
    Kept(Vec<Header>),
    /// The hash of its last header.
    Mark(BlockHash),
}

/// A branch that outweighs this peer's chain, as a stream of headers whose bodies are not stored yet.
#[derive(Debug)]
pub(super) struct Branch {
    member: Neighbour,
    /// Weighed, and not given out yet.
    weighed: VecDeque<Weighed>,
    /// Where the pages that were given out end.
    given: Trail,
    /// Where the pages that were weighed end.
    end: Trail,
    /// Whether the member has no more.
    ended: bool,
    /// Whether it ends before a header from the future.
    has_future: bool,
}

/// Reads a member's headers behind what is common until they outweigh this peer's chain; none if they do not, although they
/// have the work that the member claims or end with a header from the future.
///
/// # Errors
/// When they are not valid, or end before: the member has not got what it claims.
pub(super) async fn weigh(
    node: &Node,
    net: &Net,
    member: &Neighbour,
    claimed: &Work,
) -> Result<Option<Branch>, SyncError> {
    let state = node.state()?;
    let (mut after, mut known_end) = (state.index.locator(), None);
    // What is stored here already, on another branch, needs no weighing.
    let (first, ended) = loop {
        let page = read(net, member, &after).await?;
        let ended = page.len() < PAGE;
        let known = page.iter().take_while(|header| state.index.get(&header.hash()).is_some()).count();
        known_end = page[..known].last().map(Header::hash).or(known_end);
        if known < page.len() || ended {
            break (page[known..].to_vec(), ended);
        }
        after = known_end.into_iter().collect();
    };
    let fork = first.first().map(|header| header.previous).or(known_end).unwrap_or(state.tip().hash);
    let start = Trail::at(&state.index, &fork).ok_or(SyncError::NoCommonBlock)?;
    let weighed = VecDeque::new();
    let mut branch =
        Branch { member: member.clone(), weighed, given: start.clone(), end: start, ended, has_future: false };
    branch.append(first, &state)?;
    for _ in 0..PAGES {
        if branch.end.outweighs(&state) {
            return Ok(Some(branch));
        }
        if branch.ended {
            let is_as_claimed = branch.has_future || branch.end.work >= *claimed;
            return if is_as_claimed { Ok(None) } else { Err(branch.too_little_work()) };
        }
        let page = branch.read_behind(net, branch.end.hash).await?;
        branch.ended = page.len() < PAGE;
        branch.append(page, &state)?;
    }
    Err(branch.too_little_work())
}

impl Branch {
    /// The member whose branch it is.
    pub(super) fn member(&self) -> &Neighbour {
        &self.member
    }

    /// The height at which it ends, once its end has been seen.
    pub(super) fn final_height(&self) -> Option<u32> {
        self.ended.then_some(self.end.last.height)
    }

    fn too_little_work(&self) -> SyncError {
        SyncError::TooLittleWork { height: self.end.last.height }
    }

    /// The next headers; none at the end of the branch.
    pub(super) async fn next(&mut self, node: &Node, net: &Net) -> Result<Vec<Header>, SyncError> {
        let state = node.state()?;
        let headers = match self.weighed.pop_front() {
            Some(Weighed::Kept(headers)) => headers,
            Some(Weighed::Mark(mark)) => {
                let page = self.read_behind(net, self.given.hash).await?;
                if page.last().map(Header::hash) != Some(mark) {
                    return Err(SyncError::BranchChanged);
                }
                page
            }
            None if self.ended => return Ok(Vec::new()),
            None => {
                let page = self.read_behind(net, self.end.hash).await?;
                self.ended = page.len() < PAGE;
                self.append(page, &state)?;
                return Ok(self.give());
            }
        };
        // What was weighed has been checked; this only follows.
        let now = now();
        for header in &headers {
            self.given.push(header, &state.rules, now).map_err(|error| SyncError::header(header, error))?;
        }
        Ok(headers)
    }

    /// Gives out what has just been appended.
    fn give(&mut self) -> Vec<Header> {
        self.given = self.end.clone();
        match self.weighed.pop_front() {
            Some(Weighed::Kept(headers)) => headers,
            Some(Weighed::Mark(_)) | None => Vec::new(),
        }
    }

    async fn read_behind(&self, net: &Net, hash: BlockHash) -> Result<Vec<Header>, SyncError> {
        let page = read(net, &self.member, &[hash]).await?;
        match page.first() {
            Some(first) if first.previous != hash => Err(SyncError::BranchChanged),
            _ => Ok(page),
        }
    }

    /// Checks a page, and keeps it or its mark.
    fn append(&mut self, mut page: Vec<Header>, state: &State) -> Result<(), SyncError> {
        let now = now();
        for (position, header) in page.iter().enumerate() {
            match self.end.push(header, &state.rules, now) {
                Ok(()) => {}
                // It may become good; until then the branch ends before it.
                Err(BlockError::TimeTooNew { .. }) => {
                    (self.ended, self.has_future) = (true, true);
                    page.truncate(position);
                    break;
                }
                Err(error) => return Err(SyncError::header(header, error)),
            }
        }
        let kept: usize =
            self.weighed.iter().map(|page| if let Weighed::Kept(headers) = page { headers.len() } else { 0 }).sum();
        let has_mark = self.weighed.iter().any(|page| matches!(page, Weighed::Mark(_)));
        if !page.is_empty() {
            let keep = !has_mark && kept + page.len() <= KEPT;
            self.weighed.push_back(if keep { Weighed::Kept(page) } else { Weighed::Mark(self.end.hash) });
        }
        Ok(())
    }
}

/// Reads a page of headers.
async fn read(net: &Net, member: &Neighbour, after: &[BlockHash]) -> Result<Vec<Header>, SyncError> {
    let text = net.headers(member, after, PAGE).await?;
    let decode = move || {
        let page: HeadersPage = read_json(&text)?;
        page.headers.iter().take(PAGE).map(|message| Header::try_from(message).map_err(SyncError::from)).collect()
    };
    tokio::task::spawn_blocking(decode).await.map_err(|_| NodeError::ShuttingDown)?
}

fn now() -> Timestamp {
    Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX)
}
